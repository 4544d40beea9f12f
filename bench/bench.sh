#!/usr/bin/env bash
# Measures what docs/benchmarks.md claims and prints the tables; about 30 minutes, as root, on a machine that does nothing else.
# CONTAINERS (500) real Docker containers are started for one of them; FUZZ (20) seconds go to each fuzz target, 0 leaves them out.
source "$(dirname "${BASH_SOURCE[0]}")/../tests/lib.sh"
cd "$ROOT"
ours=1
! engine_answers || ours=0
tests/setup.sh build docker graphite flume rsyslog
cargo build --release --locked -p dadvisor -p api -p log-agent -p bench

graphite=$(mktemp -d -t qae-bench-XXXX)
finish() {
  tests/graphite/down.sh "$graphite" || true
  rm -rf "$graphite"
  [ $ours = 0 ] || tests/teardown.sh
}
trap finish EXIT
tests/graphite/up.sh "$graphite" >/dev/null
# shellcheck disable=SC1091 # made by up.sh
source "$graphite/ports.env"

printf 'machine: %s, %s cores, %s, Linux %s\n\n' \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" \
  "$(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)" "$(uname -r)"
bench=target/release/bench
$bench start
$bench cost
$bench churn
$bench containers --count "${CONTAINERS:-500}" --carbon "127.0.0.1:$GRAPHITE_LINE_PORT"
$bench centre
$bench marathon
$bench logs
[ "${FUZZ:-20}" = 0 ] || bench/fuzz.sh "${FUZZ:-20}"
