#!/usr/bin/env bash
# Changes the rules one small thing at a time and shows which changes no unit test notices:
#
#   benches/mutants.sh                          all of src/protocol and src/balance: about two hours
#   benches/mutants.sh --shard 0/8              an eighth of the mutants; 0/8 to 7/8 are all of them
#   benches/mutants.sh --file 'src/protocol/relay/**' [--shard …]
#                                               only these files
#
# A mutant that survives is either a test that is missing or no change at all; those that are none are
# listed with their reasons in benches/mutants-equivalent.md. The tests are the unit tests of the two
# rooms: what only a black-box test notices takes too long to find.
#
# The two rooms use nothing of the rest, and their tests only the site. So they are copied into a crate of their
# own, with the dependencies that they use and without binaries. There a mutant costs 2 s of a processor to build and
# 2 s for the tests, all 2,184 of them some two hours on two processors; in the whole crate it was ten hours.
# Nothing in the project changes. cargo-mutants is installed into TOOLS if it is not there (a folder outside the
# project; default: the user's cache). The copy and the results are in OUT, by default below target/.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/giliran-tools}
out=${OUT:-target/mutants}

# The tests run for seconds. A mutant that makes a loop endless is found by this limit, in seconds.
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

# The crate of the two rooms. It is written anew each time: a run that was interrupted leaves a mutant in it.
crate=$out/crate
rm -rf "${crate:?}/src"
mkdir -p "$crate/src/net"
cp -r src/protocol src/balance src/site "$crate/src/"
# What the site uses of `net`: files that need nothing else of that room.
for module in $(grep -rhoE 'crate::net::[a-z_]+' src/site | sed 's/.*:://' | sort -u); do
    cp -r src/net/"$module"* "$crate/src/net/"
    echo "pub(crate) mod $module;"
done >"$crate/src/net/mod.rs"
echo '#![allow(warnings)] pub mod balance; pub mod protocol; pub mod site; mod net;' >"$crate/src/lib.rs"
cp Cargo.lock "$crate/"
{
    sed -n '/^\[package\]/,/^rust-version/p' Cargo.toml
    echo '[workspace]'
    for section in dependencies dev-dependencies; do
        echo "[$section]"
        sed -n "/^\[$section\]/,/^$/p" Cargo.toml | while IFS= read -r line; do
            name=${line%% *}
            if [[ $line == *=* ]] && grep -rqw "${name//-/_}" "$crate/src"; then echo "$line"; fi
        done
    done
    # Each of the two thousand builds is shorter without debug information, and nobody reads a backtrace of it.
    # The dependencies are built once.
    printf '[profile.dev]\ndebug = 0\n[profile.dev.package."*"]\nopt-level = 2\n'
} >"$crate/Cargo.toml"

# A property that fails shows its mutant: a smaller example would take longer than all other tests. And it must
# not be written down, since then the next mutants would be tried with it.
export PROPTEST_CASES=64 PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
status=0
nice -n 19 cargo mutants --dir "$crate" --in-place "${files[@]}" "${rest[@]}" --no-shuffle --cargo-arg=--lib \
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
