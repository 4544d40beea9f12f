#!/usr/bin/env bash
# The whole product on this machine, in the foreground: `qae up`, with its state in ./.qae, whose qae.toml is yours from the first run on.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
tests/setup.sh build
tests/setup.sh docker || say "going on without Docker: only the machine itself is shown"
cargo build --release --locked -p cli -p dadvisor
! alive "$CACHE/docker/dockerd.pid" || say "the Docker engine started here keeps running afterwards; tests/teardown.sh stops it"
exec "${CARGO_TARGET_DIR:-target}/release/qae" up
