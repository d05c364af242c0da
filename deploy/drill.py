#!/usr/bin/env python3
"""The drill: three balancers, clients that try the next one, and one balancer that is stopped in the middle.

    deploy/drill.py [--seconds 6] [--clients 24] [--model async|threaded] [--binaries target/release]

The balancers listen on 127.0.0.1, 127.0.0.2 and 127.0.0.3, as three machines behind one name, before the same two web
servers. Each client has all three addresses and a connection that it keeps. A GET that gets no response goes to the next
address; a POST does so only if nothing of it was sent, since nobody can know what became of it. An address that failed is
left alone for a while. Every run is bounded: --seconds, and REQUESTS_MAX a client.

One run for each way to stop: SIGKILL (the process dies, its machine says so), SIGTERM with a lame duck and a drain (as a
service manager does it), SIGSTOP (nothing is said any more, as by a machine without power or a cable that is cut).
Exits with 1 if a GET is lost.
"""

import argparse
import contextlib
import http.client
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
TIMEOUT = 1.0  # seconds that a client waits for a connection or a response, before it goes to the next address
AVOIDED = 10.0  # seconds that an address is left alone after a failure
REQUESTS_MAX = 100_000  # a client: a bound if something responds too fast
WAYS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGSTOP": signal.SIGSTOP}
BODY = b"x" * 64


class Client(threading.Thread):
    """Sends one request after another, of which one in five is a POST."""

    def __init__(self, port, until, number):
        super().__init__()
        self.port, self.until, self.random = port, until, random.Random(number)
        # As names with several addresses are used: each client begins with another one.
        self.hosts = HOSTS[number % len(HOSTS) :] + HOSTS[: number % len(HOSTS)]
        self.connection, self.host, self.avoided = None, None, {}
        self.counts = {"GET": 0, "POST": 0, "retried": 0, "GET lost": 0, "POST lost": 0}
        self.longest = 0.0

    def run(self):
        while time.monotonic() < self.until and self.counts["GET"] + self.counts["POST"] < REQUESTS_MAX:
            method = "POST" if self.random.randrange(5) == 0 else "GET"
            begun = time.monotonic()
            responded = self.request(method)
            self.counts[method] += 1
            self.counts[f"{method} lost"] += not responded
            if responded:
                self.longest = max(self.longest, time.monotonic() - begun)

    def request(self, method):
        """True if it was responded to, by the first address or by another."""
        for attempt in range(len(HOSTS) + 1):
            self.counts["retried"] += attempt == 1
            was_sent = False
            try:
                connection = self.connected()
                was_sent = True
                # Some take a while, so that some are in flight whenever a balancer stops.
                target = "/?delay=50ms" if method == "POST" or self.random.randrange(4) == 0 else "/"
                connection.request(method, target, body=BODY if method == "POST" else None)
                response = connection.getresponse()
                response.read()
                if response.will_close:
                    self.hang_up()
                if response.status == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            self.avoided[self.host] = time.monotonic() + AVOIDED
            self.hang_up()
            if was_sent and method == "POST":
                return False
        return False

    def connected(self):
        if not self.connection:
            now = time.monotonic()
            self.host = min(self.hosts, key=lambda host: self.avoided.get(host, 0) > now)
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
            self.connection.connect()
        return self.connection

    def hang_up(self):
        if self.connection:
            self.connection.close()
        self.connection = None


@contextlib.contextmanager
def role(*command):
    """One of our programs, when it listens; gives the process and its port."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            sys.exit(f"drill: {command[0]} does not listen")
        yield process, int(line.rsplit(":", 1)[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def free_port():
    """A port that is free on all three addresses."""
    for _ in range(100):
        with contextlib.ExitStack() as sockets:
            first = sockets.enter_context(socket.create_server((HOSTS[0], 0)))
            port = first.getsockname()[1]
            try:
                [sockets.enter_context(socket.create_server((host, port))) for host in HOSTS[1:]]
                return port
            except OSError:
                continue
    sys.exit("drill: no port is free on 127.0.0.1, 127.0.0.2 and 127.0.0.3")


def run(way, options):
    """One run; gives its counts, and what the balancer that was stopped took to end."""
    program = options.binaries / f"lb-{options.model}"
    with contextlib.ExitStack() as roles:
        backends = []
        for _ in range(2):
            _, port = roles.enter_context(role(options.binaries / "web-server", "--listen=127.0.0.1:0", "--model=async", f"--root={options.root}"))
            backends += ["--backend", f"127.0.0.1:{port}"]
        port = free_port()
        flags = ["--mode=http", "--lame-duck=1s", "--drain=2s", "--log=off", *backends]
        balancers = [roles.enter_context(role(program, f"--listen={host}:{port}", *flags))[0] for host in HOSTS]
        clients = [Client(port, time.monotonic() + options.seconds, number) for number in range(options.clients)]
        [client.start() for client in clients]
        time.sleep(options.seconds / 4)
        balancers[0].send_signal(WAYS[way])
        begun = time.monotonic()
        if way == "SIGTERM" and balancers[0].wait(30) != 0:
            sys.exit(f"drill: the balancer ended with status {balancers[0].returncode}")
        ended = time.monotonic() - begun
        [client.join() for client in clients]
    counts = {key: sum(client.counts[key] for client in clients) for key in clients[0].counts}
    return counts, max(client.longest for client in clients), ended


def main():
    here = pathlib.Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6, help="how long each run takes (default 6)")
    parser.add_argument("--clients", type=int, default=24, help="clients at a time (default 24)")
    parser.add_argument("--model", choices=["async", "threaded"], default="async", help="the balancers' model (default async)")
    parser.add_argument("--binaries", type=pathlib.Path, default=here / "target/release", help="where the programs are")
    parser.add_argument("--root", type=pathlib.Path, default=here / "public", help="what the web servers serve")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="how the balancer is stopped")
    options = parser.parse_args()
    if not 1 <= options.seconds <= 60 or not 1 <= options.clients <= 64:
        parser.error("--seconds is from 1 to 60, and --clients from 1 to 64")
    print(f"{len(HOSTS)} balancers ({options.model}), {options.clients} clients, {options.seconds:g} s a run; one balancer is stopped after {options.seconds / 4:g} s")
    print(f"{'stopped by':<11}{'GET':>8}{'retried':>9}{'lost':>6}{'POST':>8}{'lost':>6}{'longest wait':>15}")
    lost = 0
    for way in options.ways:
        counts, longest, ended = run(way, options)
        note = f"   ended after {ended:.1f} s, with status 0" if way == "SIGTERM" else ""
        print(f"{way:<11}{counts['GET']:>8}{counts['retried']:>9}{counts['GET lost']:>6}{counts['POST']:>8}{counts['POST lost']:>6}{longest * 1000:>12.0f} ms{note}", flush=True)
        lost += counts["GET lost"]
    sys.exit(1 if lost else 0)


main()
