#!/usr/bin/env python3
"""What an idle connection costs in memory: ours, HAProxy's and nginx's.

    python3 benches/memory.py [--connections 10000] [--json FILE] [--markdown FILE|-]

Each program is warmed up, then gets that many clients; each asks once, is answered, and stays. What
its processes have grown by (PSS of all of them), divided by the clients, and what they take in all.
What the kernel holds for the sockets is the same for all and not in it. As many clients as the limit on
open files allows: a balancer of bytes has two sockets for each. About three minutes.
"""

import argparse
import contextlib
import json
import pathlib
import select
import socket
import ssl
import time

from compare import document, testbed

# What each of ours is measured against, by what it does for a connection.
KINDS = {
    "static files": (["web-threaded", "web-async"], ["nginx-static"]),
    "requests": (["proxy-threaded", "proxy-async", "lb-threaded-http", "lb-async-http"], ["haproxy-http", "nginx-http"]),
    "static files over TLS": (["web-threaded-tls", "web-async-tls"], ["nginx-static-tls"]),
    "requests over TLS": (["lb-threaded-http-tls", "lb-async-http-tls"], ["haproxy-http-tls", "nginx-http-tls"]),
    "bytes": (["lb-threaded-tcp", "lb-async-tcp"], ["haproxy-tcp", "nginx-stream"]),
}
REQUEST = b"GET /index.html HTTP/1.1\r\nHost: bench\r\n\r\n"
ANSWER_END = b"percobaan"
# Descriptors for listeners, logs, back ends of the HTTP modes and the like. Ours leave room for two
# sockets a client whatever they do, and some besides.
SPARE_FILES = 200
BAR = 1.0
# Clients from one address: the kernel has some 28,000 ports for each, and those of the last run rest a minute.
CLIENTS_PER_ADDRESS = 5000
# Every worker has had one by then, and few are there at once: places for many are what is measured.
WARM_UP_ROUNDS, WARM_UP_CLIENTS = 20, 10
# Handshakes take long, in Python, and what is left of each is the same from the first on.
MOST_OVER_TLS = 2000
# Clients beside those that are counted.
SPARE_CLIENTS = 20
# Neither side may end a connection by itself while the others are still being opened.
KEEP_ALIVE = "--keep-alive=10m"
# Linux has it since 4.2, Python's socket module since 3.12.
IP_BIND_ADDRESS_NO_PORT = 24
# One for all clients, and without the system's authorities: those take a megabyte each time.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


def main():
    options = arguments()
    if options.saved:
        results = json.loads(options.saved.read_text())
    else:
        results = run(options)
    print(report(results))
    if options.markdown:
        document.show(options.markdown, "memory", report(results))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--only", metavar="TARGET,..", help="these programs only")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="saves the figures")
    parser.add_argument("--from", dest="saved", type=pathlib.Path, metavar="FILE", help="shows saved figures")
    parser.add_argument("--markdown", metavar="FILE", help="puts the table in its marked place of a document")
    return parser.parse_args()


def run(options):
    with testbed.Testbed() as bed:
        most = min(options.connections, (bed.files - SPARE_FILES) // 2)
        results = {"machine": testbed.machine(), "growth": {}}
        ports = bed.start_backends("nginx")
        for target in testbed.wanted([name for kind in KINDS.values() for name in sum(kind, [])], options.only):
            count = min(most, MOST_OVER_TLS) if target.endswith("-tls") else most
            ours = target.startswith(("web-", "proxy-", "lb-"))
            more = [KEEP_ALIVE, f"--connections-max={count + SPARE_CLIENTS}"] if ours else []
            program = bed.start_target(target, ports, more=more, CONNECTIONS=count + SPARE_CLIENTS)
            results["growth"][target] = grown(program, count)
            bed.stop(program)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1) + "\n")
    return results


def grown(program, count):
    """Memory before and with so many idle clients."""
    for _ in range(WARM_UP_ROUNDS):
        with held(program, WARM_UP_CLIENTS):
            pass
    time.sleep(1)
    before = program.pss_bytes()
    with held(program, count) as clients:
        time.sleep(1)
        after = program.pss_bytes()
        alive = count - ended(clients)
        testbed.progress(f"{program.name}: {(after - before) / count:.0f} bytes a connection")
    return {"connections": count, "before": before, "after": after, "alive": alive, "each": (after - before) / count}


@contextlib.contextmanager
def held(program, count):
    """So many clients, each of which has asked once and been answered."""
    clients = []
    try:
        for number in range(count):
            client = socket.socket()
            clients.append(client)
            client.settimeout(10)
            client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((f"127.0.0.{2 + number // CLIENTS_PER_ADDRESS}", 0))
            client.connect((testbed.HOST, program.port))
            if program.name.endswith("-tls"):
                client = clients[-1] = encrypted(client)
            client.sendall(REQUEST)
            answer = b""
            while not answer.endswith(ANSWER_END):
                piece = client.recv(4096)
                if not piece:
                    raise ConnectionError(f"{program.name} closed client {number} after {answer!r}")
                answer += piece
        yield clients
    finally:
        for client in clients:
            client.close()


def encrypted(client):
    """The same connection over TLS."""
    return TLS.wrap_socket(client, server_hostname="localhost")


def ended(clients):
    """How many of them have been closed by the other side."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    return len(poll.poll(0))


def report(results):
    rows = [["", "clients", "a connection", "ours to theirs", "", "before all, MB", "with all, MB", "ours to theirs", "", "the better one of"],
            ["---", "--:", "--:", "--:", "---", "--:", "--:", "--:", "---", "---"]]
    growth = results["growth"]
    for ours, peers in KINDS.values():
        peers = [peer for peer in peers if peer in growth]
        for target in [*ours, *peers]:
            if target not in growth:
                continue
            own = growth[target]
            lost = own["connections"] - own["alive"]
            judged = target in ours and peers
            ratios = [verdict(own, [growth[peer] for peer in peers], key, lost) if judged else ["", ""] for key in ("each", "after")]
            rows.append([f"`{target}`", f"{own['connections']:,}" + (f" ({lost} were closed)" if lost else ""),
                         f"{own['each']:,.0f} bytes", *ratios[0], f"{own['before'] / 1e6:.1f}", f"{own['after'] / 1e6:.1f}",
                         *ratios[1], ", ".join(peers) if judged else ""])
    return "\n\n".join(["Idle connections, each of which has asked once. The bar is 1.0, for the growth and for the total.",
                        document.table(rows), testbed.machine_sentence(results["machine"])])


def verdict(own, peers, key, lost):
    """The ratio to the best of the peers, and whether it keeps the bar."""
    ratio = own[key] / min(peer[key] for peer in peers)
    return [f"{ratio:.2f}", "met" if round(ratio, 2) <= BAR and not lost else "**missed**"]


if __name__ == "__main__":
    main()
