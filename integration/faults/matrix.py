#!/usr/bin/env python3
"""What a client sees of each fault, and after how long: both drivers, HAProxy and nginx side by side.

    python3 integration/faults/matrix.py                   prints the table
    python3 integration/faults/matrix.py --write           writes it to docs/faults.md
    python3 integration/faults/matrix.py --only silent     rows whose name holds a word

Needs nothing but the standard library, `cargo build --release --bins`, and for the two right
columns the Debian packages `haproxy` and `nginx-light`. Every timeout of every program is one
second, so that the whole table takes about two minutes. Each cell has a program of its own, on a
free port of the loopback interface; nothing outlives the run.
"""

import argparse
import concurrent.futures
import contextlib
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_MAX = 6  # seconds: six times what any of the programs was told
COLUMNS = ["threaded", "async", "HAProxy", "nginx"]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: gema\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: gema\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsatu"


# ---------------------------------------------------------------------------------- back ends


class Backend:
    """Runs a script on each connection, on a thread of its own, and records what it was sent."""

    def __init__(self, script, backlog=128):
        self.script, self.seen, self.open = script, [], []
        self.ended = threading.Event()  # a script has seen the end of its connection, or has come to its own
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                visit, _ = self.listener.accept()
                self.open.append(visit)
                threading.Thread(target=self.serve, args=(visit,), daemon=True).start()

    def serve(self, visit):
        record = bytearray()
        self.seen.append(record)

        head_from = 0

        def request():
            """Reads the next head and what is there of a body; gives all that has come so far."""
            nonlocal head_from
            while (end := record.find(b"\r\n\r\n", head_from)) < 0:
                some = visit.recv(65536)
                if not some:
                    raise OSError("ended")
                record.extend(some)
            head_from = end + 4
            return record

        with contextlib.suppress(OSError), visit:
            self.script(visit, request)
        self.ended.set()

    def close(self):
        self.listener.close()
        for visit in self.open:
            with contextlib.suppress(OSError):
                visit.shutdown(socket.SHUT_RDWR)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drain(connection):
    """Waits for the other side to close."""
    connection.settimeout(2 * WAIT_MAX)
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def responds(*pieces, then="close", pause=0.0):
    """A script: reads a request, sends these pieces with a pause behind each, and then closes, resets or holds."""

    def script(visit, request):
        request()
        for piece in pieces:
            visit.sendall(piece)
            time.sleep(pause)
        if then == "reset":
            reset(visit)
        elif then == "hold":
            drain(visit)

    return script


def good(visit, request):
    """Answers, and keeps the connection."""
    while request():
        visit.sendall(OK)


def patient(visit, request):
    """Answers once the whole of a body with a length is there."""
    record = request()
    head, _, body = bytes(record).partition(b"\r\n\r\n")
    length = int(re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)[1])
    while len(body) < length:
        some = visit.recv(65536)
        if not some:
            return
        body += some
    visit.sendall(OK)
    drain(visit)


def dripping_head(visit, request):
    """A head that comes byte by byte, each in time, and never ends."""
    request()
    visit.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        visit.sendall(b"y")
        time.sleep(0.2)


def switching(visit, request):
    """Agrees to another protocol and is silent in it."""
    request()
    visit.sendall(SWITCH)
    drain(visit)


def silent(visit, _):
    drain(visit)


def early(visit, request):
    """Refuses an upload at its head and closes its sending side."""
    request()
    visit.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbesar")
    visit.shutdown(socket.SHUT_WR)
    drain(visit)


def flood(piece):
    return flood_behind(b"", piece)


def flood_behind(start, piece):
    def script(visit, request):
        request()
        visit.sendall(start)
        while True:
            visit.sendall(piece)

    return script


# ------------------------------------------------------------------------------------ programs


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on {port}")


OURS = "--connect-timeout 1s --header-timeout 1s --keep-alive 1s --stall-timeout 1s --backend-timeout 1s --drain 3s".split()

HAPROXY = """
global
    maxconn {connections}
    hard-stop-after 3s
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
    timeout http-request 1s
    timeout http-keep-alive 1s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{backend}
"""

