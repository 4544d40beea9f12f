#!/usr/bin/env bash
# Format and lints, warnings denied; of the scripts too.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
tests/setup.sh build
packages shellcheck:shellcheck
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
# those that source another script find it beside themselves
git ls-files -z '*.sh' | xargs -0 shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR
