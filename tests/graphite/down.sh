#!/usr/bin/env bash
# down.sh DIR [carbon|web|aggregator...] - stop what up.sh started in DIR (all of it by default). The data stays.
# A process is known by pid and start time, so a pid that was used again is never hit. Nothing to stop is no error.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,3p' "$0" >&2; exit 2; }
[ -d "$1/run" ] || exit 0
dir=$(cd "$1" && pwd -P); shift
[ $# -gt 0 ] || set -- web aggregator carbon

start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | sed '/^Z/d' | cut -d' ' -f20; }
alive() { [ -n "$2" ] && [ "$(start_of "$1")" = "$2" ]; }

for name in "$@"; do
  file=$dir/run/$name.pid
  [ -s "$file" ] || continue
  read -r pid start < "$file"
  if alive "$pid" "$start"; then
    kill -TERM "$pid" 2>/dev/null || :
    kill -CONT "$pid" 2>/dev/null || :   # a test may have left it stopped
    for _ in $(seq 100); do alive "$pid" "$start" || break; sleep 0.05; done
    if alive "$pid" "$start"; then kill -KILL "$pid" 2>/dev/null || :; fi
    for _ in $(seq 40); do alive "$pid" "$start" || break; sleep 0.05; done
  fi
  rm -f "$file"
done
