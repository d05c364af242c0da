"""One load on one program: what a request costs it, and whether the responses are right.

A load is data (`targets.json`): a tool, so many connections at once, a path, perhaps a `range` of it.

    ab        a connection a request; with `keepalive` its connections stay
    wrk       connections that stay
    resumed   handshakes that take up an earlier TLS session (`resumed.py`)

`ab` and `wrk` run until they are told to end, and what counts is a window within their run. It begins when
all connections have been opened and used, since the opening of two thousand costs as much as many thousand
kept requests. How many requests it had is asked of the kernel: both tools send a request by one system call
and write nothing else meanwhile, and /proc/PID/io counts those calls.

The responses are checked twice. `check` asks once and compares every byte. Under load `ab` looks at status
and length of each response, `wrk` at the status (400 and above); what `wrk` has read in all must fit the length.
"""

import http.client
import json
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# The longest wait for the window to begin: some programs never take all connections.
SETTLE_SECONDS = 4
# Longer than any window: the tools are told to end.
LONGEST_SECONDS = 300
# For a tool to write its report, and for the answers to a check.
REPORT_SECONDS = 30
# Bad responses among all that are forgiven (and shown): `ab` on a busy
# machine has seen one exception, as it calls it, in some hundred thousand closed connections with 100 kB.
BAD_SHARE = 0.001
# More than any head of a response here, in bytes.
HEAD_MOST = 1000
# wrk says what it has read with three digits or more.
WRK_ROUNDING = 0.01


def measure(program, load, seconds):
    """Drives one load through one program for so many seconds: its figures, and what it cost the program."""
    way = measure_resumed if load["tool"] == "resumed" else measure_whole if is_handshakes(load) else measure_window
    try:
        figures = way(program, load, seconds)
    except (OSError, ValueError, TypeError, AttributeError, subprocess.TimeoutExpired) as error:
        figures = failed(f"{program.name}: {error}")
    figures["pss_bytes"] = program.pss_bytes()
    program.cut_logs()
    return figures


def measure_window(program, load, seconds):
    """The figures of a window that begins when all connections are there."""
    command = command_of(load, program)
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    before = after = None
    try:
        settle(client, load.get("warm_up", 2 * load["connections"]))
        before = requests_sent(client), program.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        after = requests_sent(client), program.cpu_seconds(), time.monotonic()
    except OSError:
        pass  # it has ended, and so /proc does not have it
    finally:
        has_ended = client.poll() is not None
        report = end(client)
    if has_ended or not after:
        raise ValueError(f"{' '.join(command)} gave up: {report[-300:]}")
    done, spent, took = (late - early for early, late in zip(before, after))
    read = read_wrk if load["tool"] == "wrk" else read_ab
    return {"rate": done / took, "done": done, "cpu_us": spent * 1e6 / done if done else None, **read(report, load)}


