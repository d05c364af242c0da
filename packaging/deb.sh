#!/usr/bin/env bash
# Builds the .deb of `giliran`, and prints its path: deb.sh [BINARY]. Without BINARY the release build is made first.
#
# What is in it stands once, in [package.metadata.deb] of Cargo.toml. cargo-deb reads that if it is installed
# (cargo install cargo-deb); otherwise pack_deb.py here reads the same lists and calls dpkg-deb.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

binary=${1:-}
if [[ -z $binary ]]; then
    cargo build --release --locked --bin giliran >&2
    binary=$target/release/giliran
fi
# The lists name the files where cargo-deb looks for them.
parts=target/packaging
rm -rf "$parts"
mkdir -p "$parts"
install -m 755 "$binary" "$parts/giliran"
strip --strip-debug "$parts/giliran" 2>/dev/null || true
"$parts/giliran" man "$parts/man"
for shell in bash zsh fish; do
    "$parts/giliran" completions "$shell" >"$parts/giliran.$shell"
done
gzip --best --no-name "$parts"/man/*.1

if [[ -z ${1:-} ]] && cargo deb --version >/dev/null 2>&1; then
    cargo deb --no-build --no-strip --output "$parts/" >&2
else
    python3 packaging/pack_deb.py "$parts" >&2
fi
ls "$parts"/*.deb
