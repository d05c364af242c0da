"""Every web server by itself, on both models: pages, files, bytes in pieces, TLS, the status page, configuration."""

import json
import time

from roles import MODELS, program, role
from system import ROOT
from wire import client, curl, rest, status_of

PAGE = b"Ini Adalah web Server percobaan"

# Paths that are no files of the site, and would be something else to Windows: the folder above, another drive,
# devices, a stream of a file, names with a dot or a space that Windows drops, other case, a short name, a share.
NO_FILES = [
    "/../Cargo.toml",
    "/..%2fCargo.toml",
    "/..%5cCargo.toml",
    "/images%5c..%5c..%5cCargo.toml",
    "/C:/windows/win.ini",
    "/C:%5cwindows%5cwin.ini",
    "/%5c%5c%3f%5cC:%5cwindows%5cwin.ini",
    "/NUL",
    "/CON",
    "/images/AUX.txt",
    "/COM1",
    "/testing.txt::$DATA",
    "/testing.txt.",
    "/Testing.TXT",
    "/testing.txt%20",
    "/TESTIN~1.TXT",
    "//localhost/c$/windows/win.ini",
]


def case_each_server_has_its_page_and_its_files(system):
    for model in MODELS:
        for name, target, text in [
            ("default-server", "/", b""),
            ("image-server", "/images/", b" untuk images"),
            ("pdf-server", "/pdf/", b" untuk pdf"),
            ("web-server", "/", b""),
        ]:
            with role(system, name, "--model", model) as server:
                assert curl(server.url + target) == PAGE + text, (name, model)
                folder = {"image-server": "images", "pdf-server": "pdf"}.get(name, "")
                for file in sorted((ROOT / "public" / folder).glob("*.*")):
                    path = file.relative_to(ROOT / "public")
                    assert curl(f"{server.url}/{path}") == file.read_bytes(), (name, model, path)


def case_giliran_serve_on_both_models(system):
    for model in MODELS:
        with role(system, "giliran serve", "--model", model, "--listing", "public") as server:
            assert curl(f"{server.url}/pdf/nfc.pdf") == (ROOT / "public/pdf/nfc.pdf").read_bytes()
            listed = json.loads(curl("--header", "Accept: application/json", f"{server.url}/images/"))
            assert "pokijan.jpg" in json.dumps(listed), listed


def case_ranges_conditions_and_kept_connections(system):
    whole = (ROOT / "public/pdf/nfc.pdf").read_bytes()
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server:
            url = f"{server.url}/pdf/nfc.pdf"
            assert curl("--range", "100-199", url) == whole[100:200]
            tag = curl("--head", "--output", "-", "--write-out", "%header{etag}", url).split(b"\r\n\r\n")[-1].decode()
            assert tag, "a file has no ETag"
            condition = ["--header", f"If-None-Match: {tag}", "--output", "/dev/null", "--write-out", "%{http_code}"]
            assert curl(*condition, url) == b"304"
            connects = ["--output", "/dev/null", "--output", "/dev/null", "--write-out", "%{num_connects} "]
            assert curl(*connects, url, url) == b"1 0 ", "the second request is on the connection of the first"


def case_what_is_no_file_of_the_site_is_not_found(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server:
            for path in NO_FILES:
                status = int(curl("--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}", server.url + path))
                assert status in (400, 404), (model, path, status)


def case_a_response_of_64_mebibytes(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server:
            size = curl("--output", "/dev/null", "--write-out", "%{size_download}", f"{server.url}/?size={64 << 20}")
            assert int(size) == 64 << 20, (model, size)


def case_a_request_byte_by_byte(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model) as server, client(server.port) as connection:
            for byte in b"GET /santai HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
                connection.sendall(bytes([byte]))
                time.sleep(0.002)  # each byte in a segment of its own
            response = rest(connection)
            assert response.startswith(b"HTTP/1.1 200 ") and response.endswith(b"\r\n\r\nsantai saja"), response


def case_tls_with_a_certificate_of_its_own(system):
    for model in MODELS:
        certificate = system.folder / f"{model}.pem"
        flags = ["--tls-self-signed", "--tls-self-signed-to", system.path(certificate)]
        with role(system, "web-server", "--model", model, *flags) as server:
            trusted = ["--cacert", certificate]
            assert curl(*trusted, f"https://localhost:{server.port}/") == PAGE
            size = curl(*trusted, "--output", "/dev/null", "--write-out", "%{size_download}", f"https://localhost:{server.port}/?size={4 << 20}")
            assert int(size) == 4 << 20


def case_the_status_page(system):
    for model in MODELS:
        with role(system, "web-server", "--model", model, "--status", "127.0.0.1:0") as server:
            page = server.wait_for(r"^status on (http://\S+)/$")[1]
            curl(f"{server.url}/santai")
            assert b"<html" in curl(f"{page}/")
            assert b"# TYPE giliran_" in curl(f"{page}/metrics")
            document = json.loads(curl(f"{page}/status.json"))
            assert document, "an empty document"
            assert [status_of(f"{page}/{path}") for path in ("healthz", "readyz")] == [200, 200]


def case_a_configuration_file_with_windows_line_ends(system):
    file = system.folder / "serve.toml"
    file.write_bytes(b'listen = ["127.0.0.1:0"]\r\nmodel = "async"\r\nroot = "public"\r\n')
    with program(system, r"^listening on (\S+)$", "web-server", "--config", system.path(file)) as server:
        assert curl(f"http://{server.announced[1]}/") == PAGE
    file.write_bytes(b"lisen = 1\r\n")
    wrong = system.start("web-server", "--config", system.path(file))
    try:
        assert wrong.end() == 2, wrong.said
        assert "lisen" in wrong.said and "listen" in wrong.said, wrong.said
    finally:
        wrong.destroy()


def case_an_address_that_is_taken_is_named(system):
    with role(system, "web-server") as first:
        second = system.start("web-server", "--listen", first.address)
        try:
            assert second.end() == 1, second.said
            assert first.address in second.said, second.said
        finally:
            second.destroy()
