#!/usr/bin/env python3
"""Runs the Windows programs under wine, and says of each case whether it holds and how long it took.

    integration/windows/run.py FOLDER         the programs of FOLDER, under wine
    integration/windows/run.py FOLDER drain   the cases whose names have `drain` in them
    integration/windows/run.py --here FOLDER  programs of this system, to try the cases themselves

`.ci/other-systems` builds the programs. The status is 0 if nothing has failed.
"""

import argparse
import signal
import sys
import time
import traceback
from pathlib import Path

import cases_course
import cases_forwarding
import cases_ladder
import cases_servers
from system import ThisSystem, Wine, eventually

MODULES = [cases_servers, cases_forwarding, cases_course, cases_ladder]

NOT_SHOWN = [
    ("Ctrl-Break, and a window that is closed", "wine 8 refuses to send the first, and a console without a window has none"),
    ("the certificate store of Windows, for https:// back ends", "wine fills its own from Linux's"),
    ("colours and widths of a terminal", "a console without a window is no terminal"),
    ("Python programs as the lab's contenders", "no Python for Windows is installed here"),
    ("speed, and what the firewall asks at the first start", "wine serves sockets by Linux's kernel"),
    ("a full backlog", "Linux drops the connect and Windows refuses it; under wine it is Linux that decides"),
    ("files that another program has open", "the files are Linux's"),
]


def cases(words):
    """The cases of all modules in their order: functions that begin with `case_`."""
    for module in MODULES:
        for name, function in list(vars(module).items()):
            if name.startswith("case_"):
                title = name.removeprefix("case_").replace("_", " ")
                if all(word in title for word in words):
                    yield title, function


def told(problem):
    """What went wrong, and which line of which case saw it."""
    frames = traceback.extract_tb(problem.__traceback__)
    of_cases = [frame for frame in frames if Path(frame.filename).name.startswith("cases_")]
    line = (of_cases or frames)[0]
    return f"{Path(line.filename).name}:{line.lineno}: {line.line}\n{type(problem).__name__}: {problem}\n"


def run(system, words):
    """Runs them one after the other; gives how many passed and failed."""
    passed, failed = 0, 0
    for title, function in cases(words):
        start = time.monotonic()
        try:
            function(system)
            assert eventually(lambda: not system.ours()), f"left behind: {system.ours()}"
            outcome, passed = "ok", passed + 1
        except Exception as problem:  # whatever it is, the other cases are worth running
            outcome, failed = f"FAILED\n{told(problem)}", failed + 1
        print(f"{time.monotonic() - start:6.1f} s  {title}: {outcome}", flush=True)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true", help="not under wine")
    parser.add_argument("folder", type=Path, help="where the programs are, and their examples/")
    parser.add_argument("words", nargs="*", help="what a case's name must have in it")
    arguments = parser.parse_args()
    # So that whoever ends this script ends what it has started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    start = time.monotonic()
    with (ThisSystem if arguments.here else Wine)(arguments.folder.resolve()) as system:
        print(f"{time.monotonic() - start:6.1f} s  {system.name} is ready", flush=True)
        passed, failed = run(system, arguments.words)
    for what, why in NOT_SHOWN:
        print(f"not shown: {what} ({why})")
    print(f"{time.monotonic() - start:.0f} s in all: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
