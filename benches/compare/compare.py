#!/usr/bin/env python3
"""Servers and balancers side by side on loopback: what a request costs each, and who keeps the bars.

    python3 benches/compare/compare.py GROUP [--rounds 5] [--json FILE] [--markdown FILE|-]
    python3 benches/compare/compare.py --from FILE --markdown FILE|-

All targets of a group run at the same time and are driven in turn, round after round (A B C A B C),
so that a drift of the machine hits all of them alike. What counts is processor time a request, user
and system, of the target's own processes: the load tool shares the processors, so requests a second
say as much about the tool. Ratios are taken within a round, and the median of the rounds is shown
with the lowest and the highest. An opponent with bad answers is no opponent.

`targets.json` holds groups, loads, targets and bars; `testbed.py` explains how targets are written.
Needs Debian's nginx-light libnginx-mod-stream haproxy apache2 pen apache2-utils wrk gcc openssl, their services
stopped, root (nginx and Apache become somebody else), and `cargo build --release` before.
"""

import argparse
import json
import pathlib
import statistics
import sys

import document
import testbed


def main():
    options = arguments()
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
    parser.add_argument("group", nargs="?", help="lb, static, tls, lb-python, whole-python, lb-logs, static-logs or status")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", metavar="TARGET,..", help="these targets only")
    parser.add_argument("--loads", metavar="LOAD,..", help="these loads only")
    parser.add_argument("--requests", type=int, help="of each round of ab, instead of what targets.json says")
    parser.add_argument("--seconds", type=int, help="of each round of wrk, likewise")
    parser.add_argument("--json", metavar="FILE", help="saves all figures of all rounds, after each load")
    parser.add_argument("--from", dest="saved", metavar="FILE", help="shows saved figures instead of measuring")
    parser.add_argument("--markdown", metavar="FILE", help="puts the tables in their marked place of a document")
    return parser.parse_args()


def run(options):
    with testbed.Testbed() as bed:
        group = group_of(bed.data, options.group)
        logs = group.get("logs", False)
        results = {"group": options.group, "title": group["title"], "rounds": options.rounds, "logs": logs,
                   "machine": testbed.machine(), "bars": group["bars"], "loads": {}}
        backends = bed.start_backends(group["backends"]) if "backends" in group else []
        programs = start_targets(bed, testbed.wanted(group["targets"], options.only), backends, logs)
        for name, load in group["loads"].items():
            if name not in testbed.wanted(group["loads"], options.loads):
                continue
            takes = {program: bed.data["targets"][program].get("loads", [name]) for program in programs}
            taking = {target: program for target, program in programs.items() if name in takes[target]}
            results["loads"][name] = run_load(name, load, taking, options)
            if options.json:
                pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
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


def run_load(name, load, programs, options):
    figures = {target: [] for target in programs}
    # Caches, kept connections and threads are there before the count begins.
    for program in programs.values():
        testbed.drive({**load, "tool": "ab"}, program.port, requests=200)
    for number in range(options.rounds):
        for target, program in programs.items():
            testbed.progress(f"{name}: round {number + 1} of {options.rounds}, {target}")
            measured = testbed.measure(program, load, requests=options.requests, seconds=options.seconds)
            figures[target].append(measured)
    testbed.progress("")
    return figures


# What is shown: Markdown, which is also readable on a terminal.

def tables(results):
    parts = [f"### {results['title']}", bars_table(results), f"Processor time a request, microseconds (user and"
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
            row.append(f"{median(last, 'pss_bytes') / 1e6:.1f}")
        rows.append(row)
    return document.table(rows)


def bars_table(results):
    rows = [["ours", "load", "the best of", "processor time, ours to theirs", "bar", "", "requests a second", "bar", ""],
            ["---", "---", "---", "--:", "--:", "---", "--:", "--:", "---"]]
    for bar in results["bars"]:
        for load, figures in results["loads"].items():
            most = bar["cpu"].get(load, bar["cpu"].get("*"))
            cells = [*verdict(bar, figures, "cpu_us", most), *verdict(bar, figures, "rate", bar["rate"])]
            if any(cells) and (most is not None or not bar["cpu"]):
                rows.append([f"`{bar['ours']}`", load, ", ".join(bar["against"]), *cells])
    return document.table(rows)


def verdict(bar, figures, key, asked):
    """Our ratio to the best opponent, what is asked, and whether that is met."""
    ours = figures.get(bar["ours"], [])
    theirs = [figures[name] for name in bar["against"] if figures.get(name) and not count_bad(figures[name])]
    theirs = [rounds for rounds in theirs if median(rounds, key)]
    if asked is None or not ours or not theirs:
        return "", "", ""
    best = min(theirs, key=lambda rounds: median(rounds, key) * (1 if key == "cpu_us" else -1))
    ratios = [our[key] / their[key] for our, their in zip(ours, best) if our[key] is not None and their[key]]
    if count_bad(ours) or not ratios:
        return "bad answers", asked, "**missed**"
    ratio = statistics.median(ratios)
    is_met = round(ratio, 2) <= asked if key == "cpu_us" else round(ratio, 2) >= asked
    return f"{ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f})", asked, "met" if is_met else "**missed**"


def median(rounds, key):
    values = [figures[key] for figures in rounds if figures[key] is not None]
    return statistics.median(values) if values else None


def count_bad(rounds):
    return sum(figures["bad"] for figures in rounds)


if __name__ == "__main__":
    main()
