#!/usr/bin/env bash
# up.sh DIR - a throw-away PostgreSQL on loopback: a cluster of its own in DIR, run as user postgres (nobody, where there is none), on a
# free port that is kept in DIR/port over restarts, trusting everybody on this machine. Starts it if it does not run yet; returns when it
# answers, and prints its URL. Needs Debian's package postgresql (tests/setup.sh postgres), and root.
# Stop it with down.sh DIR.
set -euo pipefail
export LC_ALL=C.UTF-8
[ $# -eq 1 ] || { sed -n '2,5p' "$0" >&2; exit 2; }
mkdir -p "$1" && dir=$(cd "$1" && pwd -P)
say() { echo "postgres: $*" >&2; }
die() { say "$*"; exit 1; }
[ "$(id -u)" = 0 ] || die "run this as root: the server runs as another user"
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | sed '/^Z/d' | cut -d' ' -f20; }
running() {
  local pid start
  [ -s "$dir/pid" ] && read -r pid start <"$dir/pid" && [ -n "$start" ] && [ "$(start_of "$pid")" = "$start" ]
}

bin=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -1)
[ -x "$bin" ] || bin=$(command -v postgres) || die "no postgres here: tests/setup.sh postgres installs it"
bin=$(dirname "$bin")
user=postgres
id "$user" >/dev/null 2>&1 || user=nobody
as() { setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env HOME="$dir" "$@"; }
chmod 711 "$dir"
as test -x "$dir" || die "user $user may not enter $dir: choose a directory beneath /tmp"

if [ ! -e "$dir/data/PG_VERSION" ]; then
  mkdir -p "$dir/data" && chown "$user" "$dir/data"
  # the data is thrown away: it need not survive a power cut
  as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; die "initdb failed"; }
fi
# outside the range from which clients get theirs, so that a restart finds it free
[ -s "$dir/port" ] || while :; do
  port=$((20000 + RANDOM % 12000))
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port >"$dir/port"; break; }
done
read -r port <"$dir/port"
url=postgres://postgres@127.0.0.1:$port/postgres

if ! running; then
  rm -f "$dir/data/postmaster.pid"
  setsid setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$bin/postgres" -D "$dir/data" \
    -c listen_addresses=127.0.0.1 -c port="$port" -c unix_socket_directories= -c max_connections=200 -c shared_buffers=32MB \
    -c fsync=off -c log_min_messages=fatal >"$dir/log" 2>&1 </dev/null &
  pid=$!
  echo "$pid $(start_of "$pid")" >"$dir/pid"
fi
for _ in $(seq 300); do
  "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" && { echo "$url"; exit 0; }
  running || break
  sleep 0.1
done
tail -n 12 "$dir/log" >&2
"$(dirname "$0")/down.sh" "$dir"
die "it does not answer on port $port, see $dir/log"