NGINX = """
daemon off;
worker_processes 1;
worker_shutdown_timeout 3s;
pid {folder}/pid;
error_log stderr crit;
{user}
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_timeout 1s;
    client_body_timeout 1s;
    client_max_body_size 0;
    send_timeout 1s;
    keepalive_timeout 1s;
    sendfile on;
    proxy_connect_timeout 1s;
    proxy_read_timeout 1s;
    proxy_send_timeout 1s;
    proxy_http_version 1.1;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    server {{
        listen 127.0.0.1:{port};
        location / {{ {what} }}
    }}
}}
"""


class Front:
    """One program under test, before the back end on `backend` or serving the folder `root`."""

    def __init__(self, column, folder, backend=None, root=None, descriptors=None):
        self.port, self.column = free_port(), column
        connections = 512 if descriptors is None else 16
        listen = f"127.0.0.1:{self.port}"
        if column in ("threaded", "async"):
            binaries = Path(os.environ.get("BINARIES", REPOSITORY / "target" / "release"))
            role = ["web-server", "--root", root] if root else ["reverse-proxy", "--default", f"127.0.0.1:{backend}", "--health-interval", "off"]
            command = [binaries / role[0], *role[1:], "--model", column, "--listen", listen, "--log", "error"]
            # A web server has no back end to wait for.
            command += [flag for pair in zip(OURS[::2], OURS[1::2]) for flag in pair if not root or pair[0] not in ("--connect-timeout", "--backend-timeout")]
        elif column == "HAProxy":
            path = folder / "haproxy.cfg"
            path.write_text(HAPROXY.format(port=self.port, backend=backend, connections=connections))
            command = ["haproxy", "-db", "-q", "-f", path]
        else:
            path = folder / "nginx.conf"
            what = f"root {root};" if root else f"proxy_pass http://127.0.0.1:{backend};"
            user = "user root;" if os.geteuid() == 0 else ""
            path.write_text(NGINX.format(port=self.port, folder=folder, what=what, user=user, connections=connections))
            command = ["nginx", "-c", path, "-p", folder]

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(word) for word in command], preexec_fn=limit, **quiet)
        wait_for(self.port)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), WAIT_MAX)

    def close(self):
        self.process.kill() if self.process.poll() is None and self.column != "nginx" else self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# ------------------------------------------------------------------------------------- clients


