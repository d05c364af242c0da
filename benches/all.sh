#!/usr/bin/env bash
# Everything that docs/performance.md shows, measured anew on this machine and put into its places:
#
#   benches/all.sh               an hour or a little less; it says at its start how long
#   benches/all.sh --quick       some minutes, into target/quick/: shows that all of it runs, and nothing else
#
#   ROUNDS=5                     rounds of each group; their medians are shown
#   SECONDS_A_LOAD=0.6           of each load in each round
#   PARTS="lb static memory"     these parts only, of those listed below
#   PROGRAMS=DIR                 our binaries, built elsewhere
#
# Nothing else should run meanwhile. As root, on Debian; the programs that are needed and not there:
#   apt-get install nginx-light libnginx-mod-stream haproxy apache2 pen h2o lighttpd caddy apache2-utils wrk gcc openssl python3
# and their services stopped (`service nginx stop` and so on). Figures are saved in docs/performance/.
# A part that fails does not stop the others; it is named at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
document=docs/performance.md
figures=docs/performance
rounds=${ROUNDS:-5}
seconds=${SECONDS_A_LOAD:-0.6}
growth=()
memory=()
starts=20
core=(--warm-up-time 0.5 --measurement-time 1)
groups="lb static crowd tls lb-logs static-logs lb-python whole-python"
parts=${PARTS:-$groups growth memory startup core allocations build}
if [[ ${1:-} == --quick ]]; then
    figures=target/quick
    mkdir -p "$figures"
    cp "$document" "$figures/"
    document=$figures/performance.md
    rounds=1
    seconds=0.2
    growth=(--most 100)
    memory=(--connections 500)
    starts=2
    core=(--warm-up-time 0.1 --measurement-time 0.1 --sample-size 10)
    # Three minutes in which nothing is tried but cargo.
    parts=${PARTS:-${parts% build}}
elif [[ $# -gt 0 ]]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"
    exit 2
fi
mkdir -p "$figures"

# Seconds that a part takes; of those that are no groups, as they were measured on two processors.
estimate() {
    case $1 in
        growth) python3 -c "print(round($rounds * 72 * ($seconds + 0.45) + 36 * ($seconds + 0.4)))" ;;
        memory) echo 130 ;;
        startup) echo 10 ;;
        core) echo 200 ;;
        allocations) echo 40 ;;
        build) echo 170 ;;
        *) python3 benches/compare/compare.py "$1" --rounds "$rounds" --seconds "$seconds" --estimate ;;
    esac
}

put() { python3 benches/compare/document.py "$document" "$1"; }

measure() {
    case $1 in
        growth)
            python3 benches/growth.py --rounds "$rounds" --seconds "$seconds" "${growth[@]}" --out "$figures" --markdown "$document" ;;
        memory) python3 benches/memory.py "${memory[@]}" --json "$figures/memory.json" --markdown "$document" ;;
        startup) python3 benches/startup.py --starts "$starts" --json "$figures/startup.json" --markdown "$document" ;;
        build) benches/build_time.sh | put build ;;
        core)
            cargo bench --locked --bench core -- "${core[@]}" && python3 benches/core_table.py | put core ;;
        allocations)
            # It fails if a warm request allocates; the table is wanted all the same.
            cargo bench --locked --bench allocations >"$figures/allocations.md"
            local status=$?
            put allocations <"$figures/allocations.md"
            return $status ;;
        *)
            python3 benches/compare/compare.py "$1" --rounds "$rounds" --seconds "$seconds" \
                --json "$figures/$1.json" --markdown "$document" ;;
    esac
}

total=0
for part in $parts; do
    takes=$(estimate "$part") || exit 2
    printf '%-14s about %4.1f minutes\n' "$part" "$(python3 -c "print($takes / 60)")"
    total=$((total + takes))
done
echo "all together   about $((total / 60)) minutes from $(date +%H:%M), besides the building of the programs"

if [[ -z ${PROGRAMS:-} ]]; then
    cargo build --release --locked || exit 1
fi
failed=()
for part in $parts; do
    begun=$SECONDS
    measure "$part" || failed+=("$part")
    echo "$part took $((SECONDS - begun)) s"
done
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
