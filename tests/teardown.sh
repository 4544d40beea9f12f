#!/usr/bin/env bash
# Stops what setup.sh started on this machine. Nothing to stop is no error. The cache directory stays.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
"$ROOT/tests/docker/down.sh"