# An interim response; 101 is none, what follows it is another protocol.
INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d [^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n")
# A status line and fields are in so many bytes, or are none.
HEAD_MAX = 65536


class Response:
    """A response as far as it has come, behind the interim ones before it."""

    def __init__(self):
        self.data, self.start, self.interim = bytearray(), 0, 0

    def add(self, some):
        self.data += some
        while found := INTERIM.match(self.data, self.start):
            self.interim, self.start = self.interim + 1, found.end()

    def head(self):
        """Its status line and fields; empty while they are not whole."""
        head, end, _ = bytes(self.data[self.start : self.start + HEAD_MAX]).partition(b"\r\n\r\n")
        return head if end else b""

    def is_whole(self):
        """True if it says so itself."""
        head = self.head()
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        if length:
            return len(self.data) - self.start - len(head) - 4 >= int(length[1])
        return head.startswith(b"HTTP/1.1 101") or (b"chunked" in head.lower() and self.data.endswith(b"0\r\n\r\n"))

    def words(self, end, took):
        some = len(self.data) > self.start
        before = f"{self.interim} interim, " if 0 < self.interim < 100 else "interim responses, " if self.interim else ""
        status = re.match(rb"HTTP/1\.[01] (\d\d\d)", self.data[self.start : self.start + 12])
        if not status:
            return f"{before}{'silence' if end == 'nothing more' and not some else end}{' within the head' if some else ''} {moment(took)}"
        if self.is_whole():
            return f"{before}{status[1].decode()} {moment(took)}"
        framed = re.search(rb"\r\n(content-length|transfer-encoding):", self.head(), re.I)
        if end == "closed" and self.head() and not framed:
            return f"{before}{status[1].decode()} up to the close, {moment(took)}"
        return f"{before}{status[1].decode()} cut: {end} {moment(took)}"


def moment(took):
    return "at once" if took < 0.3 else f"after {took:.1f} s"


def read_response(client, began, wait=WAIT_MAX):
    """Reads one response and what becomes of the connection; gives it as words."""
    response, end = Response(), None
    deadline = time.monotonic() + wait
    while end is None and not response.is_whole():
        left = deadline - time.monotonic()
        if left <= 0:
            end = "no end"
            break
        try:
            client.settimeout(left)
            some = client.recv(1 << 18)
            end = None if some else "closed"
            response.add(some)
        except TimeoutError:
            end = "nothing more"
        except OSError:
            end = "reset"
    return response.words(end, time.monotonic() - began)


def ask(bytes_sent, half_close=False):
    def client(front, _):
        began = time.monotonic()
        with front.connect() as connection:
            connection.sendall(bytes_sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_response(connection, began)

    return client


def upload_much(front, _):
    began = time.monotonic()
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        connection.setblocking(False)
        sent_until = time.monotonic() + 0.3
        while time.monotonic() < sent_until:
            with contextlib.suppress(BlockingIOError):
                try:
                    connection.send(b"x" * 16384)
                except (BrokenPipeError, ConnectionResetError):
                    break
        connection.setblocking(True)
        return read_response(connection, began)


def slow_reader(front, _):
    """Reads nothing for 3 s, and then all there is."""
    began = time.monotonic()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", front.port))
        connection.sendall(GET)
        time.sleep(3)
        return read_response(connection, began)


def idle_after_response(front, _):
    with front.connect() as connection:
        connection.sendall(GET)
        first = read_response(connection, time.monotonic())
        began = time.monotonic()
        return f"{first.split()[0]}, then {read_response(connection, began)}"


def vanish(front, backend):
    """Resets within its request; what the back end has of it a moment later."""
    connection = front.connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)
    time.sleep(0.3)
    reset(connection)
    time.sleep(0.5)
    bodies = [bytes(seen).partition(b"\r\n\r\n")[2] for seen in backend.seen if seen]
    other = ask(GET)(front, backend)
    saw = f"{len(bodies[0])} of 1000 bytes" if bodies else "nothing"
    return f"back end saw {saw}; next client {other}"


def drip(start, piece, times):
    """Sends `piece` each 0.2 s: each is in time, and the whole may not be."""

    def client(front, _):
        began = time.monotonic()
        with front.connect() as connection:
            connection.sendall(start)
            for _ in range(times):
                with contextlib.suppress(OSError):
                    connection.sendall(piece)
                if is_readable(connection, 0.2):
                    break
            return read_response(connection, began)

    return client


def is_readable(connection, wait):
    """True if something, or the end, comes within `wait` seconds."""
    return bool(select.select([connection], [], [], wait)[0])


def gone(after_bytes):
    """Resets once so many bytes of the response are there; when the back end sees the end of its connection."""

    def client(front, backend):
        with front.connect() as connection:
            connection.sendall(GET)
            time.sleep(0.3)
            if after_bytes:
                connection.recv(after_bytes)
            began = time.monotonic()
            reset(connection)
            seen = backend.ended.wait(WAIT_MAX)
        return f"back end sees the end {moment(time.monotonic() - began)}" if seen else f"back end sees no end in {WAIT_MAX} s"

    return client


# ----------------------------------------------------------------------------------------- rows


def through(script, client, backlog=128):
    """A row whose fault is on the wire."""

    def run(column, folder):
        with contextlib.ExitStack() as stack:
            backend = Backend(script, backlog)
            stack.callback(backend.close)
            front = Front(column, folder, backend.port)
            stack.callback(front.close)
            return client(front, backend)

    return run


def refused(column, folder):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and not listening
        front = Front(column, folder, bound.getsockname()[1])
        try:
            return ask(GET)(front, None)
        finally:
            front.close()


def never_accepted(column, folder):
    """A full accept queue: a connection neither succeeds nor fails."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        front = Front(column, folder, listener.getsockname()[1])
        stack.callback(front.close)
        return ask(GET)(front, None)


def descriptors(column, folder):
    """100 clients that never finish their heads, more than descriptors allow; and then a fresh one."""
    backend = Backend(good)
    front = Front(column, folder, backend.port, descriptors=160 if column in ("threaded", "async") else 64)
    try:
        held = []
        for _ in range(100):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", front.port))
            held.append(connection)
        time.sleep(0.2)
        for connection in held:
            with contextlib.suppress(OSError):
                connection.send(b"GET / HT")
        fresh = ask(GET)(front, backend)
        for connection in held:
            connection.close()
        time.sleep(0.3)
        return f"{fresh}; when they have gone {ask(GET)(front, backend)}"
    finally:
        front.close()
        backend.close()


def of_a_file(change):
    """A file of 30 MB changes when a client has its first bytes."""

    def run(column, folder):
        if column == "HAProxy":
            return "serves no files"
        file = folder / "site" / "berkas"
        file.parent.mkdir()
        file.write_bytes(bytes(30_000_000))
        front = Front(column, folder, root=file.parent)
        try:
            began = time.monotonic()
            with socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                connection.connect(("127.0.0.1", front.port))
                connection.sendall(b"GET /berkas HTTP/1.1\r\nHost: a\r\n\r\n")
                connection.recv(1, socket.MSG_PEEK)
                change(file)
                return read_response(connection, began)
        finally:
            front.close()

    return run


def of_a_path(make):
    """A request for a file that is not there any more, or is no file."""

    def run(column, folder):
        if column == "HAProxy":
            return "serves no files"
        file = folder / "site" / "berkas"
        file.parent.mkdir()
        file.write_bytes(b"isi")
        front = Front(column, folder, root=file.parent)
        try:
            get = ask(b"GET /berkas HTTP/1.1\r\nHost: a\r\n\r\n")
            get(front, None)  # known by now, and perhaps kept
            file.unlink()
            make(file)
            seen = get(front, None)
            time.sleep(1.2)  # ours looks at a file again after a second
            return f"{seen}, a second later {get(front, None)}"
        finally:
            front.close()

    return run


def signalled(number, script, sends, rest=b"", times=1):
    """A signal 0.2 s behind what the client `sends`, and 0.2 s later the `rest` of it; what comes
    of the response, if it is not there yet, or of the connection, if it is."""

    def run(column, folder):
        backend = Backend(script)
        front = Front(column, folder, backend.port)
        try:
            with front.connect() as connection:
                connection.sendall(sends)
                if is_readable(connection, 0.2) and script in (good, switching):
                    read_response(connection, time.monotonic())
                began = time.monotonic()
                for _ in range(times):
                    front.process.send_signal(number[column])
                    time.sleep(0.2)
                with contextlib.suppress(OSError):
                    connection.sendall(rest)
                seen = read_response(connection, began)
            try:
                front.process.wait(WAIT_MAX)
                return f"{seen}; ended {moment(time.monotonic() - began)}"
            except subprocess.TimeoutExpired:
                return f"{seen}; still runs after {WAIT_MAX} s"
        finally:
            front.close()
            backend.close()

    return run


SLOW = responds(b"", OK, then="hold", pause=0.8)
TERM = dict.fromkeys(COLUMNS, signal.SIGTERM)
GRACE = {**TERM, "HAProxy": signal.SIGUSR1, "nginx": signal.SIGQUIT}
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000)
HALF_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 10

ROWS = {
    "The back end": [
        ("refuses", refused),
        ("never accepts", never_accepted),
        ("is silent", through(silent, ask(GET))),
        ("closes without a word", through(responds(), ask(GET))),
        ("resets without a word", through(responds(then="reset"), ask(GET))),
        ("closes within the head", through(responds(b"HTTP/1.1 200 OK\r\nContent-"), ask(GET))),
        ("resets within the head", through(responds(b"HTTP/1.1 200 OK\r\nContent-", then="reset", pause=0.1), ask(GET))),
        ("closes within a body with a length", through(responds(LENGTH + b"satu", pause=0.1), ask(GET))),
        ("closes within a chunked body", through(responds(CHUNKS + b"4\r\nsatu\r\n", pause=0.1), ask(GET))),
        ("resets within a body with a length", through(responds(LENGTH + b"satu", then="reset", pause=0.1), ask(GET))),
        ("resets within a body without one", through(responds(b"HTTP/1.1 200 OK\r\n\r\nsatu", then="reset", pause=0.1), ask(GET))),
        ("stalls within a body", through(responds(LENGTH + b"satu", then="hold"), ask(GET))),
        ("stalls within its head", through(responds(b"HTTP/1.1 200 OK\r\nContent-", then="hold"), ask(GET))),
        ("drips a head without an end", through(dripping_head, ask(GET))),
        ("drips a whole response in 2 s", through(responds(LENGTH, *[b"xxxxx"] * 20, pause=0.1), ask(GET))),
        ("sends two lengths", through(responds(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nsatu", then="hold"), ask(GET))),
        ("sends a length and chunks", through(responds(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n0\r\n\r\n", then="hold"), ask(GET))),
        ("sends a chunk size with a sign", through(responds(CHUNKS + b"+4\r\nsatu\r\n0\r\n\r\n", then="hold"), ask(GET))),
        ("sends more than it promised", through(responds(OK + OK, then="hold"), ask(GET))),
        ("speaks no HTTP", through(responds(b"220 surat siap\r\n", then="hold"), ask(GET))),
        ("sends a head without an end", through(flood(b"X: y\r\n" * 100), ask(GET))),
        ("sends interim responses without an end", through(flood(b"HTTP/1.1 102 Processing\r\n\r\n"), ask(GET))),
        ("answers 101 unasked", through(responds(SWITCH, then="hold"), ask(GET))),
        ("answers 413 early to 100 MB", through(early, upload_much)),
    ],
    "The client": [
        ("says nothing", through(good, ask(b""))),
        ("drips its head", through(good, drip(b"GET / HTTP/1.1\r\nX: ", b"x", 20))),
        ("stalls within its body", through(patient, ask(HALF_BODY))),
        ("drips its body in 2 s", through(patient, drip(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", b"x", 10))),
        ("reads nothing for 3 s of 50 MB", through(responds(LARGE), slow_reader)),
        ("resets within its body", through(good, vanish)),
        ("resets while it waits for a silent back end", through(silent, gone(0))),
        ("resets within an endless response", through(flood_behind(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000), gone(1000))),
        ("closes its side after a request", through(good, ask(GET, half_close=True))),
        ("closes its side within a body", through(patient, ask(HALF_BODY, half_close=True))),
        ("is idle after a response", through(good, idle_after_response)),
        ("sends a length and chunks", through(good, ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))),
        ("sends a TLS hello", through(good, ask(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)))),
    ],
    "The machine and its operator": [
        ("100 clients, descriptors for 16", descriptors),
        ("the file shrinks while it is sent", of_a_file(lambda file: os.truncate(file, 1000))),
        ("the file is removed while it is sent", of_a_file(os.unlink)),
        ("the file is gone at the next request", of_a_path(lambda file: None)),
        ("a FIFO is in its place", of_a_path(os.mkfifo)),
        ("SIGTERM while a back end works", signalled(TERM, SLOW, GET)),
        ("graceful signal while a back end works", signalled(GRACE, SLOW, GET)),
        ("graceful signal within a request head", signalled(GRACE, good, GET[:-10], GET[-10:])),
        ("graceful signal within a request body", signalled(GRACE, patient, HALF_BODY, b"x" * 90)),
        ("graceful signal within a response", signalled(GRACE, responds(LENGTH, *[b"x" * 20] * 5, pause=0.2), GET)),
        ("graceful signal while a connection is idle", signalled(GRACE, good, GET)),
        ("graceful signal within a tunnel", signalled(GRACE, switching, UPGRADE)),
        ("SIGTERM twice while a back end works", signalled(TERM, SLOW, GET, times=2)),
    ],
}

INTRODUCTION = """# Faults

What a client sees of each fault, and after how long. Made by [`integration/faults/matrix.py`](../integration/faults/matrix.py)
({versions}); run it again with `python3 integration/faults/matrix.py --write`.

One back end behind each program. Every timeout is set to one second in all four (connecting, heads, bodies either way, idle connections,
the back end's response) and nobody checks the back end; all else is as it comes. *At once* is less than 0.3 s; *cut* is a response that cannot be taken for a whole one;
*silence* means that nothing came for {silence} s. The threaded and the async column are `reverse-proxy` (for files `web-server`) with
`--model`. The graceful signal of HAProxy is SIGUSR1 and that of nginx SIGQUIT.
"""

READING = """## Reading it

What differs, and why ours is as it is:

- *A back end that refuses* is 502 at once, as with nginx. HAProxy tries the same one three times more, a second apart, and says 503. Ours goes to another back end
  if there is one, and to the same one only if a kept connection was dead.
- *A connect that is not answered* is 504, as with nginx (RFC 9209 2.3.7): 502 is for those that say no.
- *A cut body* ends in a reset. An orderly close is enough where there is a length or chunks; where there are none, it is the end of a whole response, which is what
  HAProxy's client sees of a back end that reset ("200 up to the close").
- *Lengths that contradict each other* are 502, and 400 from a client. nginx takes two lengths from a back end and waits for the longer; HAProxy and nginx take a
  length beside chunks for chunks, which RFC 9112 6.3 allows and which is where smuggling begins.
- *A chunk size with a sign* is seen when the head is already on its way, so the client gets a reset; HAProxy still holds the head back, and says 502.
- *What speaks no HTTP* is 502. nginx takes it for HTTP/0.9 and passes it on, a head without an end as well.
- *101 that nobody asked for* is 502, as with HAProxy; nginx passes it on.
- *An early response* reaches the client that still uploads, as with HAProxy; nginx closes before the client has read it.
- *A client that says nothing* is closed without a word, as by nginx: there is no request to answer. One that began a head is told 408, as by HAProxy.
- *A client that is slow with its body* is told 408. HAProxy blames the back end (504), which waits for that body.
- *A client that closes its side after a request* gets its response, as with HAProxy; nginx takes that client for gone.
- *A client that resets within its body*: nginx holds a body back until all of it is there, so its back end saw nothing; ours streams, so the back end sees a part
  and then a reset, and cannot take it for the whole.
- *A file that is gone* is served for up to a second, from the cache of files; a file that shrinks ends in a reset.
- *SIGTERM* finishes what is under way and then ends, as a process manager expects. HAProxy and nginx have another signal for that, and cut on SIGTERM. A second one
  cuts with ours too, and a tunnel is cut when the time for draining (3 s here) is over.

Where ours is worse: whether a client is gone is checked only when its response has taken a second (here that is the deadline), while nginx knows at once; and when descriptors run out,
those that did not finish their heads hold them for the 2 s in which they may still read their 408, which HAProxy does not wait for: the fresh client comes after all of them.
"""


def cell(run, column):
    installed = {"HAProxy": "haproxy", "nginx": "nginx"}.get(column)
    if installed and not shutil.which(installed):
        return "not installed"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        try:
            return run(column, Path(folder))
        except Exception as error:  # the table tells it, and the other cells go on
            return f"*{type(error).__name__}: {error}*"


def version(*command):
    with contextlib.suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)[0]
    return "missing"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="into docs/faults.md")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    arguments = parser.parse_args()
    versions = f"HAProxy {version('haproxy', '-v')}, nginx {version('nginx', '-v')}"
    lines = [INTRODUCTION.format(versions=versions, silence=WAIT_MAX)]
    with concurrent.futures.ThreadPoolExecutor(len(COLUMNS)) as pool:
        for part, rows in ROWS.items():
            lines += [f"## {part}\n", f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
            for name, run in rows:
                if arguments.only in name:
                    cells = list(pool.map(lambda column, run=run: cell(run, column), COLUMNS))
                    lines.append(f"| {name} | {' | '.join(cells)} |")
                    print(lines[-1], flush=True)
            lines.append("")
    lines.append(READING)
    if arguments.write:
        (REPOSITORY / "docs" / "faults.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
