#!/usr/bin/env python3
"""How the cost of a request grows: with connections, back ends, loops and workers.

    python3 benches/growth.py [--rounds 5] [--seconds 0.6] [--only connections,workers] [--markdown FILE|-]

Writes growth.json, growth.csv and a plot for each question, growth-*.svg; prints how much a request costs
at the most crowded point, compared with the first one that counts, and whether that keeps the bar.
Connections and back ends are measured in interleaved rounds: ratios are those of one round, and medians
are shown. How a point is measured, and why opening the connections is not counted: `compare/load.py`.
"""

import argparse
import csv
import json
import pathlib
import statistics

import plot
from compare import document, load, testbed

PATH = "/1k.txt"
BALANCERS = {
    "tcp": {"lb-async": "lb-async-tcp", "lb-threaded": "lb-threaded-tcp", "nginx": "nginx-stream", "HAProxy": "haproxy-tcp"},
    "http": {"lb-async": "lb-async-http", "lb-threaded": "lb-threaded-http", "nginx": "nginx-http", "HAProxy": "haproxy-http"},
}
CONNECTIONS = [1, 10, 100, 1000, 5000]
BACKENDS = [1, 10, 100, 1000]
LOOPS = [1, 2]
WORKERS = [8, 16, 32, 64, 128, 256]
# How many back ends there are where that is not the question, and how many clients ask at once.
USUAL_BACKENDS, KEPT, CLOSED = 5, 64, 100
# Requests a back end before the count begins: by then the balancers have connections to all of them.
WARM_UP = 10
# Descriptors a balancer needs besides two for each client.
SPARE_FILES = 500

TITLES = {
    "connections": ("kept connections", True),
    "backends": ("back ends", True),
    "loops": ("event loops (nginx: processes, HAProxy: threads)", False),
    "workers": ("workers of lb-threaded", True),
}
# From which point on a request may cost so many times as much at most.
BARS = {"connections": 10, "backends": 1}
BAR = 1.3


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    points = []
    with testbed.Testbed() as bed:
        where = testbed.machine()
        bench = Bench(bed, options)
        for question in options.only.split(","):
            for point in getattr(bench, question)():
                points.append({"question": question, **point})
                testbed.progress(" ".join(f"{key}={value}" for key, value in points[-1].items()))
                write(options.out, where, options.seconds, points)
    testbed.progress("")
    for path in draw(options.out, points):
        print(path)
    report = f"{bars(points)}\n\n{testbed.machine_sentence(where)}"
    print(report)
    if options.markdown:
        document.show(options.markdown, "growth", report)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of the questions that have bars")
    parser.add_argument("--seconds", type=float, default=0.6, help="of each point in each round")
    parser.add_argument("--only", default=",".join(TITLES), metavar="QUESTION,..", help="these questions only")
    parser.add_argument("--most", type=int, default=max(CONNECTIONS), help="no more connections than this")
    parser.add_argument("--out", type=pathlib.Path, default=testbed.PROJECT / "docs" / "performance")
    parser.add_argument("--markdown", metavar="FILE", help="puts the bars in their marked place of a document")
    return parser.parse_args()


