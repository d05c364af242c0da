#!/usr/bin/env python3
"""Servers and balancers side by side on loopback: what a request costs each, and who keeps the bars.

    python3 benches/compare/compare.py GROUP [--rounds 5] [--seconds 0.6] [--json FILE] [--markdown FILE|-]
    python3 benches/compare/compare.py --from FILE --markdown FILE|-

All targets of a group run at the same time. In each round every load is put on each of them in turn
(A B C, then the next load, then the next round), so that a drift of the machine hits all of them alike.
What counts is processor time a request, user and system, of the target's own processes: the load tool
shares the processors, so requests a second say as much about the tool. Ratios are taken within a round,
and the median of the rounds is shown with the lowest and the highest. An opponent with more than one bad
response in a thousand is no opponent, and ours then keeps no bar.

`targets.json` holds groups, loads, targets and bars; `testbed.py` explains how targets are written and
`load.py` how loads are. A bar asks for a ratio for loads by name, and the first pattern that fits counts:
`against` names opponents, of which the best counts, `to_load` another load of the same program.
Needs Debian's nginx-light libnginx-mod-stream haproxy apache2 pen h2o lighttpd caddy apache2-utils wrk gcc
openssl, their services stopped, root (nginx and Apache become somebody else), and `cargo build --release`
before. What is not installed is left out.
"""

import argparse
import fnmatch
import json
import pathlib
import statistics
import sys

import document
import load
import testbed

# Of each load, unless it is to be `longer`: a request of the slowest takes some milliseconds, so even it has hundreds.
SECONDS = 0.6
# What a load takes besides (its tool's start and end, and its connections), as it was measured.
OVERHEAD_SECONDS = 0.17
OVERHEAD_PER_CONNECTION = 0.0001
START_SECONDS = 5


def main():
    options = arguments()
    if options.estimate:
        print(estimate(testbed.Testbed().data, options))
        return
    if options.saved:
        results = json.loads(pathlib.Path(options.saved).read_text())
    else:
        if not options.group:
            sys.exit("which group? " + " ".join(testbed.Testbed().data["groups"]))
        results = run(options)
    print(tables(results))
    if options.markdown:
        document.show(options.markdown, f"compare {results['group']}", tables(results))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="?", help="lb, static, crowd, tls, lb-python, whole-python, lb-logs, static-logs or status")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each load in each round, {SECONDS} by default")
    parser.add_argument("--only", metavar="TARGET,..", help="these targets only")
    parser.add_argument("--loads", metavar="LOAD,..", help="these loads only")
    parser.add_argument("--json", metavar="FILE", help="saves all figures of all rounds, after each round")
    parser.add_argument("--from", dest="saved", metavar="FILE", help="shows saved figures instead of measuring")
    parser.add_argument("--markdown", metavar="FILE", help="puts the tables in their marked place of a document")
    parser.add_argument("--estimate", action="store_true", help="prints how many seconds it would take, and does nothing")
    return parser.parse_args()


def run(options):
    with testbed.Testbed() as bed:
        group = group_of(bed.data, options.group)
        logs = group.get("logs", False)
        loads = {name: group["loads"][name] for name in testbed.wanted(group["loads"], options.loads)}
        results = {"group": options.group, "title": group["title"], "rounds": options.rounds, "logs": logs,
                   "seconds": options.seconds, "machine": testbed.machine(), "bars": group["bars"],
                   "slack": group.get("slack", 0), "loads": {name: {} for name in loads}}
        backends = bed.start_backends(group["backends"]) if "backends" in group else []
        programs = start_targets(bed, testbed.wanted(group["targets"], options.only), backends, logs)
        takers = {name: takers_of(bed, name, loads[name], programs, results) for name in loads}
        for number in range(options.rounds):
            for name, each in loads.items():
                for target, program in takers[name].items():
                    testbed.progress(f"round {number + 1} of {options.rounds}, {name}, {target}")
                    figures = load.measure(program, each, options.seconds * each.get("longer", 1))
                    results["loads"][name][target].append(figures)
            if options.json:
                pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    testbed.progress("")
    return results


def group_of(data, name):
    """A group; one that is like another has what that has, and its own besides."""
    group = data["groups"][name]
    return {**data["groups"][group["like"]], **group} if "like" in group else group


def start_targets(bed, names, backends, logs):
    """All that can be started; a peer that is not installed is left out, and said to be."""
    programs = {}
    for name in names:
        try:
            programs[name] = bed.start_target(name, backends, logs)
        except (OSError, RuntimeError) as error:
            print(f"left out: {error}", file=sys.stderr)
    return programs


