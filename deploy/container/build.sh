#!/usr/bin/env bash
# The image: build.sh [NAME], giliran:0.1.0 if no other name is given. It needs podman, docker or buildah.
set -euo pipefail
cd "$(dirname "$0")/../.."

name=${1:-giliran:0.1.0}
target=$(uname -m)-unknown-linux-gnu
RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --bin giliran --target "$target"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
install -m 755 "${CARGO_TARGET_DIR:-target}/$target/release/giliran" "$context/giliran"
for engine in podman docker buildah; do
    if command -v "$engine" >/dev/null; then
        "$engine" build --tag "$name" --file deploy/container/Containerfile "$context"
        exit
    fi
done
printf 'build.sh: podman, docker or buildah is needed\n' >&2
exit 1
