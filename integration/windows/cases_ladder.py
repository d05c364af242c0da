"""The ladder: each step's balancer before its web server."""

import contextlib

from system import ROOT
from wire import curl

STEPS = ["1_one_at_a_time", "2_thread_per_connection", "3_worker_pool", "4_poll_loop"]
FILE = "pdf/nfc.pdf"


@contextlib.contextmanager
def step(system, name, *arguments):
    """A program of the ladder; it has no drain, so the system ends it at Ctrl-C."""
    program = system.start(f"examples/{name}", "0", *arguments)
    try:
        program.port = int(program.wait_for(r"^listening on 127\.0\.0\.1:(\d+)$")[1])
        yield program
        program.ctrl_c()
        program.end()
    finally:
        program.destroy()


def case_ladder_each_step_serves_a_page_and_a_file_through_its_balancer(system):
    for name in STEPS:
        with step(system, f"web_{name}", system.path(ROOT / "public")) as server:
            with step(system, name, f"127.0.0.1:{server.port}") as balancer:
                for _ in range(3):
                    assert curl(f"http://127.0.0.1:{balancer.port}/santai") == b"santai saja", name
                whole = (ROOT / "public" / FILE).read_bytes()
                assert curl(f"http://127.0.0.1:{balancer.port}/{FILE}") == whole, name
