#!/usr/bin/env bash
# The course's experiment: Apache Bench with 10,000 requests at concurrency 2, 5 and 10 against a
# balancer in front of 1 to 5 web servers of the same model. Prints a Markdown table.
#
#   cargo build --release
#   docs/grid.sh threaded|async [balancer flags, such as --mode http]
#
# Takes free ports, leaves nothing running, and fails if a request was not answered 200 or the web
# servers' own counts differ by more than one: of connections, or of requests with `--mode http`.
# (ab opens a few connections more than it needs and drops them; they are counted too.)
# Health checks are off, because they would be counted. Needs ab (Debian: apache2-utils).
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:?threaded or async}
shift
requests=${REQUESTS:-10000}
counted='connection from'
[[ " $* " == *' http '* ]] && counted=' closed '
work=$(mktemp -d)
started=()
failed=0

stop() {
    ((${#started[@]} == 0)) || kill "${started[@]}" 2>/dev/null || true
    wait
    started=()
}
trap 'stop; rm -r "$work"' EXIT

# start NAME PROGRAM ARGS..: runs it on a free port, and sets $address once it can be reached.
start() {
    local name=$1 program=$2
    mkfifo "$work/$name.said"
    "target/release/$program" --listen 127.0.0.1:0 --log-file "$work/$name.log" "${@:3}" >"$work/$name.said" &
    started+=($!)
    read -r _ _ address <"$work/$name.said"
}

# number LABEL: the number behind a label of ab's report, 0 if it is not there.
number() { awk -v label="$1:" 'index($0, label) == 1 { print $(split(label, words, " ") + 1); found = 1; exit } END { if (!found) print 0 }' "$work/ab"; }

echo "| back ends | concurrency | complete | failed | non-2xx | requests/s | ms a request | taken by each back end |"
echo "|---|---|---|---|---|---|---|---|"
for count in 1 2 3 4 5; do
    backends=()
    for ((number = 1; number <= count; number++)); do
        start "server-$number" web-server --model "$model"
        backends+=(--backend "$address")
    done
    start balancer "lb-$model" --health-interval off "${backends[@]}" "$@"
    asked=0
    for concurrency in 2 5 10; do
        ab -q -n "$requests" -c "$concurrency" "http://$address/" >"$work/ab" 2>&1 || failed=1
        asked=$((asked + requests))
        # The log is written by a thread of its own, a moment later than the response.
        each=()
        for ((try = 0; try < 50; try++)); do
            each=()
            for ((number = 1; number <= count; number++)); do
                each+=("$(grep -c "$counted" "$work/server-$number.log" || true)")
            done
            ((asked <= $(IFS=+; echo "${each[*]}"))) && break
            sleep 0.1
        done
        sorted=($(printf '%s\n' "${each[@]}" | sort -n))
        complete=$(number 'Complete requests') bad=$(number 'Failed requests') other=$(number 'Non-2xx responses')
        rate=$(number 'Requests per second')
        mean=$(awk '/across all concurrent/ { print $4 }' "$work/ab")
        echo "| $count | $concurrency | $complete | $bad | $other | $rate | $mean | ${each[*]} |"
        if ((complete != requests || bad != 0 || other != 0 || sorted[-1] - sorted[0] > 1 || asked > $(IFS=+; echo "${each[*]}"))); then
            failed=1
        fi
    done
    stop
    rm -f "$work"/*
done
exit $failed
