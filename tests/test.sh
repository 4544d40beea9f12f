#!/usr/bin/env bash
# Every test.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --workspace --locked
