#!/usr/bin/env bash
# Speaks to the programs with clients, servers and attackers that nobody here wrote.
#
#   integration/foreign/run.sh            all of it
#   integration/foreign/run.sh test_curl  one file
#
# The Python packages go into a temporary folder; the programs are Debian packages: `.ci/run` names them.
set -euo pipefail
cd "$(dirname "$0")"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
(cd ../.. && cargo build --quiet --locked --bins)
exec_dir=$(cd ../.. && cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug
BINARIES=$exec_dir PATH="$folder/venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 python -m unittest --verbose "$@"
