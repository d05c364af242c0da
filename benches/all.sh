#!/usr/bin/env bash
# Everything that docs/performance.md shows, measured anew on this machine and put into its places:
#
#   benches/all.sh [ROUNDS]      about an hour and a half with the 5 rounds that are the default
#
# Nothing else should run meanwhile. As root, on Debian; the programs that are needed and not there:
#   apt-get install nginx-light libnginx-mod-stream haproxy apache2 pen apache2-utils wrk gcc python3
# and their services stopped (`service nginx stop` and so on). Figures are saved in docs/performance/.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
document=docs/performance.md
figures=docs/performance
mkdir -p "$figures"

cargo build --release --locked
for group in lb static lb-logs static-logs lb-python whole-python; do
    python3 benches/compare/compare.py "$group" --rounds "$rounds" --json "$figures/$group.json" --markdown "$document"
done
python3 benches/growth.py --out "$figures"
python3 benches/memory.py --json "$figures/memory.json" --markdown "$document"

# Short, and long enough: a second of warm-up and two of measuring for each bench.
cargo bench --locked --bench core -- --warm-up-time 1 --measurement-time 2
python3 benches/core_table.py | python3 benches/compare/document.py "$document" core
# It fails if a warm request allocates; the table is wanted all the same.
cargo bench --locked --bench allocations >target/allocations.txt || status=$?
python3 benches/compare/document.py "$document" allocations <target/allocations.txt
exit "${status:-0}"
