#!/usr/bin/env bash
# acceptance.sh [TEST-NAME...]: the acceptance tests in the guest: the same test program and the same dadvisor as on this machine, on a
# host with cgroup v2 and systemd. What asks nothing of the kernel stays out: outages, hung engines, odd names. QAE_TEST_PROGRAMS: what
# build_tests printed, where nothing is to be built beside running tests.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
filters=("$@")
[ ${#filters[@]} -gt 0 ] || filters=(figures life::limits life::a_restart oom who::both who::networks)
cd "$ROOT"
programs=${QAE_TEST_PROGRAMS:-$(build_tests)}
test=$(sed -n 's/^acceptance //p' <<<"$programs")
[ -x "$test" ] || die "cargo did not name the test program"

job=$(mktemp -d "$CACHE/guest/job.XXXXXX")
trap 'rm -rf "$job"' EXIT
mkdir -p "$job"/{bin,cache,repo}
strip -o "$job/bin/acceptance" "$test"
strip -o "$job/bin/dadvisor" "${CARGO_TARGET_DIR:-target}/debug/dadvisor"
cp -a tests packaging "$job/repo/"
cp -a "$CACHE/graphite" "$job/cache/"
# the test program finds its scripts where it was built
cat >"$job/job.sh" <<E
set -e
mkdir -p "$(dirname "$ROOT")"
ln -s /job/repo "$ROOT"
export QAE_TEST_CACHE=/job/cache QAE_BIN_DIR=/job/bin RUST_BACKTRACE=0
# one Graphite for all tests: emulated, its Python takes long to start
GRAPHITE_STEP=1s "$ROOT/tests/graphite/up.sh" /job/graphite >/dev/null &
"$ROOT/tests/setup.sh" docker
wait \$!
export QAE_TEST_GRAPHITE=/job/graphite
echo "guest: kernel \$(uname -r), \$(docker info --format 'Docker {{.ServerVersion}}, cgroup v{{.CgroupVersion}} by {{.CgroupDriver}}')," \
  "up for \$(cut -d. -f1 /proc/uptime) s"
exec bin/acceptance --test-threads=1 ${filters[*]}
E
"$ROOT/tests/guest/run.sh" "$job" "${QAE_GUEST_SECONDS:-1500}"
