"""Handshakes that take up an earlier TLS session, with one request on each connection:

    python3 resumed.py SECONDS THREADS URL

Prints what `load.py` wants to know, as JSON. The other tools of the bench never take up a session.
"""

import json
import socket
import ssl
import sys
import threading
import time
import urllib.parse


def main():
    seconds, threads, url = float(sys.argv[1]), int(sys.argv[2]), urllib.parse.urlsplit(sys.argv[3])
    clients = [Client(url, seconds) for _ in range(threads)]
    began = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    took = time.monotonic() - began
    times = sorted(took for client in clients for took in client.times)
    done = len(times)
    late = 1000 * times[min(done - 1, done * 99 // 100)] if times else None
    bad = sum(client.bad for client in clients)
    print(json.dumps({"rate": done / took, "done": done, "bad": bad, "p99_ms": late}))


class Client(threading.Thread):
    """One connection after the other; each takes up the session of the one before."""

    def __init__(self, url, seconds):
        super().__init__()
        self.url, self.seconds, self.times, self.bad = url, seconds, [], 0
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.session = None

    def run(self):
        self.request()  # the first one has no session to take up, and is not counted
        self.times.clear()
        self.bad = 0
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            self.request()

    def request(self):
        began = time.monotonic()
        with socket.create_connection((self.url.hostname, self.url.port)) as plain:
            with self.context.wrap_socket(plain, server_hostname="localhost", session=self.session) as secure:
                head = f"GET {self.url.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                secure.sendall(head.encode())
                response = b""
                while piece := secure.recv(65536):
                    response += piece
                if not response.startswith(b"HTTP/1.1 200") or (self.session and not secure.session_reused):
                    self.bad += 1
                self.session = secure.session
        self.times.append(time.monotonic() - began)


main()
