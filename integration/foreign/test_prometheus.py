"""Prometheus scrapes a running suite: what it knows is what `ab` did; and two readers of the text take it without complaint."""

import contextlib
import json
import re
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from roles import apache_bench, eventually, needs, started, suite

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
CONFIGURATION = """
global: {{ scrape_interval: 250ms, scrape_timeout: 250ms }}
scrape_configs: [{{ job_name: giliran, static_configs: [{{ targets: ["{target}"] }}] }}]
"""


@contextlib.contextmanager
def prometheus(target):
    """A Prometheus that scrapes one target; gives a function that asks its API."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "prometheus.yml")
        configuration.write_text(CONFIGURATION.format(target=target))
        command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0"]
        with started(command, "Server is ready to receive web requests") as said:
            port = re.search(r'msg="Listening on" address=127\.0\.0\.1:(\d+)', said)[1]

            def ask(path, **query):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as response:
                    return json.load(response)["data"]

            yield ask


def metrics(status, accept):
    request = urllib.request.Request(f"http://{status}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers["Content-Type"], response.read().decode()


@needs(prometheus="prometheus", ab="apache2-utils")
class Prometheus(unittest.TestCase):
    def setUp(self):
        self.suite = self.enterContext(suite())
        self.ask = self.enterContext(prometheus(self.suite["status"]))

    def query(self, text):
        """The values of a query by their labels, in the order of the names of these."""
        found = self.ask("query", query=text)["result"]
        return {tuple(value for _, value in sorted(one["metric"].items())): float(one["value"][1]) for one in found}

    def test_it_knows_what_ab_did(self):
        apache_bench(self.suite["lb-async"], 300, 10)
        apache_bench(self.suite["lb-threaded"], 200, 10)
        apache_bench(self.suite["reverse-proxy"], 500, 10, "-k")
        answered = {("lb-async",): 300, ("lb-threaded",): 200, ("reverse-proxy",): 500}
        # What the balancers and the proxy passed on, as those counted it who responded.
        answered |= {("web-server",): 500, ("default-server",): 500}
        # A connection without a status is a relayed one. `ab` opens up to nine more than it uses, so they are not counted here.
        by_status = {("reverse-proxy", "2xx"): 500, ("web-server", "2xx"): 500, ("default-server", "2xx"): 500}
        queries = {
            "sum by (role) (giliran_first_byte_seconds_count) > 0": answered,
            'sum by (role, status) (giliran_requests_total{status!="none"}) > 0': by_status,
            "sum by (status) (giliran_route_requests_total) > 0": {("2xx",): 500},
            "sum by (role) (giliran_requests_unclean_total) > 0": {},
        }
        for query, expected in queries.items():
            with self.subTest(query=query):
                eventually(lambda: self.query(query) == expected)
                self.assertEqual(self.query(query), expected)
        received = self.query('giliran_received_bytes_total{role=~"lb-.*"} / on(role) sum by (role) (giliran_first_byte_seconds_count)')
        self.assertEqual(len(set(received.values())), 1, "each request of ab has the same length, and nothing else was received")
        slowest = self.query("histogram_quantile(0.99, sum by (role, le) (giliran_total_seconds_bucket)) > 0")
        self.assertEqual(slowest.keys(), answered.keys())

    def test_its_target_is_up_and_openmetrics(self):
        eventually(lambda: self.query("up") and self.ask("metadata", metric="giliran_build"))
        targets = self.ask("targets")["activeTargets"]
        self.assertEqual([(target["health"], target["lastError"]) for target in targets], [("up", "")])
        self.assertEqual(list(self.query("up").values()), [1])
        self.assertEqual(list(self.query("giliran_ready").values()), [1] * 11)
        # The other format has no such type, and no metric of this name: so it was OpenMetrics that was read.
        self.assertEqual(self.ask("metadata", metric="giliran_build")["giliran_build"][0]["type"], "info")


class Documentation(unittest.TestCase):
    def test_it_lists_every_metric_and_no_other(self):
        with suite() as addresses:
            _, text = metrics(addresses["status"], "*/*")
        served = {name: kind for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)}
        served["giliran_build_info"] = "info"  # a type that this format does not have
        page = Path(__file__).parents[2].joinpath("docs", "operations.md").read_text()
        self.assertEqual(dict(re.findall(r"^\| `((?:giliran|process)_\w+)` \| (\w+) \|", page, re.MULTILINE)), served)


@needs(promtool="prometheus", ab="apache2-utils")
class Readers(unittest.TestCase):
    def test_promtool_has_no_complaint(self):
        with suite() as addresses:
            apache_bench(addresses["reverse-proxy"], 20, 2)
            kind, text = metrics(addresses["status"], "*/*")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        checked = lambda text: subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=20, check=False)
        linted = checked(text)
        self.assertEqual((linted.returncode, linted.stdout + linted.stderr), (0, ""))
        # It would have had one.
        self.assertIn("counter metrics should have", checked("# HELP x X.\n# TYPE x counter\nx 1\n").stderr)

    def test_the_reference_parser_of_openmetrics_reads_it(self):
        with suite() as addresses:
            apache_bench(addresses["reverse-proxy"], 20, 2)
            kind, text = metrics(addresses["status"], OPENMETRICS)
        self.assertEqual(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        proxied = [sample.value for sample in families["giliran_requests"].samples if sample.labels["role"] == "reverse-proxy"]
        self.assertEqual(proxied, [0, 20, 0, 0, 0, 0])
        for family in families.values():
            self.assertTrue(family.documentation.endswith("."), family.name)