def measure_whole(program, load, seconds):
    """The figures of a whole run, where writes do not tell requests: a handshake needs several."""
    before = program.cpu_seconds()
    client = subprocess.Popen(command_of(load, program), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        time.sleep(seconds)
    finally:
        report = end(client)
    spent, done = program.cpu_seconds() - before, completed(report)
    return {"rate": number(r"Requests per second:\s+([\d.]+)", report), "done": done,
            "cpu_us": spent * 1e6 / done if done else None, **read_ab(report, load)}


def measure_resumed(program, load, seconds):
    """The same with a tool of our own, which ends by itself."""
    before = program.cpu_seconds()
    command = [sys.executable, str(HERE / "resumed.py"), str(seconds), str(load["connections"]), url_of(load, program)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds + REPORT_SECONDS)
    figures, spent = json.loads(ran.stdout), program.cpu_seconds() - before
    return {**figures, "cpu_us": spent * 1e6 / figures["done"] if figures["done"] else None}


def is_handshakes(load):
    return load["tool"] == "ab" and load.get("tls", False) and not load.get("keepalive", False)


def failed(why):
    print(why, file=sys.stderr)
    return {"rate": 0.0, "done": 0, "bad": 1, "p99_ms": None, "cpu_us": None}


def is_bad(rounds):
    """Whether so many responses of these rounds were bad that the cost of the others says nothing."""
    bad, done = (sum(figures[key] for figures in rounds) for key in ("bad", "done"))
    return bad > BAD_SHARE * done


def url_of(load, program):
    return f"{'https' if load.get('tls') else 'http'}://{program.host}:{program.port}{load['path']}"


def command_of(load, program):
    connections, url = str(load["connections"]), url_of(load, program)
    header = ["-H", f"Range: bytes={load['range'][0]}-{load['range'][1]}"] if "range" in load else []
    if load["tool"] == "wrk":
        return ["wrk", "-t1", "-c", connections, f"-d{LONGEST_SECONDS}s", "--latency", "--timeout=10s", *header, url]
    keep = ["-k"] if load.get("keepalive") else []
    return ["ab", "-q", *keep, "-t", str(LONGEST_SECONDS), "-n", "10000000", "-c", connections, *header, url]


def settle(client, requests):
    """Waits until so many requests have been sent: two a connection, unless the load asks for more."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until and client.poll() is None and requests_sent(client) < requests:
        time.sleep(0.02)
    time.sleep(0.1)


def requests_sent(client):
    """The system calls by which a tool has written something."""
    return int(re.search(r"syscw: (\d+)", pathlib.Path(f"/proc/{client.pid}/io").read_text())[1])


def end(client):
    """Tells a tool to end: it then reports what it has."""
    client.send_signal(signal.SIGINT)
    try:
        return client.communicate(timeout=REPORT_SECONDS)[0]
    except subprocess.TimeoutExpired:
        client.kill()
        return client.communicate()[0]


def number(pattern, report):
    """The figure behind a label; 0 for a line that is only there when there is something to tell."""
    found = re.search(pattern, report)
    return float(found[1]) if found else 0.0


def completed(report):
    return int(re.search(r"Complete requests:\s+(\d+)", report)[1])


def read_ab(report, load):
    """Bad responses, and the slowest but one in a hundred, of the whole run."""
    bad = int(number(r"Failed requests:\s+(\d+)", report) + number(r"Non-2xx responses:\s+(\d+)", report))
    done = completed(report)
    # One for each connection that was not kept is no fault: servers end one after some hundred requests.
    if load.get("keepalive") and number(r"Keep-Alive requests:\s+(\d+)", report) < 0.9 * done:
        bad = done
    return {"bad": bad, "p99_ms": number(r"\n\s+99%\s+(\d+)", report)}


def read_wrk(report, load):
    late, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", report).groups()
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", report)
    bad = int(number(r"Non-2xx or 3xx responses: (\d+)", report)) + (sum(map(int, errors.groups())) if errors else 0)
    if (length := load.get("length")) is not None:
        done, size, power = re.search(r"(\d+) requests in [\d.]+\w+, ([\d.]+)([KMG]?)B read", report).groups()
        each = float(size) * 1024 ** " KMG".index(power or " ") / max(1, int(done))
        # Of the last response of each connection a part has come, at most.
        most = length + HEAD_MOST + load["connections"] * (length + HEAD_MOST) / max(1, int(done))
        if not length * (1 - WRK_ROUNDING) <= each <= most * (1 + WRK_ROUNDING):
            bad = max(bad, int(done), 1)
    return {"bad": bad, "p99_ms": float(late) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]}


def expected(site, load):
    """The bytes that a response to this load has as its body; None for a page that is no file."""
    path = site / load["path"].lstrip("/")
    if not path.is_file():
        return None
    first, last = load.get("range", (0, None))
    return path.read_bytes()[first:None if last is None else last + 1]


def check(program, load, body):
    """Asks once: what is wrong with the response, or nothing."""
    headers = {"Range": "bytes={}-{}".format(*load["range"])} if "range" in load else {}
    try:
        if load.get("tls"):
            unverified = ssl._create_unverified_context()
            client = http.client.HTTPSConnection(program.host, program.port, timeout=REPORT_SECONDS, context=unverified)
        else:
            client = http.client.HTTPConnection(program.host, program.port, timeout=REPORT_SECONDS)
        client.request("GET", load["path"], headers=headers)
        response = client.getresponse()
        received = response.read()
        client.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{load['path']}: {error!r}"
    if response.status != (206 if headers else 200):
        return f"{load['path']}: status {response.status}"
    if body is not None and received != body:
        return f"{load['path']}: {len(received)} bytes that are not the {len(body)} of the file"
    return None
