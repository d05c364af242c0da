#!/usr/bin/env bash
# What is in this folder, tried: the units under a systemd of their own, the manifests against their schemas and on running
# roles, the image, the compose file, logrotate, keepalived's file, and the drill in short.
#
#   deploy/test.sh              all of it
#   deploy/test.sh test_machine one file of deploy/tests
#
# The Python packages go into a temporary folder; the programs are Debian packages: `.ci/run` names them.
set -euo pipefail
cd "$(dirname "$0")"

missing() {
    [[ ${CI:-} == true ]] && { printf 'deploy: %s (with CI=true that is a failure)\n' "$*" >&2; exit 1; }
    printf 'deploy: skipped: %s\n' "$*"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# They are 17,000 small files, and so are fetched while the programs are built and the units are tried.
{
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --requirement tests/requirements.txt
} &
packages=$!

target=$(cd .. && cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
# The image's program, linked statically; then the one that everybody else uses again.
(cd .. && cargo rustc --quiet --locked --bin giliran -- -C target-feature=+crt-static)
cp "$target/debug/giliran" "$work/giliran-static"
(cd .. && cargo build --quiet --locked --bins)

if (($# == 0)); then
    if command -v systemd-analyze >/dev/null; then
        # The program that the units name is not installed here, so it is put where they look for it.
        mkdir -p "$work/units"
        for unit in systemd/*.{service,socket}; do
            sed "s|/usr/bin/giliran|$target/debug/giliran|" "$unit" >"$work/units/$(basename "$unit")"
        done
        systemd-analyze verify --man=no "$work/units/giliran@.service" "$work"/units/*.socket
        systemd-analyze security --offline=yes "$work/units/giliran@.service" | tail -n 1
    else
        missing "systemd-analyze is missing (Debian package systemd)"
    fi
    systemd/try.sh "$target/debug/giliran"
fi

wait "$packages"
cd tests
BINARIES=$target/debug STATIC=$work/giliran-static PATH="$work/venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 \
    python -m unittest --verbose "$@"
