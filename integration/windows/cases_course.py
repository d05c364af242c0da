"""The course: the suite, its transcripts as in `integration/transcript.rs`, and the lab."""

import json
import os
import re
import signal

from roles import MODELS, role, suite
from system import ROOT, eventually
from wire import curl, status_of

PAGES = [
    ("/", b"Ini Adalah web Server percobaan"),
    ("/images/", b"Ini Adalah web Server percobaan untuk images"),
    ("/pdf/", b"Ini Adalah web Server percobaan untuk pdf"),
]
DOWNLOADS = [("images/pokijan.jpg", b"image/jpeg"), ("pdf/nfc.pdf", b"application/pdf"), ("testing.txt", b"text/plain")]

# The smallest grid: each balancer once.
SMALL = ["--backends", "1", "--concurrency", "2", "--repeat", "1", "--limit", "20s"]


def case_the_suite_each_of_its_addresses(system):
    with suite(system) as (started, lines, status):
        names = [name for name, _, _ in lines]
        assert len(names) == 11 and {"reverse-proxy", "lb-threaded", "lb-async"} < set(names), started.said
        for name, _, url in lines:
            assert curl(url).startswith(PAGES[0][1]), (name, url)
        assert status_of(f"{status}/") == 200 and b"lb-async" in curl(f"{status}/status.json")
        started.wait_for("koneksi diteruskan ke")


def case_transcripts_three_pages_and_two_downloads_through_the_proxy(system):
    with suite(system) as (_, lines, _):
        proxy = next(address for name, address, _ in lines if name == "reverse-proxy")
        for target, text in PAGES:
            assert curl(f"http://{proxy}{target}") == text, target
        for path, _ in DOWNLOADS[:2]:
            assert curl("--fail", f"http://{proxy}/{path}") == (ROOT / "public" / path).read_bytes(), path


def case_transcripts_the_suite_with_mirror_answers_as_the_python_did(system):
    with suite(system, "--mirror") as (_, lines, _):
        addresses = {name: address for name, address, _ in lines}
        expect_transcripts(f"http://{addresses['reverse-proxy']}")
        for name in ["default-server", "lb-threaded", "lb-async", "web-server"]:
            expect_mirrored(everything(f"http://{addresses[name]}/"), PAGES[0][1])


def case_transcripts_each_server_with_mirror_on_both_models(system):
    for model in MODELS:
        for name, files in [("default-server", DOWNLOADS[2:]), ("image-server", DOWNLOADS[:1]), ("pdf-server", DOWNLOADS[1:2])]:
            with role(system, name, "--model", model, "--mirror") as server:
                for path, kind in files:
                    expect_mirrored(everything(f"{server.url}/{path}"), (ROOT / "public" / path).read_bytes(), kind)


def expect_transcripts(url):
    """Everything that the course asked for."""
    for target, text in PAGES:
        expect_mirrored(everything(url + target), text)
    for path, kind in DOWNLOADS:
        expect_mirrored(everything(f"{url}/{path}"), (ROOT / "public" / path).read_bytes(), kind)
    expect_mirrored(everything(f"{url}/sending.html", "--data", "nama=ani"), b"kosong")


def everything(url, *further):
    """All bytes of a response; by itself curl stops at Content-Length, before the stray bytes behind it."""
    return curl("--include", "--ignore-content-length", *further, url)


def expect_mirrored(response, body, kind=None):
    """The Python's answer: a date in its own form, four fields, the body and four stray bytes."""
    date = rb"HTTP/1\.0 200 OK\r\nDate: [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\r\n"
    fields = b"Connection: close\r\nServer: myserver/1.0\r\nContent-Length: %d\r\n" % len(body)
    kind = b"Content-type: %s\r\n" % kind if kind else b""
    found = re.match(date, response)
    assert found and response[found.end() :] == fields + kind + b"\r\n" + body + b"\r\n\r\n", response[:400]


def lab(system, folder, *arguments):
    """Starts the lab, whatever build it is."""
    return system.start("lab", *arguments, "--allow-debug", "--out", system.path(system.folder / folder))


def case_lab_quick(system):
    measured = lab(system, "quick", "--quick", *SMALL, "--requests", "40", "--peer", "ladder")
    try:
        assert measured.end(240) == 0, measured.said
        report = (system.folder / "quick/report.html").read_text()
        assert "; 0 failed." in report, re.search(r"[^.]* failed\.", report)
        results = json.loads((system.folder / "quick/results.json").read_text())
        names = {run["contender"] for run in results["runs"]}
        assert {"threaded", "async"} < names and len(names) == 6, names
        assert all(run["answered"] == 40 for run in results["runs"]), results["runs"]
        if system.name == "wine":
            # What this system does not tell is not zero.
            assert all(run["kernel"] is run["balancer"] is run["back_ends"] is None for run in results["runs"])
            assert "A dash (-): not measured" in report, report
            assert re.match(r"windows \d+\.\d", results["machine"]["kernel"]), results["machine"]
    finally:
        measured.destroy()


def case_lab_two_lessons_and_one_that_is_not_for_windows(system):
    for name, found in [("timeline", "lb-async"), ("kill-backend", "at most those under way on it: a handful")]:
        lesson = lab(system, "lesson", "lesson", name, "--no-guess", "--quick")
        try:
            assert lesson.end(120) == 0 and found in lesson.said, lesson.said
        finally:
            lesson.destroy()
    if system.name == "wine":
        refused = lab(system, "lesson", "lesson", "backlog", "--no-guess", "--quick")
        try:
            assert refused.end() == 1 and "Linux" in refused.said, refused.said
        finally:
            refused.destroy()


def case_lab_leaves_nothing_behind_when_it_is_stopped(system):
    for stop in ["ctrl-c", "killed"]:
        running = lab(system, stop, *SMALL, "--requests", "100000")
        try:
            running.wait_for(r"^1 / 2 ")
            is_up = lambda: len([command for command in system.ours().values() if " role " in command]) >= 2
            assert eventually(is_up), system.ours()
            if stop == "ctrl-c":
                running.ctrl_c()
                assert running.end() == 1 and "lab: stopped" in running.said, running.said
            else:
                kill_the_lab_itself(system)
                running.end()
            assert eventually(lambda: not system.ours()), (stop, system.ours())
        finally:
            running.destroy()


def kill_the_lab_itself(system):
    """So that it can do nothing about the programs that it has started."""
    for process, command in system.ours().items():
        program, first, *_ = command.split()
        if re.search(r"lab(\.exe)?$", program) and first not in ("guard", "role"):
            os.kill(process, signal.SIGKILL)
