"""curl, and what its options ask of a server: old versions, ranges, resuming, expecting, uploading."""

import hashlib
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from roles import ROOT, all_fronts, web_server

FILE = "pdf/nfc.pdf"
CONTENT = (ROOT / FILE).read_bytes()


def curl(*arguments):
    """Runs curl; gives its status and its standard output."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stdout


class Curl(unittest.TestCase):
    def targets(self):
        for model in ["threaded", "async"]:
            with web_server(model) as port, all_fronts(port) as fronts:
                for name, front in {f"web-server {model}": port, **fronts}.items():
                    with self.subTest(target=name, back_end=model):
                        yield f"http://127.0.0.1:{front}", front

    def test_whole_and_in_parts(self):
        for url, _ in self.targets():
            for version in ["--http1.0", "--http1.1"]:
                self.assertEqual(curl(version, f"{url}/{FILE}"), (0, CONTENT))
                self.assertEqual(curl(version, "--range", "100-199", f"{url}/{FILE}"), (0, CONTENT[100:200]))
                self.assertEqual(curl(version, "--range", "-7", f"{url}/{FILE}"), (0, CONTENT[-7:]))
            status, head = curl("--head", f"{url}/{FILE}")
            self.assertEqual((status, head.lower().count(f"content-length: {len(CONTENT)}".encode())), (0, 1))

    def test_a_broken_download_is_resumed(self):
        for url, _ in self.targets():
            with tempfile.TemporaryDirectory() as folder:
                part = Path(folder) / "nfc.pdf"
                part.write_bytes(CONTENT[:200_000])
                self.assertEqual(curl("--continue-at", "-", "--output", str(part), f"{url}/{FILE}"), (0, b""))
                self.assertEqual(hashlib.sha256(part.read_bytes()).digest(), hashlib.sha256(CONTENT).digest())

    def test_uploads_with_and_without_a_word_before(self):
        with tempfile.TemporaryDirectory() as folder:
            body = Path(folder) / "body"
            body.write_bytes(CONTENT)
            for url, _ in self.targets():
                for options in [
                    ["--header", "Expect: 100-continue"],
                    ["--header", "Expect:"],
                    ["--header", "Transfer-Encoding: chunked"],
                    ["--http1.0"],
                ]:
                    done = curl(*options, "--data-binary", f"@{body}", f"{url}/")
                    self.assertEqual(done, (0, b"kosong"), options)

    def test_an_upload_too_large_is_told_so(self):
        with tempfile.TemporaryDirectory() as folder:
            body = Path(folder) / "body"
            body.write_bytes(CONTENT * 4)
            for url, _ in self.targets():
                for expect in ["Expect: 100-continue", "Expect:"]:
                    options = ["--header", expect, "--output", "/dev/null", "--write-out", "%{http_code}"]
                    status, code = curl(*options, "--data-binary", f"@{body}", f"{url}/")
                    # 55 and 56: curl could not send or read on, as the server had closed; it has the answer all the same.
                    self.assertEqual(code, b"413", (expect, status))

    def test_many_on_one_connection(self):
        for url, _ in self.targets():
            paths = [f"{url}/?size={size}" for size in [0, 1, 31, 16384, 100_000] * 4]
            done = curl("--write-out", "%{num_connects} ", "--output", "/dev/null", *sum(([p, "--output", "/dev/null"] for p in paths[1:]), [paths[0]]))
            self.assertEqual(done[0], 0)
            self.assertEqual(sum(int(count) for count in done[1].split()), 1, done)

    def test_pipelined_by_hand(self):
        for _, port in self.targets():
            with socket.create_connection(("127.0.0.1", port), 30) as client:
                sizes = [5, 0, 20_000, 1] * 5
                for size in sizes:
                    client.sendall(f"GET /?size={size} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                client.sendall(b"GET /santai HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answers = b"".join(iter(lambda: client.recv(65536), b""))
                self.assertEqual(answers.count(b"HTTP/1.1 200 OK\r\n"), len(sizes) + 1)
                self.assertTrue(answers.endswith(b"santai saja"), answers[-100:])
