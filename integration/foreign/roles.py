"""Our programs and others as child processes on free ports, gone at the end of the `with`."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

BINARIES = Path(os.environ.get("BINARIES", Path(__file__).parents[2] / "target" / "debug"))
ROOT = Path(__file__).parents[2] / "public"


def needs(**packages):
    """Skips a test or a class where a program is missing, named with its Debian package; with CI=true it fails there instead."""
    missing = [f"{program} (Debian package {package})" for program, package in packages.items() if not shutil.which(program)]
    return unittest.skipIf(missing and os.environ.get("CI") != "true", f"needs {', '.join(missing)}")


@contextlib.contextmanager
def process(arguments, announcement):
    """Starts a program and waits for the line that tells its port."""
    with started(arguments, announcement) as text:
        yield int(re.search(announcement, text, re.MULTILINE)[1])


@contextlib.contextmanager
def started(arguments, announcement):
    """Starts a program and waits for a line; gives all that it said until then."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [str(argument) for argument in arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        try:
            for line in child.stdout:
                said.append(line)
                if re.search(announcement, line):
                    break
            else:
                raise AssertionError(f"{arguments}: {''.join(said)}")
            text = "".join(said)
            # Whatever it says from now on is read, so that it never waits for a reader.
            reader = threading.Thread(target=lambda: said.extend(child.stdout), daemon=True)
            reader.start()
            yield text
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            reader = locals().get("reader")
            if reader:
                reader.join()
            child.stdout.close()


def role(name, *flags):
    """One of our programs; gives its port."""
    return process([BINARIES / name, "--listen", "127.0.0.1:0", *flags], r"^listening on .*:(\d+)$")


def web_server(model, *flags):
    return role("web-server", "--root", ROOT, "--model", model, *flags)


@contextlib.contextmanager
def suite(*flags):
    """All roles in one process; gives their addresses by role (one of the web servers), and `status`, the page's."""
    command = [BINARIES / "suite", "--port-base", "0", "--root", ROOT, "--log", "warn", *flags]
    with started(command, "^ready;") as text:
        addresses = dict(re.findall(r"^(\S+) +(?:threaded|async) +(\S+)", text, re.MULTILINE))
        yield {**addresses, "status": re.search(r"^status on http://(\S+)/$", text, re.MULTILINE)[1]}


def apache_bench(address, requests, concurrency, *flags):
    """`ab`, all of whose requests must succeed; gives what it printed."""
    command = ["ab", *flags, "-q", "-n", str(requests), "-c", str(concurrency), f"http://{address}/santai"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"Complete requests:      {requests}\nFailed requests:        0\n" in said and "Non-2xx" not in said, said
    return said


def eventually(look, seconds=20):
    """Looks again and again until it sees something true; gives what it saw last, so that a failure shows it."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen or time.monotonic() > deadline:
            return seen
        time.sleep(0.05)


def fronts(port):
    """Every way to put something of ours before a back end: a name and what starts it."""
    backend = f"127.0.0.1:{port}"
    return {
        "reverse-proxy threaded": lambda: role("reverse-proxy", "--model", "threaded", "--default", backend),
        "reverse-proxy async": lambda: role("reverse-proxy", "--model", "async", "--default", backend),
        "lb-threaded http": lambda: role("lb-threaded", "--mode", "http", "--backend", backend),
        "lb-async http": lambda: role("lb-async", "--mode", "http", "--backend", backend),
        "lb-threaded tcp": lambda: role("lb-threaded", "--mode", "tcp", "--backend", backend),
        "lb-async tcp": lambda: role("lb-async", "--mode", "tcp", "--backend", backend),
    }


@contextlib.contextmanager
def all_fronts(port, only=""):
    """All of them at once; gives their ports by name."""
    with contextlib.ExitStack() as stack:
        chosen = {name: start for name, start in fronts(port).items() if only in name}
        yield {name: stack.enter_context(start()) for name, start in chosen.items()}
