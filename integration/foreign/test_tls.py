"""TLS as a client, a scanner and a browser nobody here wrote see it."""

import base64
import contextlib
import hashlib
import subprocess
import tempfile
import unittest
from pathlib import Path

import requests
from sslyze import RobotScanResultEnum, ScanCommand, Scanner, ServerNetworkLocation, ServerScanRequest

from browser import browser
from roles import ROOT, needs, role, suite, web_server

MODELS = ["threaded", "async"]
FILE = "pdf/nfc.pdf"
OLD = [ScanCommand.SSL_2_0_CIPHER_SUITES, ScanCommand.SSL_3_0_CIPHER_SUITES, ScanCommand.TLS_1_0_CIPHER_SUITES, ScanCommand.TLS_1_1_CIPHER_SUITES]


@contextlib.contextmanager
def secure_fronts(model):
    """Everything that speaks TLS with clients, with the file of the certificate that each has made for itself."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        back_end = f"127.0.0.1:{stack.enter_context(web_server(model))}"
        balancer = "lb-threaded" if model == "threaded" else "lb-async"
        fronts = {
            "web-server": lambda *flags: web_server(model, *flags),
            "reverse-proxy": lambda *flags: role("reverse-proxy", "--model", model, "--default", back_end, *flags),
            "balancer of requests": lambda *flags: role(balancer, "--mode", "http", "--backend", back_end, *flags),
            "balancer of bytes": lambda *flags: role(balancer, "--mode", "tcp", "--backend", back_end, *flags),
        }
        found = []
        for name, start in fronts.items():
            file = folder / f"{name}.pem"
            found.append((name, stack.enter_context(start("--tls-self-signed", "--tls-self-signed-to", file)), file))
        yield found


class Tls(unittest.TestCase):
    def targets(self):
        for model in MODELS:
            with secure_fronts(model) as fronts:
                for name, port, file in fronts:
                    with self.subTest(target=name, model=model):
                        yield name, port, file

    def test_requests_verifies_and_is_served(self):
        content = (ROOT / FILE).read_bytes()
        for _, port, file in self.targets():
            with requests.Session() as session:
                session.trust_env = False  # which may name other authorities
                session.verify = str(file)
                for _ in range(3):
                    self.assertEqual(session.get(f"https://localhost:{port}/{FILE}", timeout=20).content, content)
                self.assertEqual(session.post(f"https://127.0.0.1:{port}/", data=content, timeout=20).text, "kosong")
                session.verify = True
                with self.assertRaises(requests.exceptions.SSLError):
                    session.get(f"https://localhost:{port}/?", timeout=20)

    def test_a_scanner_finds_nothing_old_and_no_known_fault(self):
        for _, port, _ in self.targets():
            location = ServerNetworkLocation(hostname="localhost", ip_address="127.0.0.1", port=port)
            scanner = Scanner()
            scanner.queue_scans([ServerScanRequest(server_location=location)])
            [found] = scanner.get_results()
            self.assertIsNotNone(found.scan_result, found.connectivity_error_trace)

            def result(command):
                attempt = getattr(found.scan_result, command.value)
                self.assertIsNotNone(attempt.result, f"{command}: {attempt.error_trace}")
                return attempt.result

            def suites(command):
                return {accepted.cipher_suite.name for accepted in result(command).accepted_cipher_suites}

            for command in OLD:
                self.assertEqual(suites(command), set(), command)
            for name in suites(ScanCommand.TLS_1_2_CIPHER_SUITES):
                self.assertRegex(name, "^TLS_ECDHE_(ECDSA|RSA)_WITH_(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA")
            self.assertEqual(len(suites(ScanCommand.TLS_1_2_CIPHER_SUITES)), 3)
            self.assertEqual(len(suites(ScanCommand.TLS_1_3_CIPHER_SUITES)), 3)
            self.assertFalse(result(ScanCommand.TLS_COMPRESSION).supports_compression)
            self.assertFalse(result(ScanCommand.TLS_1_3_EARLY_DATA).supports_early_data)
            self.assertFalse(result(ScanCommand.OPENSSL_CCS_INJECTION).is_vulnerable_to_ccs_injection)
            self.assertFalse(result(ScanCommand.HEARTBLEED).is_vulnerable_to_heartbleed)
            self.assertEqual(result(ScanCommand.ROBOT).robot_result, RobotScanResultEnum.NOT_VULNERABLE_RSA_NOT_SUPPORTED)
            renegotiation = result(ScanCommand.SESSION_RENEGOTIATION)
            self.assertTrue(renegotiation.supports_secure_renegotiation)
            self.assertEqual(renegotiation.client_renegotiations_success_count, 0)
            self.assertTrue(result(ScanCommand.TLS_FALLBACK_SCSV).supports_fallback_scsv)
            self.assertTrue(result(ScanCommand.TLS_EXTENDED_MASTER_SECRET).supports_ems_extension)


def fingerprint(file):
    """The SHA-256 of a certificate's public key, in base64, as Chromium wants it."""
    key = subprocess.run(["openssl", "x509", "-in", file, "-pubkey", "-noout"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True, check=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def complaints(page):
    """What a page had to complain about, but that the course's site has no picture for its tab."""
    return [one for one in page.complaints() if not one.endswith("/favicon.ico")]


@needs(chromium="chromium", openssl="openssl")
class Browser(unittest.TestCase):
    def test_the_suite_opens_over_tls_without_a_complaint(self):
        with contextlib.ExitStack() as stack:
            file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "made.pem"
            addresses = stack.enter_context(suite("--tls", "--tls-self-signed-to", file))
            # It believes this certificate and no other of its kind.
            open_page = stack.enter_context(browser(f"--ignore-certificate-errors-spki-list={fingerprint(file)}"))
            for name in ["reverse-proxy", "lb-threaded", "lb-async"]:
                with self.subTest(role=name):
                    page = open_page(f"https://{addresses[name]}/")
                    page.wait_for("location.protocol === 'https:' && document.readyState === 'complete'")
                    self.assertTrue(page.run("isSecureContext"))
                    self.assertEqual(page.run("performance.getEntriesByType('navigation')[0].nextHopProtocol"), "http/1.1")
                    self.assertNotEqual(page.run("document.body.innerText.trim()"), "")
                    self.assertEqual(complaints(page), [])
            images = open_page(f"https://{addresses['reverse-proxy']}/page.html")
            images.wait_for("document.readyState === 'complete'")
            drawn = "[...document.images].filter(image => image.complete && image.naturalWidth > 0).length"
            self.assertEqual(images.run(drawn), images.run("document.images.length"))
            self.assertEqual(complaints(images), [])
