#!/usr/bin/env python3
"""How long `suite` takes from the start of its process to a whole response of each of its roles.

    python3 benches/startup.py [--starts 20] [--json FILE] [--markdown FILE|-]

It is started again and again, once beforehand: that tells the addresses, and has its file read from the
disk. Meanwhile every role is asked in turn, again after a refusal, until it has responded with 200; so the
time of a role is at most what it needed, and that of the last one is what counts. It includes the making of the
process, a millisecond or two. The median of the starts is shown, with the shortest and the longest.
"""

import argparse
import contextlib
import http.client
import json
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import time
import urllib.parse

from compare import document, testbed

MODELS = ["threaded", "async"]
BAR_MS = 100
# The roles have ports within so many from the first one.
BLOCK = 100
# Whatever takes longer has failed.
MOST_SECONDS = 10
# Between two attempts at the roles that have not responded yet.
PAUSE_SECONDS = 0.0005
# The table of addresses ends with this word.
READY = "ready"


def main():
    options = arguments()
    results = json.loads(options.saved.read_text()) if options.saved else run(options)
    print(report(results))
    if options.markdown:
        document.show(options.markdown, "startup", report(results))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="saves the figures")
    parser.add_argument("--from", dest="saved", type=pathlib.Path, metavar="FILE", help="shows saved figures")
    parser.add_argument("--markdown", metavar="FILE", help="puts the table in its marked place of a document")
    return parser.parse_args()


def run(options):
    base = free_block()
    results = {"machine": testbed.machine(), "models": {}}
    for model in MODELS:
        roles = addresses(model, base)
        starts = []
        for number in range(options.starts):
            testbed.progress(f"{model}: start {number + 1} of {options.starts}")
            with suite(model, base) as (process, began):
                starts.append(times(roles, process, began))
        results["models"][model] = starts
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    testbed.progress("")
    return results


def free_block():
    """The first of so many ports in a row that nobody listens on."""
    for base in range(testbed.FIRST_PORT, 32_000, BLOCK):
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(base, base + BLOCK):
                probe = probes.enter_context(socket.socket())
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((testbed.HOST, port))
            return base
    raise SystemExit(f"no {BLOCK} free ports in a row")


@contextlib.contextmanager
def suite(model, base):
    """The suite, and when its process was made; it is gone afterwards."""
    command = [testbed.PROGRAMS / "suite", f"--model={model}", f"--port-base={base}", "--log=off"]
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=testbed.PROJECT)
    try:
        yield process, began
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=testbed.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def addresses(model, base):
    """What to ask of each role, as its table says: a name to an address and a path."""
    roles = {}
    with suite(model, base) as (process, _):
        for line in process.stdout:
            if found := re.match(r"(\S+) .*curl (http://\S+)", line):
                url = urllib.parse.urlsplit(found[2])
                roles[f"{found[1]} {url.port}"] = (url.hostname, url.port, url.path)
            if line.startswith(READY):
                break
    return roles


def times(roles, process, began):
    """Milliseconds from the start to a whole response of each role."""
    took, pending = {}, dict(roles)
    while pending:
        if process.poll() is not None or time.monotonic() - began > MOST_SECONDS:
            raise SystemExit(f"suite: no response within {MOST_SECONDS} s of {', '.join(pending)}")
        for role, place in list(pending.items()):
            if responds(*place):
                took[role] = (time.monotonic() - began) * 1000
                del pending[role]
        time.sleep(PAUSE_SECONDS)
    return took


def responds(host, port, path):
    client = http.client.HTTPConnection(host, port, timeout=MOST_SECONDS)
    try:
        client.request("GET", path, headers={"Connection": "close"})
        response = client.getresponse()
        response.read()
        return response.status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def report(results):
    rows = [["`suite --model`", "starts", "first role, ms", "last role, ms", "bar", ""], ["---", "--:", "--:", "--:", "--:", "---"]]
    for model, starts in results["models"].items():
        first, last = ([choose(start.values()) for start in starts] for choose in (min, max))
        is_met = round(statistics.median(last)) <= BAR_MS
        rows.append([model, len(starts), shown(first), shown(last), BAR_MS, "met" if is_met else "**missed**"])
    return f"{document.table(rows)}\n\n{testbed.machine_sentence(results['machine'])}"


def shown(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
