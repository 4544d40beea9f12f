# Sourced by the scripts here: where things are kept, how they speak, how a process is known again.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=${QAE_TEST_CACHE:-$HOME/.cache/qae-tests}
SOCKET=/var/run/docker.sock
IMAGE=qae-test/busybox
export QAE_TEST_CACHE=$CACHE
mkdir -p "$CACHE"

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
docker_cli() { env -u DOCKER_CONTEXT docker -H "unix://$SOCKET" "$@"; }
# bounded: an engine that hangs is one that does not answer
engine_answers() { have docker && [ -S "$SOCKET" ] && timeout 10 env -u DOCKER_CONTEXT docker -H "unix://$SOCKET" version >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ]; }

# packages CMD:PACKAGE...: installs what is missing; CMD may be an absolute path that has to exist
packages() {
  local want=() pair cmd
  for pair in "$@"; do
    cmd=${pair%%:*}
    case $cmd in /*) [ -e "$cmd" ] || want+=("${pair#*:}") ;; *) have "$cmd" || want+=("${pair#*:}") ;; esac
  done
  [ ${#want[@]} -gt 0 ] || return 0
  have apt-get || die "missing here: ${want[*]} (Debian's names); this system has no apt-get, install them by hand"
  [ "$(id -u)" = 0 ] || die "missing here: ${want[*]}; run tests/setup.sh as root once, or install them by hand"
  say "installing with apt-get: ${want[*]}"
  local get=(apt-get -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends install "${want[@]}") log=$CACHE/apt.log
  export DEBIAN_FRONTEND=noninteractive
  # lists may be missing or stale: a first failure only means that
  "${get[@]}" >"$log" 2>&1 </dev/null && return 0
  { apt-get -qq -o DPkg::Lock::Timeout=300 update && "${get[@]}"; } >>"$log" 2>&1 </dev/null && return 0
  tail -n 15 "$log" >&2
  die "apt-get failed, the whole story is in $log"
}

# Builds the programs of all tests and the binaries they run; prints where each test program of this crate is, a line `NAME PATH`. Always
# the whole workspace: with fewer packages cargo takes other features of what they depend on, and builds that anew. The binaries last:
# they are to be as they are shipped, without what only tests ask of a dependency.
build_tests() {
  local built
  built=$(cargo test --locked --workspace --no-run --message-format=json-render-diagnostics) || return
  cargo build --locked --workspace --bins || return
  sed -n "s|.*\"manifest_path\":\"$ROOT/tests/Cargo.toml\".*\"name\":\"\([^\"]*\)\".*\"executable\":\"\([^\"]*\)\".*|\1 \2|p" <<<"$built"
}

# pid and start time together name a process for good (nothing for a zombie: it has ended)
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | sed '/^Z/d' | cut -d' ' -f20; }
alive() { # FILE holding "pid start"
  local pid start
  [ -s "$1" ] && read -r pid start <"$1" && [ -n "$start" ] && [ "$(start_of "$pid")" = "$start" ]
}
# stop FILE SECONDS: TERM, then KILL after that time
stop() {
  local pid _
  if alive "$1"; then
    read -r pid _ <"$1"
    kill -TERM "$pid" 2>/dev/null || :
    for _ in $(seq $((${2} * 20))); do alive "$1" || break; sleep 0.05; done
    if alive "$1"; then
      say "process $pid did not end on SIGTERM in $2 s, killed"
      kill -KILL "$pid" 2>/dev/null || :
    fi
  fi
  rm -f "$1"
}
