#!/usr/bin/env bash
# down.sh DIR [-9] - stops the node that up.sh started in DIR, with -9 as a crash would; its channel and output stay. It is known by pid and
# start time, so a pid that was used again is never hit. Nothing to stop is no error.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[ $# -ge 1 ] || { sed -n '2,3p' "$0" >&2; exit 2; }
file=$1/pid
alive "$file" || { rm -f "$file"; exit 0; }
read -r pid _ <"$file"
# a test may have stopped it
signal=CONT
[ "${2-}" != -9 ] || signal=KILL
kill -$signal "$pid" 2>/dev/null || :
stop "$file" 20
# a killed JVM is a zombie while its other threads still hold the ports
for _ in $(seq 200); do
  [ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -gt 1 ] || exit 0
  sleep 0.05
done
die "process $pid does not go"
