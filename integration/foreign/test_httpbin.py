"""httpbin behind each of our fronts answers `requests` and `httpx` as it does directly."""

import concurrent.futures
import contextlib
import json
import re
import sys
import unittest

import httpx
import requests
from requests.auth import HTTPDigestAuth

from roles import all_fronts, process

# Fields in which two answers to the same request may differ: time, and what a gateway writes.
PER_HOP = {"date", "via", "connection", "keep-alive", "transfer-encoding", "server"}
LARGE = b"0123456789abcdef" * 16384


def pieces():
    for _ in range(64):
        yield LARGE[:4096]


CASES = [
    *[(method, "/anything/a%20b;c=d?e=f&e=g", {}) for method in ["GET", "POST", "PUT", "PATCH", "DELETE"]],
    ("HEAD", "/get", {}),
    ("OPTIONS", "/get", {}),
    ("TRACE", "/get", {}),
    ("POST", "/post", {"data": {"nama": "giliran", "isi": "satu & dua"}}),
    ("POST", "/post", {"json": {"satu": [1, 2, 3]}}),
    ("POST", "/post", {"files": {"berkas": ("a.bin", LARGE[:50_000])}}),
    ("PUT", "/put", {"data": LARGE}),
    ("POST", "/post", {"data": b""}),
    ("POST", "/post", {"data": "chunked"}),
    *[("GET", f"/status/{status}", {}) for status in [200, 204, 206, 304, 400, 404, 418, 429, 500, 502, 503, 504]],
    ("GET", "/redirect/5", {}),
    ("GET", "/relative-redirect/3", {}),
    ("POST", "/redirect-to?url=/post&status_code=307", {"data": b"satu"}),
    ("GET", "/redirect-to?url=/get&status_code=303", {}),
    *[("GET", path, {}) for path in ["/gzip", "/deflate", "/brotli", "/encoding/utf8", "/image/png", "/xml", "/html"]],
    ("GET", "/stream/30", {}),
    # Not `/bytes?seed=1`: all threads of httpbin share one source of chance.
    ("GET", "/range/100000?chunk_size=777", {}),
    ("GET", "/range/100000", {}),
    ("GET", "/drip?numbytes=20&duration=1&delay=0&code=200", {}),
    ("GET", "/delay/1", {}),
    ("GET", "/range/10000", {"headers": {"Range": "bytes=100-199"}}),
    ("GET", "/range/10000", {"headers": {"Range": "bytes=-5"}}),
    ("GET", "/range/10000", {"headers": {"Range": "bytes=20000-"}}),
    ("GET", "/etag/satu", {"headers": {"If-None-Match": '"satu"'}}),
    ("GET", "/etag/satu", {"headers": {"If-Match": '"dua"'}}),
    ("GET", "/cache", {"headers": {"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"}}),
    ("GET", "/cookies/set?a=b&c=d", {}),
    ("GET", "/cookies", {"cookies": {"kue": "ya"}}),
    ("GET", "/basic-auth/orang/rahasia", {"auth": ("orang", "rahasia")}),
    ("GET", "/basic-auth/orang/rahasia", {"auth": ("orang", "salah")}),
    ("GET", "/bearer", {"headers": {"Authorization": "Bearer x"}}),
    ("GET", "/response-headers?X-Satu=1&X-Satu=2", {}),
    ("GET", "/headers", {"headers": {"X-Panjang": "x" * 4000}}),
    ("GET", "/links/10/0", {}),
    ("GET", "/deny", {}),
]


def what_counts(status, headers, body, history):
    """What must be the same, directly and through a front."""
    fields = sorted((name.lower(), value) for name, value in headers if name.lower() not in PER_HOP)
    # A stream has a length, chunks or an end: which of them is for each hop to choose.
    fields = [field for field in fields if field[0] != "content-length"]
    if fields and ("content-type", "application/json") in fields and not body.startswith(b'{"url"'):
        return status, fields, without_hops(body), history
    # `/stream/N` is an object a line.
    return status, fields, b"\n".join(without_hops(line) for line in body.split(b"\n")), history


