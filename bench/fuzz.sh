#!/usr/bin/env bash
# fuzz.sh [SECONDS] [TARGET...]: runs each fuzz target of fuzz/ for that long (20 s each) and prints a table.
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz). What is found stays in fuzz/corpus/, crashes in fuzz/artifacts/.
# Exits 1 if a target crashed.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
seconds=20
case ${1-} in [0-9]*) seconds=$1; shift ;; esac

cargo +nightly fuzz --version >/dev/null 2>&1 || {
  echo "fuzz.sh: needs a nightly toolchain and cargo-fuzz: rustup toolchain install nightly && cargo install cargo-fuzz" >&2
  exit 69
}
if [ $# -gt 0 ]; then targets=("$@"); else mapfile -t targets < <(cargo +nightly fuzz list); fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# built apart from the runs, so that its time is not theirs
if [ $# -gt 0 ]; then for target in "${targets[@]}"; do cargo +nightly fuzz build "$target" >&2; done; else cargo +nightly fuzz build >&2; fi

printf '%-10s %10s %10s %10s %9s %8s\n' target runs runs/s edges inputs crashes
failed=0
for target in "${targets[@]}"; do
  corpus=fuzz/corpus/$target artifacts=fuzz/artifacts/$target log=$logs/$target
  mkdir -p "$corpus" "$artifacts"
  before=$(find "$artifacts" -type f | wc -l)
  status=0
  cargo +nightly fuzz run "$target" "$corpus" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 >"$log" 2>&1 || status=$?
  crashes=$(($(find "$artifacts" -type f | wc -l) - before))
  last=$(grep -E '^#[0-9]+' "$log" | tail -n 1 || :)
  runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
  rate=$(awk '/stat::average_exec_per_sec/ { print $2 }' "$log")
  edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' <<<"$last")
  inputs=$(sed -n 's/.* corp: \([0-9]*\).*/\1/p' <<<"$last")
  printf '%-10s %10s %10s %10s %9s %8s\n' "$target" "${runs:--}" "${rate:--}" "${edges:--}" "${inputs:--}" "$crashes"
  if [ "$status" != 0 ]; then
    failed=1
    grep -E -A4 'panicked at|ERROR:|SUMMARY:' "$log" | head -n 12 >&2 || tail -n 20 "$log" >&2
    find "$artifacts" -type f -newer "$corpus" -printf '  input kept: %p\n' >&2
  fi
done
exit $failed
