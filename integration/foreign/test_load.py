"""`ab -k`, and `slowhttptest` in all its modes: slow heads, bodies and readers, and ranges; others are served meanwhile."""

import concurrent.futures
import contextlib
import re
import subprocess
import time
import unittest
import urllib.request

from roles import all_fronts, web_server

SECONDS = 2


@contextlib.contextmanager
def everything():
    """A web server of each model, and the fronts before one of them."""
    with web_server("threaded") as threaded, web_server("async") as other, all_fronts(threaded) as fronts:
        # A balancer in `--mode http` is the reverse proxy with other arguments.
        fronts = {name: port for name, port in fronts.items() if "http" not in name}
        yield {"web-server threaded": threaded, "web-server async": other, **fronts}


class ApacheBench(unittest.TestCase):
    def test_every_request_of_kept_connections_is_answered(self):
        with everything() as targets:
            for name, port in targets.items():
                for keep in [["-k"], []]:
                    with self.subTest(target=name, keep=keep):
                        command = ["ab", *keep, "-q", "-n", "1000", "-c", "10", f"http://127.0.0.1:{port}/"]
                        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
                        self.assertRegex(said, r"Complete requests: +1000\n")
                        self.assertRegex(said, r"Failed requests: +0\n")
                        self.assertNotIn("Non-2xx", said)
                        if keep:
                            self.assertRegex(said, r"Keep-Alive requests: +9\d\d|Keep-Alive requests: +1000")


def attack(mode, port):
    """Runs slowhttptest; gives what it found out about the service."""
    more = {
        "-H": ["-i", "1", "-x", "24"],
        "-B": ["-i", "1", "-s", "8192", "-x", "10"],
        "-R": ["-a", "5", "-b", "1500"],
        "-X": ["-k", "3", "-w", "10", "-y", "20", "-n", "1", "-z", "32"],
    }[mode]
    path = {"-X": "/?size=500000", "-R": "/pdf/nfc.pdf"}.get(mode, "/")
    command = ["slowhttptest", mode, "-c", "300", "-r", "300", "-l", str(SECONDS), "-p", "2", *more]
    done = subprocess.run([*command, "-u", f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=60, check=False)
    return re.findall(r"service available: *\S*?(YES|NO)", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))


def fresh(port, until):
    """One new client after the other for as long as that; gives the longest wait for an answer."""
    longest = 0
    while time.monotonic() < until:
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/santai", timeout=10) as answer:
            assert answer.read() == b"santai saja"
        longest = max(longest, time.monotonic() - began)
    return longest


class SlowHttpTest(unittest.TestCase):
    def test_others_are_served(self):
        # One target at a time: what is measured is how long it waits, not how many attackers a machine carries.
        with everything() as targets, concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, port in targets.items():
                for mode in ["-H", "-B", "-R", "-X"]:
                    with self.subTest(target=name, mode=mode):
                        attacked = pool.submit(attack, mode, port)
                        longest = fresh(port, time.monotonic() + SECONDS)
                        seen = attacked.result()
                        self.assertTrue(seen and "NO" not in seen, seen)
                        self.assertLess(longest, 2)
                        print(f"{name} {mode}: a fresh client waited {longest * 1000:.0f} ms at most")
