#!/usr/bin/env python3
"""The system calls of one request, in both drivers: what `docs/side-by-side.md` shows.

    cargo build
    python3 benches/calls.py [target/debug] [--trace DIR]

Each program runs under `strace -f` from its start, with its log off and no health checks. Three requests
are made of it, and the calls that end while one of them is under way are counted:

- *fresh*: a connection that asks once with `Connection: close`, after a second in which nobody came;
- *busy*: the same, 50 ms after the last of ten such clients;
- *kept*: the second request of a connection, 0.7 s after the first.

Waits that end because their time is over (an `accept4` that finds nobody) are left out.
`--trace DIR` keeps the lines of each request. Linux only; needs strace.
"""
import argparse
import collections
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Process, time, name and result; with `-T` the time that the call took stands behind it.
LINE = re.compile(r"^\d+ +(\d+\.\d+) (<\.\.\. )?(\w+)(?:\(| resumed).* = (.*) <(\d+\.\d+)>$")
# Results of a wait whose time is over.
OVER = {"accept4": "-1 EAGAIN", "read": "-1 EAGAIN", "epoll_wait": "0", "ppoll": "0 (Timeout)", "futex": "-1 ETIMEDOUT"}
# A debug build asks of each descriptor whether it is open before it closes it; a release build does not.
DEBUG_ONLY = "fcntl"
ORDER = ["accept4", "epoll_wait", "epoll_ctl", "futex", "read", "recvfrom", "ppoll", "socket", "setsockopt", "connect",
         "sendto", "sendmsg", "openat2", "statx", "sendfile", "pipe2", "splice", "shutdown", "write", "close"]


def start(program, *flags, trace=None):
    """A program on a free port, under strace if `trace` names a file; returns it and its address."""
    command = [str(program), "--listen", "127.0.0.1:0", "--log", "off", *flags]
    if trace:
        command = ["strace", "-f", "-ttt", "-T", "-o", str(trace), "-s", "40", *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    host, port = process.stdout.readline().split()[-1].rsplit(":", 1)
    return process, (host, int(port))


def stop(process):
    """Ends a program. strace passes no signal on: what it started is told."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for each in children or [process.pid]:
        os.kill(int(each), signal.SIGTERM)
    process.wait(20)


def ask(connection, close):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"Connection: close\r\n" if close else b"") + b"\r\n")
    received = b""
    while close or b"\r\n\r\n" not in received or len(received.split(b"\r\n\r\n", 1)[1]) < length(received):
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    assert received.startswith(b"HTTP/1.1 200"), received


def length(response):
    return int(re.search(rb"(?i)content-length: (\d+)", response).group(1))


def window(request):
    """Makes a request and returns the time from its beginning to a moment after its end."""
    begun = time.time()
    request()
    time.sleep(0.02)
    return begun, time.time()


def measure(address):
    """The three windows of time, by name."""
    def fresh():
        with socket.create_connection(address) as connection:
            ask(connection, close=True)

    fresh()  # Whatever is made once is made now.
    time.sleep(1.2)
    windows = {"fresh": window(fresh)}
    for _ in range(10):
        fresh()
        time.sleep(0.05)
    windows["busy"] = window(fresh)
    with socket.create_connection(address) as connection:
        ask(connection, close=False)
        time.sleep(0.7)  # Its worker has parked it and gone to sleep by then.
        windows["kept"] = window(lambda: ask(connection, close=False))
    return windows


def calls(trace, begun, ended):
    """The name and the line of each call that ended in this time."""
    for line in trace.read_text().splitlines():
        found = LINE.match(line)
        if not found:
            continue
        stamp, resumed, name, result, took = found.groups()
        # A line has the time at which the call began; one that strace had to write in two parts that of its end.
        end = float(stamp) + (0 if resumed else float(took))
        is_over = name in OVER and result.startswith(OVER[name]) and (name != "epoll_wait" or result == "0")
        if begun <= end <= ended and name != DEBUG_ONLY and not is_over:
            yield name, line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="?", default="target/debug", type=pathlib.Path)
    parser.add_argument("--trace", type=pathlib.Path, help="keep the lines of each request in this folder")
    arguments = parser.parse_args()
    backend, backend_address = start(arguments.programs / "web-server")
    to = ["--backend", "%s:%d" % backend_address, "--health-interval", "off"]
    rows = {
        "web-server": [("web-server", ["--model", model]) for model in ("threaded", "async")],
        "balancer, --mode tcp": [(f"lb-{model}", ["--mode", "tcp", *to]) for model in ("threaded", "async")],
        "balancer, --mode http": [(f"lb-{model}", ["--mode", "http", *to]) for model in ("threaded", "async")],
    }
    with tempfile.TemporaryDirectory() as work:
        for title, (threaded, asynchronous) in rows.items():
            counts = {}
            for model, (program, flags) in (("threaded", threaded), ("async", asynchronous)):
                trace = pathlib.Path(work) / f"{model}.strace"
                if model == "async":
                    flags = [*flags, "--loops", "1"]
                process, address = start(arguments.programs / program, *flags, trace=trace)
                windows = measure(address)
                stop(process)
                for name, (begun, ended) in windows.items():
                    made = list(calls(trace, begun, ended))
                    counts[model, name] = collections.Counter(call for call, _ in made)
                    if arguments.trace:
                        arguments.trace.mkdir(parents=True, exist_ok=True)
                        path = arguments.trace / f"{title.split()[-1]}-{model}-{name}.txt"
                        path.write_text("".join(line + "\n" for _, line in made))
            columns = [(model, name) for model in ("threaded", "async") for name in ("fresh", "busy", "kept")]
            print(f"\n### {title}\n")
            print("| call | " + " | ".join(f"{model}, {name}" for model, name in columns) + " |")
            print("|---" * (len(columns) + 1) + "|")
            seen = set().union(*counts.values())
            for call in sorted(seen, key=lambda call: (ORDER + sorted(seen)).index(call)):
                print(f"| `{call}` | " + " | ".join(str(counts[c][call] or "") for c in columns) + " |")
            print("| **all** | " + " | ".join(f"**{sum(counts[c].values())}**" for c in columns) + " |")
    stop(backend)


if __name__ == "__main__":
    sys.exit(main())
