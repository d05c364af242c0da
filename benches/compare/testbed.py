"""The testbed: programs side by side on loopback, what they cost, and their end.

Which programs those are is told by data (`targets.json`): a target is a command, perhaps with a configuration
file; a set of back ends is a command too. In both, these are replaced:

    @DIR@         the work folder, gone afterwards      @PROJECT@      the project's folder
    @PROGRAMS@    the folder of our binaries            @NAME@         the target's name
    @LISTEN@      127.0.0.1:PORT                        @PORT@         the port alone
    @CONFIG@      the target's configuration file       @BACKENDS@     all back ends, with commas
    @BACKEND@     one back end: what holds it, a word of a command or a line of a file, is repeated for
                  each of them; @BACKEND_PORT@ and @NUMBER@ go with it
    @FIRST_BACKEND@   for what knows one back end only
    @LOOPS@, @WORKERS@, @CONNECTIONS@   event loops (or processes), threads of a pool, room for clients
    @BACKLOG@     connections that may wait until they are accepted      @FILES@    open files

A word or line that begins with `logs:` is there with logs only, one with `quiet:` only without.
"""

import contextlib
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
PROGRAMS = pathlib.Path(os.environ.get("PROGRAMS", PROJECT / "target" / "release"))
HOST = "127.0.0.1"
# Below the ports that the kernel gives to clients: nobody takes them by accident, not even for TIME-WAIT.
FIRST_PORT = 20000
START_SECONDS = 15
STOP_SECONDS = 5
# lighttpd keeps a table of as many, however many the limit allows.
MOST_FILES = 20_000
# The backlog is what the kernel allows at most, since Linux 5.4 (net.core.somaxconn): thousands of clients come at once.
DEFAULTS = {"LOOPS": os.cpu_count(), "WORKERS": 128, "CONNECTIONS": 8000, "BACKLOG": 4096}


class Testbed:
    """Programs that run, and the folder they work in: a context, at whose end all are stopped."""

    def __init__(self, targets=HERE / "targets.json"):
        self.data = json.loads(pathlib.Path(targets).read_text())
        self.running = []
        self.next_port = FIRST_PORT

    def __enter__(self):
        # Not a Python exception by itself, and then the programs would outlive us.
        signal.signal(signal.SIGTERM, lambda *_: exit(143))
        self.files = raise_file_limit()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="giliran-bench-"))
        self.folder.chmod(0o755)  # Apache and nginx read it as another user
        make_site(self.folder / "public")
        make_certificate(self.folder)
        return self

    def __exit__(self, *_):
        for program in reversed(self.running):
            program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_backends(self, kind, count=5, logs=False, **parameters):
        """Starts a set of back ends; gives their ports."""
        entry = self.data["backends"][kind]
        ports = [self.free_port() for _ in range(count)]
        # Either one process listens on all of them, or each has its own.
        shares = [ports] if entry.get("shared") else [[port] for port in ports]
        for share in shares:
            self.start(f"{kind}-{share[0]}", entry, share[0], share, logs, **parameters)
        return ports

    def start_target(self, name, backends, logs=False, more=(), **parameters):
        """Starts a target on a free port before these back ends; one that brings its own gets those.
        `more` is added to its command."""
        entry = self.data["targets"][name]
        if "is" in entry:  # another target, with something of its own
            entry = {**self.data["targets"][entry["is"]], **entry}
        if own := entry.get("backends"):
            backends = self.start_backends(own, logs=logs, **parameters)
        entry = {**entry, "command": [*entry["command"], *more]}
        return self.start(name, entry, self.free_port(), backends, logs, **parameters)

    def start(self, name, entry, port, backends, logs=False, **parameters):
        words = {**DEFAULTS, **entry.get("parameters", {}), **parameters}
        words |= {"DIR": self.folder, "PROJECT": PROJECT, "PROGRAMS": PROGRAMS, "NAME": name, "PORT": port}
        words |= {"LISTEN": f"{HOST}:{port}", "CONFIG": self.folder / f"{name}.conf"}
        words["BACKENDS"] = ",".join(f"{HOST}:{backend}" for backend in backends)
        words["FILES"] = min(self.files, MOST_FILES)
        words["FIRST_BACKEND"] = words["BACKENDS"].partition(",")[0]
        if source := entry.get("compile"):
            compile_floor(HERE / source, self.folder)
        if config := entry.get("config"):
            lines = (HERE / config).read_text().splitlines()
            text = "\n".join(filled(lines, words, backends, logs)) + "\n"
            words["CONFIG"].write_text(text)
        command = list(filled(entry["command"], words, backends, logs))
        program = Program(name, command, port, self.folder)
        self.running.append(program)
        program.wait_until_reachable()
        return program

    def stop(self, program):
        program.stop()
        self.running.remove(program)

    def free_port(self):
        """A port nobody listens on: our programs would take port 0 and say which, the peers would not."""
        while True:
            self.next_port += 1
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, self.next_port))
                return self.next_port


