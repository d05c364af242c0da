"""Our programs and others as child processes on free ports, gone at the end of the `with`."""

import contextlib
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path

BINARIES = Path(os.environ.get("BINARIES", Path(__file__).parents[2] / "target" / "debug"))
ROOT = Path(__file__).parents[2] / "public"


@contextlib.contextmanager
def process(arguments, announcement):
    """Starts a program and waits for the line that tells its port."""
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
                found = re.search(announcement, line)
                if found:
                    break
            else:
                raise AssertionError(f"{arguments}: {''.join(said)}")
            # Whatever it says from now on is read, so that it never waits for a reader.
            reader = threading.Thread(target=lambda: said.extend(child.stdout), daemon=True)
            reader.start()
            yield int(found[1])
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
