#!/usr/bin/env bash
# A tour: `qae up` with its state in a temporary directory, and three small apps beside it: one that is well, one that logs much, one that
# crashes again and again. Prints the timeline as it happens, and the tables. Ends on Ctrl-C, or after QAE_DEMO_SECONDS; removes all it made.
# QAE_BIN_DIR: where the built qae is, instead of building it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
seconds=${QAE_DEMO_SECONDS:-}
[[ $seconds =~ ^[0-9]*$ ]] || die "QAE_DEMO_SECONDS=$seconds: no number of seconds"
bin=${QAE_BIN_DIR:-}
if [ -z "$bin" ]; then
  tests/setup.sh build docker
  cargo build --release --locked -p cli
  bin=${CARGO_TARGET_DIR:-target}/release
fi
bin=$(cd "$bin" && pwd -P)
engine_answers || die "no Docker engine answers on $SOCKET: tests/setup.sh docker starts one"

state=$(mktemp -d -t qae-demo.XXXXXX)
mark=demo-$$
up='' timeline=''
cleanup() {
  trap - EXIT INT TERM
  echo
  say "removing what the demo made"
  [ -z "$timeline" ] || kill "$timeline" 2>/dev/null || :
  docker_cli ps -aq --filter "label=qae.test=$mark" | xargs -r env -u DOCKER_CONTEXT docker -H "unix://$SOCKET" rm -f >/dev/null 2>&1 || :
  if [ -n "$up" ]; then
    kill -TERM "$up" 2>/dev/null || :
    wait "$up" 2>/dev/null || :
  fi
  rm -rf "$state"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

qae() { (cd "$state" && "$bin/qae" "$@"); }
"$bin/qae" up --state "$state/.qae" >"$state/said" &
up=$!
for _ in $(seq 600); do
  grep -q '^  next ' "$state/said" && break
  kill -0 $up 2>/dev/null || die "qae up ended by itself"
  sleep 0.1
done
cat "$state/said"
echo
(cd "$state" && exec "$bin/qae" events -f -n 5) &
timeline=$!

run() { # NAME OPTION... -- SCRIPT
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  # its warnings about this machine's network are no part of the show
  docker_cli run -d --name "qae-$mark-$name" --label "qae.test=$mark" "${options[@]}" "$IMAGE" sh -c "$2" >"$state/run" 2>&1 ||
    die "docker run: $(cat "$state/run")"
}
serve='mkdir -p /www; echo well >/www/index.html; exec httpd -f -p 8080 -h /www'
for n in 1 2; do
  run "web-$n" --label qae.app=demo/web -p 127.0.0.1::8080 \
    --health-cmd 'wget -q -O /dev/null http://127.0.0.1:8080/' --health-interval 2s -- "$serve"
done
# writes to its log volume, and keeps it small
mkdir "$state/logs"
run chatty --label qae.app=demo/chatty -v "$state/logs:/qae/logs" -- '
  cd /qae/logs
  while :; do
    n=0; while [ $n -lt 200 ]; do n=$((n + 1)); echo "$(date +%s) request $n took 3 ms"; done >>access.log
    [ "$(stat -c %s access.log)" -lt 1048576 ] || mv access.log access.log.1
    sleep 0.2
  done'
run crash --label qae.app=demo/crash --restart on-failure -- 'sleep 3; echo "no luck today" >&2; exit 3'

begin=$SECONDS shown=0
while [ -z "$seconds" ] || [ $((SECONDS - begin)) -lt "$seconds" ]; do
  kill -0 $up 2>/dev/null || die "qae up ended by itself"
  # once when there are figures, or shortly before a short demo ends
  if [ $shown = 0 ] && { [ $((SECONDS - begin)) -ge 8 ] || { [ -n "$seconds" ] && [ $((SECONDS - begin + 2)) -ge "$seconds" ]; }; }; then
    shown=1
    for table in apps instances nodes "top --once" "logs demo/chatty access.log -n 2"; do
      echo
      echo "\$ qae $table"
      # shellcheck disable=SC2086 # a command and its option
      qae $table
    done
    echo
    [ -n "$seconds" ] || say "the timeline goes on; Ctrl-C ends the demo"
  fi
  sleep 0.5
done