class Program:
    """One process with all its children."""

    host = HOST

    def __init__(self, name, command, port, folder):
        self.name, self.port, self.command = name, port, command
        # HAProxy and the Python programs log to what they were given; appended to, so that it can be cut.
        self.said = folder / f"{name}.said"
        self.log = folder / f"{name}.log"
        with open(self.said, "ab") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                            cwd=folder, start_new_session=True)

    def wait_until_reachable(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection((HOST, self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        said = self.said.read_text(errors="replace")[-500:]
        raise RuntimeError(f"{self.name} cannot be reached on port {self.port}: {' '.join(self.command)}\n{said}")

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass  # a balancer may be waiting for connections to end
            # Also if it has ended: a child may have stayed behind.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tree(self):
        """The ids of the process and of all its children."""
        found, queue = [], [self.process.pid]
        while queue:
            found.append(queue.pop())
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{found[-1]}/task"):
                    children = pathlib.Path(f"/proc/{found[-1]}/task/{task}/children").read_text()
                    queue.extend(int(child) for child in children.split())
        return found

    def cpu_seconds(self):
        """Processor time of the whole tree, user and system, ended threads and awaited children counted in."""
        total = 0.0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                # What clock_getcpuclockid(3) gives: to the nanosecond, where /proc has hundredths.
                total += time.clock_gettime((~pid << 3) | 2)
                times = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(times[13]) + int(times[14])) / os.sysconf("SC_CLK_TCK")
        return total

    def pss_bytes(self):
        """Memory of the whole tree, pages that are shared divided by their sharers."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += 1024 * int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
        return total

    def cut_logs(self):
        """Forgets what it has logged, so that hours of load do not fill the disk. All of them append."""
        for path in self.said, self.log:
            with contextlib.suppress(OSError):
                os.truncate(path, 0)


def filled(pieces, words, backends, logs):
    """Words of a command or lines of a file, with what stands between @ and @ replaced."""
    for piece in pieces:
        kind, mark, rest = piece.partition(":")
        if mark and (kind := kind.strip()) in ("logs", "quiet"):
            if logs != (kind == "logs"):
                continue
            piece = rest.lstrip(" ")
        each = enumerate(backends, 1) if "@BACKEND@" in piece or "@BACKEND_PORT@" in piece else [(0, 0)]
        for number, backend in each:
            own = {"BACKEND": f"{HOST}:{backend}", "BACKEND_PORT": backend, "NUMBER": number, **words}
            yield re.sub(r"@([A-Z_]+)@", lambda found: str(own[found[1]]), piece)


def make_site(folder):
    """What all servers serve: the course's picture and document, and its first page as a file."""
    for name in ["images/pokijan.jpg", "pdf/nfc.pdf"]:
        (folder / name).parent.mkdir(parents=True)
        shutil.copyfile(PROJECT / "public" / name, folder / name)
    (folder / "index.html").write_text("Ini Adalah web Server percobaan")
    # Numbered, so that a part of it cannot be taken for another.
    (folder / "1k.txt").write_text("".join(f"{number:07}\n" for number in range(128)))
    (folder / "100k.txt").write_text("".join(f"{number:07}\n" for number in range(12_800)))


def make_certificate(folder):
    """One certificate for all that speak TLS: ECDSA with P-256, as most of the web has it."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    (folder / "both.pem").write_text(cert.read_text() + key.read_text())


def compile_floor(source, folder):
    program = folder / source.stem
    if not program.exists():
        subprocess.run(["cc", "-O2", "-pthread", "-o", program, source], check=True)


def raise_file_limit():
    """As many open files as we may have, for us and for all that we start."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def progress(text):
    """One line that is written over, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def wanted(names, only):
    """Those of the names that a list with commas holds; all without one."""
    return [name for name in names if not only or name in only.split(",")]


def machine():
    """Where and when figures were taken: they mean nothing without it."""
    def said(*command):
        try:
            ran = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT)
        except FileNotFoundError:
            return "not installed"
        return ((ran.stdout + ran.stderr).splitlines() or [""])[0].strip()

    processor = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "commit": said("git", "rev-parse", "--short", "HEAD"),
        "processor": processor[1] if processor else platform.machine(),
        "processors": os.cpu_count(),
        "kernel": re.match(r"[\d.]+", platform.release())[0],
        "load_before": round(os.getloadavg()[0], 2),
        "nginx": said("nginx", "-v"),
        "haproxy": said("haproxy", "-v"),
        "apache": said("apache2", "-v"),
        "h2o": said("h2o", "--version"),
        "lighttpd": said("lighttpd", "-v"),
        "caddy": said("caddy", "version"),
        "wrk": said("wrk", "-v"),
        "ab": said("ab", "-V"),
    }


def machine_sentence(where):
    return (f"{where['processor']}, {where['processors']} processors, Linux {where['kernel']}, load average"
            f" {where['load_before']} before; commit {where['commit']}, {where['date']}.")
