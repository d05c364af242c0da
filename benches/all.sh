#!/usr/bin/env bash
# Everything that docs/performance.md shows, measured anew on this machine and put into its places:
#
#   benches/all.sh [ROUNDS]      about an hour and a half with 5 rounds, the default
#   benches/all.sh --quick       a few minutes, into target/quick/: shows that all of it runs, and nothing else
#
# Nothing else should run meanwhile. As root, on Debian; the programs that are needed and not there:
#   apt-get install nginx-light libnginx-mod-stream haproxy apache2 pen apache2-utils wrk gcc openssl python3
# and their services stopped (`service nginx stop` and so on). Figures are saved in docs/performance/.
set -euo pipefail
cd "$(dirname "$0")/.."
document=docs/performance.md
figures=docs/performance
compare=(--rounds "${1:-5}")
growth=()
memory=()
core=(--warm-up-time 1 --measurement-time 2)
if [[ ${1:-} == --quick ]]; then
    figures=target/quick
    mkdir -p "$figures"
    cp "$document" "$figures/"
    document=$figures/performance.md
    compare=(--rounds 1 --requests 100 --seconds 1)
    growth=(--seconds 0.2 --most 100)
    memory=(--connections 500)
    core=(--warm-up-time 0.1 --measurement-time 0.1 --sample-size 10)
fi
mkdir -p "$figures"

# PROGRAMS names a folder with our binaries, for those who have built them elsewhere.
[[ -n ${PROGRAMS:-} ]] || cargo build --release --locked
for group in lb static tls lb-logs static-logs lb-python whole-python; do
    python3 benches/compare/compare.py "$group" "${compare[@]}" --json "$figures/$group.json" --markdown "$document"
done
python3 benches/growth.py "${growth[@]}" --out "$figures"
python3 benches/memory.py "${memory[@]}" --json "$figures/memory.json" --markdown "$document"

cargo bench --locked --bench core -- "${core[@]}"
python3 benches/core_table.py | python3 benches/compare/document.py "$document" core
# It fails if a warm request allocates; the table is wanted all the same.
cargo bench --locked --bench allocations >"$figures/allocations.md" || status=$?
python3 benches/compare/document.py "$document" allocations <"$figures/allocations.md"
exit "${status:-0}"
