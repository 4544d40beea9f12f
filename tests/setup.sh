#!/usr/bin/env bash
# setup.sh [build|docker|graphite|tools|schemathesis|chromium|postgres|flume|rsyslog|guest|all]...: installs and starts what this repository needs on this machine, and says so.
# What is there already is left alone, so that it can run before every test. Downloads and state go to QAE_TEST_CACHE
# (default ~/.cache/qae-tests); teardown.sh stops what was started.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# offered PACKAGE: the version apt would install; nothing where there is no apt, or no such package
offered() {
  have apt-cache || return 0
  # a machine that was just made may have no lists
  [ "$(id -u)" != 0 ] || compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || apt-get -qq update >/dev/null 2>&1 || :
  apt-cache policy "$1" | sed -n '/(none)/!s/^ *Candidate: //p'
}

# A toolchain no older than Cargo.toml asks for. Which one is the developer's choice: none is downloaded here, only Debian's
# package is offered when it is new enough.
setup_build() {
  packages cc:gcc /usr/include/stdio.h:libc6-dev
  local need got
  need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  if ! have cargo; then
    got=$(offered cargo)
    ! dpkg --compare-versions "${got:-0}" ge "$need" || packages cargo:cargo rustfmt:rustfmt cargo-clippy:rust-clippy
  fi
  have cargo || die "no cargo here: install Rust $need or newer (with rustup, or your system's package)"
  got=$(cd "$ROOT" && cargo --version | cut -d' ' -f2)
  [ "$(printf '%s\n' "$need" "$got" | sort -V | head -1)" = "$need" ] ||
    die "cargo is $got, this repository needs $need or newer: update it (rustup update, or your system's package)"
}

# packages whose scripts must not start a daemon of their own where there is no systemd to stop it again
quietly() {
  local guard=/usr/sbin/policy-rc.d mine=
  if ! systemd_runs && [ ! -e $guard ] && [ "$(id -u)" = 0 ]; then
    printf '#!/bin/sh\nexit 101\n' >$guard && chmod 755 $guard && mine=1
  fi
  packages "$@"
  [ -z "$mine" ] || rm -f $guard
}

setup_docker() {
  engine_answers || quietly dockerd:docker.io iptables:iptables
  # the command is a package of its own from Debian 13 on
  have docker || packages docker:docker-cli
  packages busybox:busybox-static ip:iproute2
  "$ROOT/tests/docker/up.sh"
}

# Its script installs when it starts one; started once here, so that the tests do not wait for that.
setup_graphite() {
  local up=$ROOT/tests/graphite/up.sh done=$CACHE/graphite/set-up dir
  [ "$done" -nt "$up" ] && return
  say "setting up Graphite"
  dir=$(mktemp -d)
  "$up" "$dir" >/dev/null
  "$ROOT/tests/graphite/down.sh" "$dir"
  rm -rf "$dir"
  : >"$done"
}

# What single tests look for.
setup_tools() {
  packages faketime:faketime openssl:openssl curl:curl
}

# What reads the API's description and tries to break it; pinned, in an environment of its own.
setup_schemathesis() {
  local home=$CACHE/schemathesis pins="schemathesis==4.32.5 openapi-spec-validator==0.9.0"
  [ "$(cat "$home/.complete" 2>/dev/null)" != "$pins" ] || return 0
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages /nonexistent:python3-venv
  say "installing schemathesis"
  rm -rf "$home"
  python3 -m venv "$home"
  # shellcheck disable=SC2086 # one word each
  "$home/bin/pip" install -q --disable-pip-version-check --no-input $pins
  echo "$pins" >"$home/.complete"
}

# Looks at the page as a person's browser does.
setup_chromium() {
  packages chromium:chromium
}

# The server's program; tests/postgres/up.sh runs one where and when a test wants it.
setup_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || have postgres || quietly postgres:postgresql
}

# What bench/ measures log-agent beside; jemalloc makes it faster.
setup_rsyslog() {
  quietly rsyslogd:rsyslog /usr/lib/x86_64-linux-gnu/libjemalloc.so.2:libjemalloc2
}

# Java, and the jars of two Flumes from Maven Central (35 MB); tests/flume/up.sh runs a node where and when a test wants it.
setup_flume() {
  local version pom=$ROOT/tests/flume/pom.xml home log=$CACHE/flume.log java=17
  # Debian 13 begins with 21
  have java || [ -n "$(offered openjdk-17-jre-headless)" ] || java=21
  packages "java:openjdk-$java-jre-headless"
  for version in 1.11.0 1.9.0; do
    home=$CACHE/flume/$version
    [ "$home/.complete" -nt "$pom" ] && continue
    packages mvn:maven
    say "fetching Flume $version"
    rm -rf "$home" "$home.part"
    mvn -q -B -f "$pom" -Dflume.version="$version" -DincludeScope=runtime -DoutputDirectory="$home.part" \
      dependency:copy-dependencies >"$log" 2>&1 </dev/null ||
      { tail -n 15 "$log" >&2; die "the jars of Flume $version could not be fetched, see $log"; }
    mv "$home.part" "$home" && : >"$home/.complete"
  done
}

setup_guest() {
  packages qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap mkfs.ext4:e2fsprogs
  "$ROOT/tests/guest/build.sh"
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(all)
for part in "${parts[@]}"; do
  case $part in
    build | docker | graphite | tools | schemathesis | chromium | postgres | flume | rsyslog | guest) "setup_$part" ;;
    all) setup_build; setup_docker; setup_graphite; setup_tools; setup_schemathesis; setup_chromium; setup_postgres; setup_flume; setup_rsyslog; setup_guest ;;
    *) die "unknown part $part (build, docker, graphite, tools, schemathesis, chromium, postgres, flume, rsyslog, guest, all)" ;;
  esac
done
