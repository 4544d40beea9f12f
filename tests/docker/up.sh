#!/usr/bin/env bash
# A Docker engine on /var/run/docker.sock and the test image in it. An engine that answers is used as it is; otherwise one is started:
# by systemd where that runs, else by hand with its data in the cache directory. down.sh stops only what was started here.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
state=$CACHE/docker
mkdir -p "$state"
exec 8>"$state/lock"
flock -w 120 8 || die "another up.sh is busy with $state"

start_by_hand() {
  [ "$(id -u)" = 0 ] || die "no Docker engine answers on $SOCKET and starting one needs root"
  say "starting dockerd (data in $state/data, log in $state/dockerd.log)"
  [ -e /sys/class/net/docker0 ] || : >"$state/made-docker0"
  # no firewall rules, no forwarding: containers reach each other on the bridge, published ports go through docker-proxy,
  # and nothing of this machine's network is changed
  setsid dockerd --host "unix://$SOCKET" --data-root "$state/data" --exec-root /run/qae-test-docker \
    --pidfile "$state/dockerd.own-pid" --iptables=false --ip-forward=false --ip-masq=false \
    >"$state/dockerd.log" 2>&1 </dev/null 8>&- &
  echo "$! $(start_of $!)" >"$state/dockerd.pid"
}

if alive "$state/dockerd.pid" && [ ! -e /sys/class/net/docker0 ]; then
  say "docker0 is gone (another dockerd with --bridge=none removes it), starting the engine anew"
  stop "$state/dockerd.pid" 20
fi
if ! engine_answers; then
  if systemd_runs && systemctl cat docker.service >/dev/null 2>&1; then
    say "starting docker.service"
    systemctl start docker.service
    echo systemd >"$state/dockerd.pid"
  else
    start_by_hand
  fi
  for _ in $(seq 300); do
    engine_answers && break
    [ "$(cat "$state/dockerd.pid")" = systemd ] || alive "$state/dockerd.pid" || break
    sleep 0.1
  done
  engine_answers || { tail -n 15 "$state/dockerd.log" >&2 2>/dev/null || :; die "the Docker engine did not come up"; }
fi

# the image comes from the static busybox of this machine, never from a registry
if ! docker_cli image inspect "$IMAGE" >/dev/null 2>&1; then
  say "making the image $IMAGE"
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  mkdir -p "$tree"/{bin,dev,etc,proc,root,sys,tmp,var}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  "$tree/bin/busybox" --install "$tree/bin"
  tar -C "$tree" -c . | docker_cli import --change 'CMD ["sh"]' - "$IMAGE" >/dev/null
fi
