#!/usr/bin/env bash
# Removes the containers that tests left, and stops the engine if up.sh started it, with what it made outside its data directory.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
state=$CACHE/docker
if engine_answers; then
  left=$(docker_cli ps -aq --filter label=qae.test)
  # shellcheck disable=SC2086
  [ -z "$left" ] || { say "removing $(wc -w <<<"$left") containers that tests left"; docker_cli rm -f $left >/dev/null; }
fi
[ -s "$state/dockerd.pid" ] || exit 0
if [ "$(cat "$state/dockerd.pid")" = systemd ]; then
  say "stopping docker.service"
  systemctl stop docker.socket docker.service 2>/dev/null || systemctl stop docker.service
  rm -f "$state/dockerd.pid"
  exit 0
fi
say "stopping dockerd"
stop "$state/dockerd.pid" 20
# a container in the host's network leaves a mount of its namespace behind
awk '$5 ~ "^/run/qae-test-docker/" {print $5}' /proc/self/mountinfo | sort -r | while read -r mount; do umount -l "$mount" || :; done
rm -rf /run/qae-test-docker "$SOCKET"
if [ -e "$state/made-docker0" ]; then
  ip link delete docker0 2>/dev/null || :
  rm -f "$state/made-docker0"
fi
# the engine leaves its parent cgroup in every hierarchy; rmdir takes only empty ones
find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name docker -exec rmdir {} + 2>/dev/null || :
