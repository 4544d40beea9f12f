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
# units, where there is a systemd to read them; the binaries need not be installed
if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  trap 'rm -rf "$units"' EXIT
  for unit in systemd/*.service; do
    sed 's#^ExecStart=/usr/bin/.*#ExecStart=/bin/true#' "$unit" >"$units/${unit##*/}"
  done
  said=$(systemd-analyze verify "$units"/*.service 2>&1) || die "systemd-analyze verify: $said"
  [ -z "$said" ] || die "systemd-analyze verify: $said"
fi
