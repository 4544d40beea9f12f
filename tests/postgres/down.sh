#!/usr/bin/env bash
# down.sh DIR - stop what up.sh started in DIR; the data stays. The server is known by pid and start time, so a pid that was used again is
# never hit. Nothing to stop is no error.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,3p' "$0" >&2; exit 2; }
[ -s "$1/pid" ] || exit 0
read -r pid start <"$1/pid"
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | sed '/^Z/d' | cut -d' ' -f20; }
alive() { [ -n "$start" ] && [ "$(start_of "$pid")" = "$start" ]; }
# INT: it ends its sessions and does not wait for them
for signal in CONT INT QUIT; do
  alive || break
  kill -$signal "$pid" 2>/dev/null || :
  [ $signal = CONT ] || for _ in $(seq 100); do alive || break; sleep 0.05; done
done
if alive; then kill -KILL "$pid" 2>/dev/null || :; fi
rm -f "$1/pid"