class Bench:
    """One method a question; each gives its points one by one."""

    def __init__(self, bed, options):
        self.bed = bed
        self.seconds, self.rounds = options.seconds, options.rounds
        self.most = min(options.most, (bed.files - SPARE_FILES) // 2)
        self.ports = bed.start_backends("nginx", max(BACKENDS))

    def connections(self):
        for mode, targets in BALANCERS.items():
            programs = {name: self.bed.start_target(target, self.ports[:USUAL_BACKENDS]) for name, target in targets.items()}
            for number in range(self.rounds):
                for count in CONNECTIONS:
                    if count > self.most:
                        print(f"left out: {count} connections, for files and --most allow {self.most}")
                        continue
                    for name, program in programs.items():
                        yield {"mode": mode, "series": name, "x": count, "round": number, **self.kept(program, count)}
            for program in programs.values():
                self.bed.stop(program)

    def backends(self):
        for mode, targets in BALANCERS.items():
            for number in range(self.rounds):
                for count in BACKENDS:
                    for name, target in targets.items():
                        figures = self.alone(target, self.ports[:count])
                        yield {"mode": mode, "series": name, "x": count, "round": number, **figures}

    def loops(self):
        for mode, targets in BALANCERS.items():
            for name in ["lb-async", "nginx", "HAProxy"]:
                for count in LOOPS:
                    yield {"mode": mode, "series": name, "x": count, "round": 0, **self.alone(targets[name], LOOPS=count)}

    def workers(self):
        for mode in BALANCERS:
            target = BALANCERS[mode]["lb-threaded"]
            for count in WORKERS:
                for closed, series in [(False, f"{mode}, {KEPT} kept"), (True, f"{mode}, {CLOSED} closed")]:
                    figures = self.alone(target, closed=closed, WORKERS=count)
                    yield {"mode": mode, "series": series, "x": count, "round": 0, **figures}

    def alone(self, target, backends=None, closed=False, **parameters):
        """The figures of a program that is started for one point."""
        program = self.bed.start_target(target, backends or self.ports[:USUAL_BACKENDS], **parameters)
        try:
            if closed:
                return self.measured(program, "ab", CLOSED)
            return self.kept(program, KEPT, warm_up=WARM_UP * len(backends or []))
        finally:
            self.bed.stop(program)

    def kept(self, program, connections, warm_up=0):
        return self.measured(program, "wrk", connections, warm_up)

    def measured(self, program, tool, connections, warm_up=0):
        each = {"tool": tool, "connections": connections, "path": PATH, "warm_up": max(warm_up, 2 * connections)}
        body = load.expected(self.bed.folder / "public", each)
        if wrong := load.check(program, each, body):
            figures = load.failed(f"{program.name}: {wrong}")
        else:
            figures = load.measure(program, {**each, "length": len(body)}, self.seconds)
        # None if not one request came through: then there is no cost either, and `draw` leaves it out.
        return {"cpu_us": round(figures["cpu_us"] or 0, 2), "rate": round(figures["rate"]),
                "bad": figures["bad"] if load.is_bad([figures]) else 0}


def medians(points):
    """The cost at each point, of the rounds without bad responses."""
    costs = {}
    for point in points:
        if not point["bad"]:
            costs.setdefault((point["question"], point["mode"], point["series"], point["x"]), []).append(point["cpu_us"])
    return {key: statistics.median(values) for key, values in costs.items()}


def bars(points):
    """How much more a request costs where most is there than at the first point that counts."""
    rows = [["", "mode", "from", "to", "at most, to the first", "bar", ""], ["---", "---", "--:", "--:", "--:", "--:", "---"]]
    for question, first in BARS.items():
        for mode, targets in BALANCERS.items():
            for series in targets:
                own = [point for point in points if (point["question"], point["mode"], point["series"]) == (question, mode, series)]
                own = [point for point in own if point["x"] >= first]
                if not own:
                    continue
                last = max(point["x"] for point in own)
                row = [f"`{series}`" if series.startswith("lb-") else series, mode, f"{first:,}", f"{last:,} {TITLES[question][0]}"]
                rows.append(row + growth_cells(own, first, series.startswith("lb-")))
    return document.table(rows)


def growth_cells(points, first, is_ours):
    """The highest of the medians of a program's ratios, and the verdict if it is ours."""
    costs = {(point["round"], point["x"]): point["cpu_us"] for point in points if not point["bad"]}
    ratios = {}
    for (number, x), cost in costs.items():
        if x != first and costs.get((number, first)):
            ratios.setdefault(x, []).append(cost / costs[number, first])
    bad = sorted({point["x"] for point in points if point["bad"]})
    worst = max(((statistics.median(found), x, found) for x, found in ratios.items()), default=None)
    said = f"{worst[0]:.2f} ({min(worst[2]):.2f}–{max(worst[2]):.2f}) at {worst[1]:,}" if worst else "–"
    said += f"; bad responses at {', '.join(f'{x:,}' for x in bad)}" if bad else ""
    if not is_ours:
        return [said, "", ""]
    return [said, BAR, "met" if worst and round(worst[0], 2) <= BAR and not bad else "**missed**"]


def write(folder, where, seconds, points):
    saved = {"machine": where, "seconds": seconds, "points": points}
    (folder / "growth.json").write_text(json.dumps(saved, indent=1) + "\n")
    with open(folder / "growth.csv", "w", newline="") as file:
        table = csv.DictWriter(file, ["question", "mode", "series", "x", "round", "cpu_us", "rate", "bad"])
        table.writeheader()
        table.writerows(points)


def draw(folder, points):
    """One plot a question and mode; workers of both modes in one."""
    plots = {}
    # A point with bad responses says nothing about the cost of good ones.
    for (question, mode, series, x), cost in sorted(medians(points).items()):
        name = question if question == "workers" else f"{question}-{mode}"
        plots.setdefault(name, {}).setdefault(series, []).append((x, cost))
    for name, series in plots.items():
        question, _, mode = name.partition("-")
        x_label, logarithmic = TITLES[question]
        title = f"Cost of a request by {question.replace('backends', 'back ends')}" + (f", --mode {mode}" if mode else "")
        path = folder / f"growth-{name}.svg"
        y_label, order = "processor time a request, microseconds", BALANCERS.get(mode, [])
        path.write_text(plot.draw(title, x_label, y_label, series, logarithmic, order))
        yield path


if __name__ == "__main__":
    main()
