#!/usr/bin/env bash
# How long `cargo build --release --bin suite` takes from an empty target folder, as a Markdown table:
#
#   benches/build_time.sh
#
# The folder is a new one in target/, and gone afterwards. What cargo has to download is there before the clock runs.
set -euo pipefail
cd "$(dirname "$0")/.."
bar=60 # seconds, on two processors
mkdir -p target
folder=$(mktemp -d target/build-time-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cargo fetch --locked >&2
begun=$(date +%s%N)
CARGO_TARGET_DIR=$folder cargo build --release --bin suite --locked 2>&1 | tee "$folder/said" >&2
tenths=$((($(date +%s%N) - begun) / 100000000))
if ((tenths <= bar * 10)); then verdict=met; else verdict='**missed**'; fi
cat <<END
| \`cargo build --release --bin suite\` | crates | seconds | bar | |
| --- | --: | --: | --: | --- |
| from an empty target folder | $(grep -c Compiling "$folder/said") | $((tenths / 10)).$((tenths % 10)) | $bar | $verdict |

$(nproc) processors, $(rustc --version), load average $(cut -d' ' -f1 /proc/loadavg) after; commit $(git rev-parse --short HEAD), $(date '+%Y-%m-%d %H:%M').
END