def takes(entry, name):
    """Whether a load is for a target: for most, all are."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in entry.get("loads", ["*"]))


def takers_of(bed, name, each, programs, results):
    """The programs that a load is for and that respond to it rightly; those that do not are marked in the results."""
    body = load.expected(bed.folder / "public", each)
    each["length"] = None if body is None else len(body)
    takers = {}
    for target, program in programs.items():
        if not takes(bed.data["targets"][target], name):
            continue
        if wrong := load.check(program, each, body):
            results["loads"][name][target] = [load.failed(f"{target} is left out of {name}: {wrong}")]
        else:
            takers[target] = program
            results["loads"][name][target] = []
    return takers


def estimate(data, options):
    """Seconds that a group takes with these rounds."""
    group = group_of(data, options.group)
    total = START_SECONDS
    for name, each in group["loads"].items():
        count = sum(takes(data["targets"][target], name) for target in group["targets"])
        overhead = OVERHEAD_SECONDS + OVERHEAD_PER_CONNECTION * each["connections"]
        total += options.rounds * count * (options.seconds * each.get("longer", 1) + overhead)
    return round(total)


# What is shown: Markdown, which is also readable on a terminal.

def tables(results):
    parts = [f"### {results['title']}", *bars(results), f"Processor time a request, microseconds (user and"
             f" system); memory (PSS) after the last load, MB. Median of {results['rounds']} rounds.",
             figures_table(results, "cpu_us", "{:.1f}", memory=True), "Requests a second.",
             figures_table(results, "rate", "{:,.0f}"), "The slowest but one in a hundred, milliseconds.",
             figures_table(results, "p99_ms", "{:.1f}"), testbed.machine_sentence(results["machine"])]
    return "\n\n".join(parts)


def figures_table(results, key, form, memory=False):
    loads = results["loads"]
    targets = list(dict.fromkeys(target for figures in loads.values() for target in figures))
    rows = [["", *loads, *(["memory"] if memory else [])], ["---", *["--:" for _ in loads], *(["--:"] if memory else [])]]
    for target in targets:
        row = [f"`{target}`"]
        for figures in loads.values():
            value, bad = median(figures.get(target, []), key), count_bad(figures.get(target, []))
            row.append(("–" if value is None else form.format(value)) + (f" ({bad} bad)" if bad else ""))
        if memory:
            last = [figures[target] for figures in loads.values() if target in figures][-1]
            size = median(last, "pss_bytes")
            row.append(f"{size / 1e6:.1f}" if size else "–")
        rows.append(row)
    return document.table(rows)


def bars(results):
    """The table of the bars, and how many of them are met."""
    late = any("p99" in bar for bar in results["bars"])
    rows = [["ours", "load", "the best of", "processor time, ours to theirs", "bar", "", "requests a second",
             *(["the slowest but one in a hundred", "bar", ""] if late else [])],
            ["---", "---", "---", "--:", "--:", "---", "--:", *(["--:", "--:", "---"] if late else [])]]
    for bar in results["bars"]:
        for name in results["loads"]:
            asked, asked_late = (asked_for(bar.get(kind, {}), name) for kind in ("cpu", "p99"))
            if (asked, asked_late) == (None, None):
                continue
            ours, theirs, label = sides(bar, name, results["loads"])
            cells = [*verdict(ours, theirs, "cpu_us", asked, results.get("slack", 0)), compared(ours, theirs, "rate")]
            if late:
                cells += verdict(ours, theirs, "p99_ms", asked_late, 0)
            if ours and theirs:
                rows.append([f"`{bar['ours']}`", name, label, *cells])
    met, missed = (sum(row.count(word) for row in rows) for word in ("met", "**missed**"))
    return [document.table(rows), f"{met} of {met + missed} bars are met."] if met + missed else [document.table(rows)]


def asked_for(patterns, name):
    """What is asked for a load: a number, "shown" for a ratio without a bar, or nothing."""
    return next((asked for pattern, asked in patterns.items() if fnmatch.fnmatchcase(name, pattern)), None)


def sides(bar, name, loads):
    """The rounds of ours and those of each opponent that responded rightly, and what they are called."""
    ours = loads[name].get(bar["ours"], [])
    if "to_load" in bar:
        theirs, label = [loads.get(bar["to_load"], {}).get(bar["ours"], [])], f"itself at {bar['to_load']}"
    else:
        theirs, label = [loads[name].get(target, []) for target in bar["against"]], ", ".join(bar["against"])
    return ours, [rounds for rounds in theirs if rounds and not load.is_bad(rounds)], label


def verdict(ours, theirs, key, asked, slack):
    """Our ratio to the best opponent, what is asked, and whether that is met."""
    if asked is None:
        return "", "", ""
    shown = compared(ours, theirs, key)
    if asked == "shown":
        return shown, "", ""
    asked = round(asked + slack, 2)
    ratios = ratios_of(ours, theirs, key)
    is_met = ratios and not load.is_bad(ours) and round(statistics.median(ratios), 2) <= asked
    return shown, asked, "met" if is_met else "**missed**"


def compared(ours, theirs, key):
    ratios = ratios_of(ours, theirs, key)
    if load.is_bad(ours) or not ratios:
        return "bad responses"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def ratios_of(ours, theirs, key):
    """Ours to the best of theirs, round by round. More is better for requests a second only."""
    theirs = [rounds for rounds in theirs if median(rounds, key)]
    if not theirs:
        return []
    best = (max if key == "rate" else min)(theirs, key=lambda rounds: median(rounds, key))
    return [our[key] / their[key] for our, their in zip(ours, best) if our[key] is not None and their[key]]


def median(rounds, key):
    values = [figures[key] for figures in rounds if figures.get(key) is not None]
    return statistics.median(values) if values else None


def count_bad(rounds):
    return sum(figures["bad"] for figures in rounds)


if __name__ == "__main__":
    main()
