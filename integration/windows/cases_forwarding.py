"""The reverse proxy and both balancers in both modes: back ends that work, that are down, and the drain."""

import contextlib
import re

from roles import MODELS, balancer, role
from system import ROOT, eventually
from wire import Backend, client, curl, is_refused, rest, status_of, until

PAGE = b"Ini Adalah web Server percobaan"
FILE = "pdf/nfc.pdf"

# Port 1 is nobody's.
DOWN = "127.0.0.1:1"

UNCHECKED = ["--health-interval", "off"]


def fronts(model, backend):
    """Everything that can stand before a back end: its name, its flags."""
    return [
        ("reverse-proxy", ["--model", model, "--default", backend]),
        ("giliran proxy", ["--model", model, "--route", f"/={backend}"]),
        (balancer(model), ["--mode", "tcp", "--backend", backend]),
        (balancer(model), ["--mode", "http", "--backend", backend]),
        ("giliran balance", ["--model", model, "--mode", "http", backend]),
    ]


def case_each_front_passes_pages_files_and_uploads_on(system):
    whole = (ROOT / "public" / FILE).read_bytes()
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server:
            for name, flags in fronts(model, server.address):
                with role(system, name, *flags) as front:
                    assert curl(f"{front.url}/santai") == b"santai saja", (name, model)
                    assert curl(f"{front.url}/{FILE}") == whole, (name, model)
                    upload = ["--data-binary", f"@{ROOT / 'public' / FILE}"]
                    assert curl(*upload, f"{front.url}/") == b"kosong", (name, model)


def case_64_mebibytes_through_each_front(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server:
            for name, flags in fronts(model, server.address):
                with role(system, name, *flags) as front:
                    size = curl("--output", "/dev/null", "--write-out", "%{size_download}", f"{front.url}/?size={64 << 20}")
                    assert int(size) == 64 << 20, (name, model, size)


def case_each_back_end_gets_its_turn(system):
    for model in MODELS:
        for mode in ["tcp", "http"]:
            with contextlib.ExitStack() as stack:
                servers = [stack.enter_context(role(system, "web-server", "--model", model)) for _ in range(3)]
                flags = [word for server in servers for word in ("--backend", server.address)]
                front = stack.enter_context(role(system, balancer(model), "--mode", mode, *UNCHECKED, *flags))
                for _ in range(6):
                    assert curl(front.url) == PAGE
                # The course's own line, once a connection.
                turns = lambda: [front.said.count(f"koneksi diteruskan ke {server.address}") for server in servers]
                assert eventually(lambda: turns() == [2, 2, 2]), (model, mode, turns())


def case_a_back_end_that_is_down_loses_its_turn(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server:
            for mode in ["tcp", "http"]:
                flags = ["--mode", mode, *UNCHECKED, "--backend", DOWN, "--backend", server.address]
                with role(system, balancer(model), *flags) as front:
                    for _ in range(4):
                        assert curl(front.url) == PAGE, (model, mode)
                    front.wait_for(f"{re.escape(DOWN)} failed")


def case_without_any_back_end_the_client_is_told(system):
    for model in MODELS:
        for name, flags in [("reverse-proxy", ["--model", model, "--default", DOWN]), (balancer(model), ["--mode", "http", "--backend", DOWN])]:
            with role(system, name, *UNCHECKED, *flags) as front:
                assert status_of(front.url) in (502, 503), (name, model)


def case_checks_find_a_back_end_that_has_gone(system):
    for model in MODELS:
        with role(system, "web-server") as stays:
            with role(system, "web-server") as goes, contextlib.ExitStack() as later:
                flags = ["--mode", "http", "--health-interval", "200ms", "--backend", stays.address, "--backend", goes.address]
                front = later.enter_context(role(system, balancer(model), *flags))
                assert curl(front.url) == PAGE
                goes.ctrl_c()
                goes.end()
                goes.ctrl_c = lambda: None  # it has ended already
                front.wait_for(f"{re.escape(goes.address)} is out: its checks fail")
                assert [curl(front.url) for _ in range(3)] == [PAGE] * 3


def case_ctrl_c_is_a_drain_the_request_in_flight_finishes(system):
    for model in MODELS:
        for name, flags in fronts(model, "{}"):
            backend = Backend()
            flags = [flag.format(backend.address) for flag in flags]
            try:
                with role(system, name, *UNCHECKED, *flags) as front, client(front.port) as connection:
                    connection.sendall(b"GET /pelan HTTP/1.1\r\nHost: x\r\n\r\n")
                    backend.wait_for_request()
                    front.ctrl_c()
                    front.wait_for("finishing what is in flight")
                    assert eventually(lambda: is_refused(front.port)), "it still accepts connections"
                    backend.release()
                    response = until(connection, Backend.BODY)
                    assert response.startswith(b"HTTP/1.1 200 "), (name, model, response)
                    connection.close()  # a relay lasts as long as its client does
                    # A second Ctrl-C would end it at once, so it ends by itself.
                    front.wait_for(r"^.* closed .*clean=true")
                    assert front.end() == 0, front.said
                    front.ctrl_c = lambda: None  # it has ended already
            finally:
                backend.close()


def case_ctrl_c_is_a_drain_a_large_response_finishes(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server, client(server.port) as connection:
            connection.sendall(f"GET /?size={32 << 20} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            first = connection.recv(1000)
            server.ctrl_c()
            server.wait_for("finishing what is in flight")
            response = first + rest(connection)
            head, body = response.split(b"\r\n\r\n", 1)
            assert len(body) == 32 << 20, (model, head, len(body))
            server.wait_for(r"^.* closed .*status=200 .*clean=true")
            assert server.end() == 0, server.said
            server.ctrl_c = lambda: None  # it has ended already


def case_a_second_ctrl_c_ends_at_once(system):
    for model in MODELS:
        backend = Backend()
        front = system.start("reverse-proxy", "--listen", "127.0.0.1:0", "--model", model, "--default", backend.address, *UNCHECKED, "--drain", "10m")
        try:
            port = int(front.wait_for(r"^listening on 127\.0\.0\.1:(\d+)$")[1])
            with client(port) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                backend.wait_for_request()
                front.ctrl_c()
                front.wait_for("finishing what is in flight")
                front.ctrl_c()
                assert front.end() == 1, front.said
        finally:
            front.destroy()
            backend.close()
