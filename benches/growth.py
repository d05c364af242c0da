#!/usr/bin/env python3
"""How the cost of a request grows: with connections, back ends, loops and workers.

    python3 benches/growth.py [--seconds 2] [--only connections,workers] [--out docs/performance]

Writes growth.json, growth.csv and a plot for each question, growth-*.svg. About six minutes with two
seconds a point. On kept connections only what happens after all of them are connected is
counted: wrk begins, they settle, and then the back ends' own counts of requests and the balancer's
processor time are read, and read again after that many seconds.
"""

import argparse
import csv
import json
import pathlib
import signal
import subprocess
import time
import urllib.request

import plot
from compare import testbed

PATH = "/index.html"
BALANCERS = {
    "tcp": {"lb-async": "lb-async-tcp", "lb-threaded": "lb-threaded-tcp", "nginx": "nginx-stream", "HAProxy": "haproxy-tcp"},
    "http": {"lb-async": "lb-async-http", "lb-threaded": "lb-threaded-http", "nginx": "nginx-http", "HAProxy": "haproxy-http"},
}
CONNECTIONS = [1, 10, 100, 1000, 5000]
BACKENDS = [1, 2, 3, 4, 5]
LOOPS = [1, 2]
WORKERS = [8, 16, 32, 64, 128, 256]
# How many clients ask at once where that is not the question.
KEPT, CLOSED = 64, 100
# Descriptors a balancer needs besides two for each client.
SPARE_FILES = 500

TITLES = {
    "connections": ("kept connections", True),
    "backends": ("back ends", False),
    "loops": ("event loops (nginx: processes, HAProxy: threads)", False),
    "workers": ("workers of lb-threaded", True),
}


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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="of each point")
    parser.add_argument("--only", default=",".join(TITLES), metavar="QUESTION,..", help="these questions only")
    parser.add_argument("--most", type=int, default=CONNECTIONS[-1], help="no more connections than this")
    parser.add_argument("--out", type=pathlib.Path, default=testbed.PROJECT / "docs" / "performance")
    return parser.parse_args()


class Bench:
    """One method a question; each gives its points one by one."""

    def __init__(self, bed, options):
        self.bed = bed
        self.seconds = options.seconds
        self.most = min(options.most, (bed.files - SPARE_FILES) // 2)
        self.ports = bed.start_backends("nginx")

    def connections(self):
        for mode, targets in BALANCERS.items():
            programs = {name: self.bed.start_target(target, self.ports) for name, target in targets.items()}
            for count in CONNECTIONS:
                if count > self.most:
                    print(f"left out: {count} connections, for files and --most allow {self.most}")
                    continue
                for name, program in programs.items():
                    yield {"mode": mode, "series": name, "x": count, **self.kept(program, count)}
            for program in programs.values():
                self.bed.stop(program)

    def backends(self):
        for mode, targets in BALANCERS.items():
            for name, target in targets.items():
                for count in BACKENDS:
                    yield {"mode": mode, "series": name, "x": count, **self.alone(target, self.ports[:count])}

    def loops(self):
        for mode, targets in BALANCERS.items():
            for name in ["lb-async", "nginx", "HAProxy"]:
                for count in LOOPS:
                    yield {"mode": mode, "series": name, "x": count, **self.alone(targets[name], LOOPS=count)}

    def workers(self):
        for mode in BALANCERS:
            for count in WORKERS:
                figures = self.alone(BALANCERS[mode]["lb-threaded"], WORKERS=count)
                yield {"mode": mode, "series": f"{mode}, {KEPT} kept", "x": count, **figures}
                figures = self.alone(BALANCERS[mode]["lb-threaded"], closed=True, WORKERS=count)
                yield {"mode": mode, "series": f"{mode}, {CLOSED} closed", "x": count, **figures}

    def alone(self, target, backends=None, closed=False, **parameters):
        """The figures of a program that is started for one point."""
        program = self.bed.start_target(target, backends or self.ports, **parameters)
        try:
            return self.closed(program) if closed else self.kept(program, KEPT)
        finally:
            self.bed.stop(program)

    def closed(self, program):
        load = {"tool": "ab", "connections": CLOSED, "path": PATH}
        figures = testbed.measure(program, load, seconds=max(1, round(self.seconds)))
        # None if not one request came through: then there is no cost either, and `draw` leaves it out.
        spent = round(figures["cpu_us"] or 0, 2)
        return {"cpu_us": spent, "rate": round(figures["rate"]), "bad": figures["bad"]}

    def kept(self, program, connections):
        """Processor time a request while so many connections are asking."""
        # Longer than is needed: it is told to end when enough was seen.
        url = f"http://{testbed.HOST}:{program.port}{PATH}"
        command = ["wrk", "-t1", f"-c{connections}", "-d60s", "--latency", "--timeout=10s", url]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            time.sleep(0.5 + connections / 2000)
            before = self.requests(), program.cpu_seconds(), time.monotonic()
            time.sleep(self.seconds)
            after = self.requests(), program.cpu_seconds(), time.monotonic()
        finally:
            client.send_signal(signal.SIGINT)  # wrk then reports what it has
            report, _ = client.communicate(timeout=30)
        requests, spent, seconds = (late - early for early, late in zip(before, after))
        bad = testbed.read_wrk(report)["bad"]
        return {"cpu_us": round(spent * 1e6 / max(1, requests), 2), "rate": round(requests / seconds), "bad": bad}

    def requests(self):
        """How many requests the back ends have answered so far, all together."""
        with urllib.request.urlopen(f"http://{testbed.HOST}:{self.ports[0]}/status") as status:
            return int(status.read().split()[9])


def write(folder, where, seconds, points):
    saved = {"machine": where, "seconds": seconds, "points": points}
    (folder / "growth.json").write_text(json.dumps(saved, indent=1) + "\n")
    with open(folder / "growth.csv", "w", newline="") as file:
        table = csv.DictWriter(file, ["question", "mode", "series", "x", "cpu_us", "rate", "bad"])
        table.writeheader()
        table.writerows(points)


def draw(folder, points):
    """One plot a question and mode; workers of both modes in one."""
    plots = {}
    for point in points:
        name = point["question"] if point["question"] == "workers" else f"{point['question']}-{point['mode']}"
        # A point with bad answers says nothing about the cost of good ones.
        if not point["bad"]:
            plots.setdefault(name, {}).setdefault(point["series"], []).append((point["x"], point["cpu_us"]))
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
