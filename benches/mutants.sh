#!/usr/bin/env bash
# Changes the rules one small thing at a time and shows which changes no unit test notices:
#
#   benches/mutants.sh                          all of src/protocol and src/balance: some hours
#   benches/mutants.sh --shard 0/8              every eighth mutant; 0/8 to 7/8 are all of them
#   benches/mutants.sh --file 'src/protocol/relay/**' [--shard …]
#                                               only these files
#
# A mutant that survives is either a test that is missing or no change at all; those that are none are
# listed with their reasons in benches/mutants-equivalent.md. The tests are the unit tests of the two
# rooms: what only a black-box test notices takes too long to find.
# The project is copied; nothing in it changes. cargo-mutants is installed into TOOLS if it is not there
# (a folder outside the project; default: the user's cache). Results go to OUT, by default below target/.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/giliran-tools}
out=${OUT:-target/mutants}

# A test runs for seconds. A mutant that makes a loop endless is found by this limit, in seconds.
test_limit=60
build_limit=600

files=()
rest=()
while (($#)); do
    case $1 in
        --file) files+=(--file "$2"); shift 2 ;;
        --shard) rest+=(--shard "$2"); shift 2 ;;
        *) echo "usage: $0 [--shard K/N] [--file GLOB]..." >&2; exit 2 ;;
    esac
done
((${#files[@]})) || files=(--file 'src/protocol/**' --file 'src/balance/**')

export PATH=$tools/bin:$PATH
if ! command -v cargo-mutants >/dev/null; then
    nice cargo install cargo-mutants --locked --root "$tools"
fi
mkdir -p "$out"
# Without debug information each of the thousand builds is shorter, and nobody reads a backtrace of it.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
status=0
# `--cargo-arg=--lib`: else each mutant would build the binaries and the black-box tests too.
nice -n 19 cargo mutants "${files[@]}" "${rest[@]}" --jobs 1 --no-shuffle --cargo-arg=--lib \
    --timeout "$test_limit" --build-timeout "$build_limit" --output "$out" \
    -- -- protocol:: balance:: || status=$?

survivors=$out/mutants.out/missed.txt
if [[ -s $survivors ]]; then
    echo "survivors that benches/mutants-equivalent.md does not list:"
    # A line and a column move with every edit: a mutant is known by its file and by what it changes.
    sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' "$survivors" | grep -vxFf <(sed -nE 's/^- `(.*)`.*/\1/p' benches/mutants-equivalent.md) \
        || { echo none; exit 0; }
fi
# 2: mutants survived; 3: a mutant ran out of time, which is noticed, too.
exit $((status == 3 ? 0 : status))
