"""Where the programs run: under wine, in a prefix of its own, or on this system, to try the cases themselves.

Contract: nothing that was started is left when a `with` ends, and its folder is gone.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

# Debian's wine64 without `wine`, a shell script that complains of a missing 32-bit half.
WINE = "/usr/lib/wine/wine64"
WINE_SERVER = "/usr/lib/wine/wineserver64"
COMPILER = "x86_64-w64-mingw32-gcc"

# A variable of the environment by which what was started here is known.
MARK = "GILIRAN_WINDOWS_CASES"

# Seconds that only a failing case waits.
PATIENCE = 60


def eventually(look, seconds=PATIENCE):
    """Looks again and again until it sees something true; gives what it saw last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen or time.monotonic() > deadline:
            return seen
        time.sleep(0.02)


class Program:
    """A running program and all that it has printed, on both outputs."""

    def __init__(self, name, command, environment, press):
        self.name = name
        self.said = ""
        self._press = press
        self._ended = False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        # Whatever it says is read, so that it never waits for a reader.
        while piece := self._process.stdout.read1():
            with self._news:
                self.said += piece.decode(errors="replace").replace("\r\n", "\n")
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, pattern, seconds=PATIENCE):
        """Waits until it has printed what fits the pattern; gives the match."""
        with self._news:
            find = lambda: re.search(pattern, self.said, re.MULTILINE)
            self._news.wait_for(lambda: find() or self._ended, seconds)
            found = find()
        assert found, f"{self.name} did not print {pattern!r}:\n{self.said}"
        return found

    def ctrl_c(self):
        """What a person does to end it."""
        self._press(self._process)

    def end(self, seconds=PATIENCE):
        """Waits for its end; gives its status."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs:\n{self.said}") from None
        self._reader.join(PATIENCE)
        return status

    def destroy(self):
        """Ends it in any case."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._reader.join(1)  # a child of a program that failed may hold the pipe


class ThisSystem:
    """Programs of this system."""

    name = "this system"

    def __init__(self, binaries):
        self.binaries = binaries

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="giliran-windows-")))
        self.environment = {**os.environ, MARK: str(self.folder)}
        return self

    def __exit__(self, *problem):
        self._stack.close()

    def start(self, name, *arguments):
        """Starts one of our programs by its name."""
        command = [self.binaries / name, *arguments]
        return Program(name, command, self.environment, lambda process: process.send_signal(signal.SIGINT))

    def path(self, path):
        """A path as our programs read it."""
        return str(path)

    def running(self):
        """What runs of all that was started from here: the commands by their process ids."""
        mark, found = f"{MARK}={self.folder}".encode(), {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(process.name)] = command.strip()
        return found

    def ours(self):
        """The same without the services of the system."""
        folder = self.path(self.binaries)
        return {process: command for process, command in self.running().items() if folder in command}


class Wine(ThisSystem):
    """Windows programs in a wine prefix of their own, each in a console of its own."""

    name = "wine"

    def __enter__(self):
        super().__enter__()
        self.prefix = self.folder / "prefix"
        self.environment.update(WINEPREFIX=str(self.prefix), WINEDEBUG="-all")
        self.environment.pop("DISPLAY", None)  # the same with and without a screen
        self._stack.callback(self._end)
        # Without a display it has complaints, which do not matter.
        subprocess.run([WINE, "wineboot", "--init"], env=self.environment, capture_output=True, timeout=120, check=True)
        self._compile("bcryptprimitives.c", self.prefix / "drive_c/windows/system32/bcryptprimitives.dll", "-shared", "-ladvapi32")
        # A program that waits for ever, as otherwise wine's services start with each program and end behind it. They
        # keep the outputs of whoever has started them, which must not be the pipe of a program that a case waits for.
        waits = subprocess.Popen([WINE, "cmd"], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._stack.callback(lambda: (waits.stdin.close(), waits.kill(), waits.wait()))
        self._console = self.folder / "console.exe"
        self._compile("console.c", self._console)
        return self

    def _compile(self, source, target, *flags):
        subprocess.run([COMPILER, "-O1", "-Wall", "-Werror", "-o", target, HERE / source, *flags], check=True)

    def _end(self):
        # All programs and services of this prefix, and no other's; then their server.
        subprocess.run([WINE_SERVER, "--kill"], env=self.environment, capture_output=True, timeout=PATIENCE, check=False)
        eventually(lambda: not self.running())

    def start(self, name, *arguments):
        def press(process):
            process.stdin.write(b"\n")
            process.stdin.flush()

        program = self.path(self.binaries / f"{name}.exe")
        return Program(name, [WINE, self._console, program, *arguments], self.environment, press)

    def path(self, path):
        return "Z:" + str(path).replace("/", "\\")
