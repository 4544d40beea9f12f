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
part() { # NAME COMMAND...
  local name=$1 begin=$SECONDS rc=0
  shift
  if [[ $skip == *" $name "* ]]; then
    say "======== $name: SKIPPED, because QAE_SKIP asks for it ========"
    table+=("$(printf '%-8s skipped (QAE_SKIP)' "$name")")
    return
  fi
  say "======== $name ========"
  "$@" || rc=$?
  local verdict=ok
  [ $rc = 0 ] || { verdict="FAILED ($rc)"; failed=1; }
  table+=("$(printf '%-8s %-12s %5d s' "$name" "$verdict" $((SECONDS - begin)))")
}
setup() {
  local parts=(build docker graphite tools schemathesis chromium postgres flume)
  [[ $skip == *" guest "* ]] || parts+=(guest)
  tests/setup.sh "${parts[@]}"
}
# with a PostgreSQL beside it, so that what is tested of a store is tested on both
unit() (
  dir=$(mktemp -d /tmp/qae-postgres.XXXXXX)
  trap 'tests/postgres/down.sh "$dir"; rm -rf "$dir"' EXIT
  QAE_TEST_POSTGRES=$(tests/postgres/up.sh "$dir") || exit
  export QAE_TEST_POSTGRES
  cargo test --locked --workspace --exclude e2e --no-fail-fast
)
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
trap '[ $ours = 0 ] || tests/teardown.sh' EXIT
part setup setup
[ $failed = 0 ] || die "setup failed, nothing was tested"
# after the setup: an engine that was started just now may show what an earlier, killed run had left
before=$(traces)
part build cargo build --locked --workspace --bins
[ $failed = 0 ] || die "the build failed, nothing was tested"
part unit unit
# one at a time: they load the machine and measure it
part e2e cargo test --locked -p e2e --no-fail-fast -- --test-threads=1
part guest tests/guest/acceptance.sh
part traces nothing_left

echo
printf '%s\n' "${table[@]}"
exit $failed
