"""Our programs, started for a case, and ended by Ctrl-C behind it."""

import contextlib
import re

MODELS = ["threaded", "async"]


@contextlib.contextmanager
def program(system, announcement, name, *arguments):
    """A program from the line that it announces itself by to its end by Ctrl-C, after which its status must be 0."""
    started = system.start(name, *arguments)
    try:
        started.announced = started.wait_for(announcement)
        yield started
        started.ctrl_c()
        status = started.end()
        assert status == 0, f"{name} ended with status {status}:\n{started.said}"
    finally:
        started.destroy()


@contextlib.contextmanager
def role(system, name, *flags):
    """A role on a free port, or a command of `giliran`, such as "giliran serve"."""
    name, *command = name.split()
    listening = r"^listening on (?:http://|https://)?(127\.0\.0\.1:(\d+))/?$"
    with program(system, listening, name, *command, "--listen", "127.0.0.1:0", *flags) as started:
        started.address, started.port = started.announced[1], int(started.announced[2])
        started.url = f"http://{started.address}"
        yield started


def balancer(model):
    """The name of this model's balancer."""
    return f"lb-{model}"


@contextlib.contextmanager
def suite(system, *flags):
    """All roles in one process on free ports; gives the program, the lines of its map and the status page's address."""
    with program(system, "^ready;", "suite", "--port-base", "0", *flags) as started:
        lines = re.findall(r"^(\S+) +(?:threaded|async) +(127\.0\.0\.1:\d+) +curl (http://\S+)$", started.said, re.MULTILINE)
        status = re.search(r"^status on (http://\S+)/$", started.said, re.MULTILINE)[1]
        yield started, lines, status
