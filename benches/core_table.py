#!/usr/bin/env python3
"""Criterion's estimates of the last `cargo bench --bench core`, as a Markdown table.

    python3 benches/core_table.py [FOLDER]      FOLDER is target/criterion by default
"""

import json
import pathlib
import sys

from compare import document, testbed


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else testbed.PROJECT / "target" / "criterion"
    rows = [["bench", "median", "95 % of it lies in", "bytes or turns a second"], ["---", "--:", "---", "--:"]]
    for path in sorted(folder.glob("**/new/benchmark.json"), key=order):
        bench = json.loads(path.read_text())
        median = json.loads((path.parent / "estimates.json").read_text())["median"]
        bounds = median["confidence_interval"]
        low, high = time(bounds["lower_bound"]), time(bounds["upper_bound"])
        rate = throughput(bench["throughput"], median["point_estimate"])
        rows.append([f"`{bench['full_id']}`", time(median["point_estimate"]), f"{low} – {high}", rate])
    if len(rows) == 2:
        sys.exit(f"{folder} has no estimates: cargo bench --bench core")
    print(document.table(rows))


def order(path):
    """Names with numbers in them by their numbers: 2 before 10."""
    parts = path.parent.parent.parts
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def time(nanoseconds):
    for unit, size in [("ms", 1e6), ("µs", 1e3), ("ns", 1)]:
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.2g} ns"


def throughput(each, nanoseconds):
    if not each:
        return ""
    kind, count = next(iter(each.items()))
    rate = count * 1e9 / nanoseconds
    return f"{rate / 1e9:.2f} GB" if kind == "Bytes" else f"{rate / 1e6:.1f} million"


if __name__ == "__main__":
    main()