def without_hops(line):
    """An echoed request without what gateways add, or is random; some answers are a request a line."""
    line = re.sub(rb"boundary=[0-9a-f]{32}", b"boundary=x", line)
    with contextlib.suppress(ValueError, AttributeError):
        echoed = json.loads(line)
        for name in ["Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Connection"]:
            echoed.get("headers", {}).pop(name, None)
        return json.dumps(echoed, sort_keys=True).encode()
    return line


def with_requests(port, method, path, options):
    options = dict(options)
    options["headers"] = {"Host": "contoh.id", **options.get("headers", {})}
    if options.get("data") == "chunked":
        options["data"] = pieces()
    with requests.Session() as session:
        answer = session.request(method, f"http://127.0.0.1:{port}{path}", timeout=30, **options)
        history = [step.status_code for step in answer.history]
        return what_counts(answer.status_code, answer.headers.items(), answer.content, history)


def with_httpx(client, port, method, path, options):
    options = dict(options)
    options["headers"] = {"Host": "contoh.id", **options.get("headers", {})}
    data = options.get("data")
    if data == "chunked" or isinstance(data, bytes):
        options["content"] = pieces() if data == "chunked" else data
        del options["data"]
    client.cookies.clear()
    for name, value in options.pop("cookies", {}).items():
        client.cookies.set(name, value)
    answer = client.request(method, f"http://127.0.0.1:{port}{path}", timeout=30, **options)
    history = [step.status_code for step in answer.history]
    return what_counts(answer.status_code, answer.headers.multi_items(), answer.content, history)


class Httpbin(unittest.TestCase):
    def setUp(self):
        gunicorn = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--threads", "16", "httpbin:app"]
        self.direct = self.enterContext(process(gunicorn, r"Listening at: http://127\.0\.0\.1:(\d+)"))
        # It listens before it can answer: long enough for checks of a front to take it out.
        requests.get(f"http://127.0.0.1:{self.direct}/get", timeout=30)
        self.fronts = self.enterContext(all_fronts(self.direct))

    def compare(self, ask):
        """Asks directly and through each front at the same time; each answer must be the direct one."""
        ports = {"direct": self.direct, **self.fronts}
        with concurrent.futures.ThreadPoolExecutor(len(ports)) as pool:
            for method, path, options in CASES:
                asked = {name: pool.submit(ask, name, port, method, path, options) for name, port in ports.items()}
                for name in self.fronts:
                    with self.subTest(front=name, method=method, path=path):
                        # Not `assertEqual`: it would look for the smallest difference for minutes.
                        got, expected = asked[name].result(), asked["direct"].result()
                        self.assertTrue(got == expected, f"{str(got)[:500]}\n\nand not\n\n{str(expected)[:500]}")

    def test_requests_sees_no_difference(self):
        self.compare(lambda _, *case: with_requests(*case))

    def test_httpx_sees_no_difference_on_kept_connections(self):
        names = ["direct", *self.fronts]
        clients = {name: self.enterContext(httpx.Client(follow_redirects=True)) for name in names}
        self.compare(lambda name, *case: with_httpx(clients[name], *case))

    def test_digest_authentication(self):
        for name, port in self.fronts.items():
            with self.subTest(front=name), requests.Session() as session:
                for password, status in [("rahasia", 200), ("salah", 401)]:
                    auth = HTTPDigestAuth("orang", password)
                    url = f"http://127.0.0.1:{port}/digest-auth/auth/orang/rahasia"
                    self.assertEqual(session.get(url, auth=auth, timeout=30).status_code, status)

    def test_a_stream_comes_as_it_is_made(self):
        # Two bytes with a second between them: the first must not wait for the second.
        for name, port in self.fronts.items():
            with self.subTest(front=name):
                url = f"http://127.0.0.1:{port}/drip?numbytes=2&duration=2&delay=0"
                with requests.get(url, stream=True, timeout=30) as answer:
                    first = next(answer.iter_content(1))
                    so_far = answer.elapsed.total_seconds()
                    self.assertEqual((first, so_far < 1), (b"*", True), so_far)
