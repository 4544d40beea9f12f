#!/usr/bin/env bash
# shellcheck disable=SC2317 # functions are called through part
# Every test. Sets up what is missing, builds, then runs the parts one after the other, also after one that failed; the table at the end
# tells. QAE_SKIP="guest e2e unit" leaves parts out, by name; nothing else does.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
[ "$(id -u)" = 0 ] || die "the tests read other processes' namespaces and make cgroups: run them as root"
skip=" ${QAE_SKIP:-} "
for name in $skip; do
  case $name in unit | e2e | guest) ;; *) die "QAE_SKIP: there is no part $name (unit, e2e, guest)" ;; esac
done

# what a test could leave on this machine, one per line
traces() {
  ! engine_answers || docker_cli ps -aq --filter label=qae.test | sed 's/^/container /'
  ! engine_answers || docker_cli network ls -q --filter label=qae.test | sed 's/^/docker network /'
  find /tmp /run/netns -maxdepth 1 -name '*qae*' 2>/dev/null || :
  find /sys/fs/cgroup -type d -name '*qae*' 2>/dev/null || :
  awk '$5 ~ "^/tmp/" {print "mount " $5}' /proc/self/mountinfo
  find /proc -maxdepth 2 -name exe -lname "$ROOT/target/*" -printf 'process %h %l\n' 2>/dev/null || :
}

table=() failed=0
row() { # NAME EXIT-CODE SECONDS [REMARK]
  local verdict=ok
  [ "$2" = 0 ] || { verdict="FAILED ($2)"; failed=1; }
  table+=("$(printf '%-10s %-12s %5d s%s' "$1" "$verdict" "$3" "${4:+  $4}")")
}
skipped() { # NAME
  [[ $skip == *" $1 "* ]] || return 1
  say "======== $1: SKIPPED, because QAE_SKIP asks for it ========"
  table+=("$(printf '%-10s skipped (QAE_SKIP)' "$1")")
}
part() { # NAME COMMAND...
  local name=$1 begin=$SECONDS rc=0
  shift
  say "======== $name ========"
  "$@" || rc=$?
  row "$name" $rc $((SECONDS - begin))
}
setup() {
  local parts=(build docker graphite tools schemathesis chromium postgres flume)
  [[ $skip == *" guest "* ]] || parts+=(guest)
  tests/setup.sh "${parts[@]}"
}
build() { programs=$(build_tests); }
# with a PostgreSQL beside it, so that what is tested of a store is tested on both
unit() (
  dir=$(mktemp -d /tmp/qae-postgres.XXXXXX)
  trap 'tests/postgres/down.sh "$dir"; rm -rf "$dir"' EXIT
  QAE_TEST_POSTGRES=$(tests/postgres/up.sh "$dir") || exit
  export QAE_TEST_POSTGRES
  cargo test --locked --workspace --exclude e2e --no-fail-fast
)
# one group of the end-to-end tests, so many tests at once
group() { # NAME THREADS
  local program
  program=$(sed -n "s/^$1 //p" <<<"$programs")
  [ -x "$program" ] || { say "cargo built no tests $1"; return 1; }
  (cd tests && "$program" --test-threads="$2")
}

# The guest is another machine, and slow: it runs beside groups that leave it a processor. What it says is shown when it has ended.
guest_dir='' guest_pid=''
guest_begins() {
  guest_dir=$(mktemp -d /tmp/qae-guest.XXXXXX)
  # in a process group of its own, by which guest_ends finds all of it
  QAE_TEST_PROGRAMS=$programs setsid bash -c 'begin=$SECONDS rc=0
    tests/guest/acceptance.sh >"$0/output" 2>&1 </dev/null || rc=$?
    echo "$rc $((SECONDS - begin))" >"$0/end"' "$guest_dir" &
  guest_pid=$!
}
guest_told() {
  local rc seconds begin=$SECONDS
  say "======== guest ========"
  wait "$guest_pid" || :
  cat "$guest_dir/output"
  read -r rc seconds <"$guest_dir/end" || { rc=killed seconds=0; }
  row guest "$rc" "$seconds" "beside others; waited for $((SECONDS - begin)) s"
}
guest_ends() {
  [ -n "$guest_pid" ] || return 0
  ! kill -TERM -- "-$guest_pid" 2>/dev/null || wait "$guest_pid" || :
  rm -rf "$guest_dir"
  guest_pid=''
}
# Groups of tests that wait more than they work, each with processes, ports and containers of its own: those are run beside the guest, or
# some of one group at once (GROUP:THREADS). All others, and any new one, are alone and one test at a time: they load the machine and
# measure it.
beside_guest='discovery flume harness page up' at_once='centre:2 marathon:4'
groups_beside_guest() {
  local name
  for name in $beside_guest; do part "$name" group "$name" 1; done
}
groups_alone() {
  local name threads
  for name in $(cut -d' ' -f1 <<<"$programs" | sort); do
    [[ " $beside_guest " != *" $name "* ]] || continue
    threads=$(tr ' ' '\n' <<<"$at_once" | sed -n "s/^$name://p")
    part "$name" group "$name" "${threads:-1}"
  done
}

nothing_left() {
  # processes end and cgroups go a moment after what held them
  local left
  for _ in $(seq 50); do
    left=$(comm -13 <(sort <<<"$before") <(traces | sort))
    [ -n "$left" ] || return 0
    sleep 0.2
  done
  say "the tests left behind:"
  echo "$left" >&2
  return 1
}

ours=1
! engine_answers || ours=0
# an engine that ran before stays
trap 'guest_ends; [ $ours = 0 ] || tests/teardown.sh' EXIT
part setup setup
[ $failed = 0 ] || die "setup failed, nothing was tested"
# after the setup: an engine that was started just now may show what an earlier, killed run had left
before=$(traces)
part build build
[ $failed = 0 ] || die "the build failed, nothing was tested"
if ! skipped unit; then
  part unit unit
  # they were given binaries of their own: back to those that are shipped
  build
fi
skipped guest || guest_begins
e2e=1
! skipped e2e || e2e=0
[ $e2e = 0 ] || groups_beside_guest
[ -z "$guest_pid" ] || { guest_told; guest_ends; }
[ $e2e = 0 ] || groups_alone
part traces nothing_left

echo
printf '%s\n' "${table[@]}"
exit $failed
