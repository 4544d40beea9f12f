#!/usr/bin/env bash
# dadvisor in the foreground on this machine, with a config in ./.qae/qae.toml that is made on the first run and yours from then on.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
tests/setup.sh build
tests/setup.sh docker || say "going on without Docker: plain cgroups and the node itself are measured"
cargo build --release --locked -p dadvisor

config=.qae/qae.toml
if [ ! -e $config ]; then
  mkdir -p .qae
  port=7001
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  [ $port = 7001 ] || say "port 7001 is taken, $port it is (written to $config)"
  socket="unix://$SOCKET" carbon='"127.0.0.1:2003"'
  engine_answers || socket=
  (exec 3<>/dev/tcp/127.0.0.1/2003) 2>/dev/null || carbon=
  [ -n "$socket" ] || say "no Docker engine answers on $SOCKET: containers are not looked for (change docker in $config)"
  [ -n "$carbon" ] || say "no carbon on 127.0.0.1:2003: figures stay here (change carbon in $config)"
  cat >$config <<C
# Made by make run; docs/configuration.md tells every key.
[node]
state_dir = "$ROOT/.qae"
docker = "$socket"

[graphite]
carbon = [$carbon]

[dadvisor]
listen = "127.0.0.1:$port"
C
fi
! alive "$CACHE/docker/dockerd.pid" || say "the Docker engine started here keeps running afterwards; tests/teardown.sh stops it"
args=(--config "$config")
[ ! -t 1 ] || args+=(--top)
exec "${CARGO_TARGET_DIR:-target}/release/dadvisor" "${args[@]}"
