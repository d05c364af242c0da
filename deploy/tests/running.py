"""Our programs as child processes, asked and stopped; gone at the end of the `with`."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[1]
BINARIES = Path(os.environ["BINARIES"])
sys.path.insert(0, str(DEPLOY.parent / "integration/foreign"))
from roles import eventually, needs  # noqa: E402, F401: the same words for what a machine lacks


class Running:
    """A program with what it has printed, and its addresses once it has told them."""

    def __init__(self, command, stack, **more):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more
        )
        self.lines = []
        # Whatever it says is read, so that it never waits for a reader.
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()
        stack.callback(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def told(self, pattern):
        """The first group of this pattern, as soon as a line has it."""
        found = eventually(lambda: re.search(pattern, "".join(self.lines), re.MULTILINE) or self.process.poll() is not None)
        if not isinstance(found, re.Match):
            raise AssertionError(f"{self.process.args} has not said {pattern}, but: {''.join(self.lines)}")
        return found[1]

    def port(self):
        return int(self.told(r"^listening on .*:(\d+)$"))

    def page(self):
        return self.told(r"^status on (http://\S+)/$")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def status_within(self, seconds):
        """Its exit status; an exception if it goes on for longer."""
        return self.process.wait(seconds)


def ask(url, **fields):
    """Status and body of a GET."""
    request = urllib.request.Request(url, headers=fields)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextlib.contextmanager
def folder(**files):
    """A folder with these files."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        for name, content in files.items():
            Path(path, name.replace("_", ".")).write_text(content)
        yield Path(path)
