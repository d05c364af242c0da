"""The manifests: valid by the schemas of their APIs; and their flags, probes and metrics tried on running roles."""

import contextlib
import re
import socket
import time
import unittest

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor
from pydantic import ValidationError

from running import BINARIES, DEPLOY, Running, ask, eventually, folder, needs

# The newest that the schemas know, and the oldest that has all of these kinds in these versions and is still met.
VERSIONS = ["1.37", "1.29"]


def documents(name):
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


def find(documents, kind, name):
    return next(one for one in documents if one["kind"] == kind and one["metadata"]["name"] == name)


def seconds(args, flag):
    return float(next(re.fullmatch(rf"{flag}=(\d+)s", word)[1] for word in args if word.startswith(flag + "=")))


def adapted(args, **values):
    """The arguments with other values for what a container has to itself: addresses and files."""
    values = {f"--{key.replace('_', '-')}": value for key, value in values.items()}
    words = [f"{flag}={values[flag]}" if (flag := word.split("=")[0]) in values else word for word in args]
    return [str(values.get("--root", word)) if word == "/srv/site" else word for word in words]


class Schemas(unittest.TestCase):
    def test_the_api_takes_them(self):
        for name in ["web.yaml", "balancer.yaml"]:
            for document in documents(name):
                for version in VERSIONS:
                    with self.subTest(document["kind"], version=version):
                        kubernetes_validate.validate(document, version, strict=True)

    def test_the_api_would_not_take_a_word_that_it_does_not_know(self):
        document = find(documents("balancer.yaml"), "Deployment", "balancer")
        document["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(document, VERSIONS[0], strict=True)

    def test_the_operator_takes_the_service_monitor(self):
        """By the models that cloudcoil generates from the operator's own definitions."""
        [document] = documents("servicemonitor.yaml")
        monitor = ServiceMonitor.model_validate(document)
        self.assertEqual(monitor.spec.endpoints[0].path, "/metrics")
        document["spec"]["endpoints"][0]["interval"] = "often"
        with self.assertRaises(ValidationError):
            ServiceMonitor.model_validate(document)

    def test_what_one_names_the_other_has(self):
        balancer, web = documents("balancer.yaml"), documents("web.yaml")
        [monitor] = documents("servicemonitor.yaml")
        status = find(balancer, "Service", "balancer-status")
        labels = monitor["spec"]["selector"]["matchLabels"]
        self.assertEqual(labels, {key: status["metadata"]["labels"][key] for key in labels})
        self.assertIn(monitor["spec"]["endpoints"][0]["port"], [port["name"] for port in status["spec"]["ports"]])
        for where in (balancer, web):
            for deployment in [one for one in where if one["kind"] == "Deployment"]:
                pod = deployment["spec"]["template"]
                [container] = pod["spec"]["containers"]
                ports = {port["name"]: port["containerPort"] for port in container["ports"]}
                services = [one for one in where if one["kind"] == "Service" and one["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
                self.assertTrue(services)
                for port in [port for service in services for port in service["spec"]["ports"]]:
                    self.assertIn(port["targetPort"], ports)
                for probe in ["readinessProbe", "livenessProbe"]:
                    self.assertIn(container[probe]["httpGet"]["port"], ports)
                self.assertIn(f"--listen=:{ports['http']}", container["args"])
                self.assertIn(f"--status=:{ports['status']}", container["args"])
        headless = find(web, "Service", "web")
        self.assertEqual((headless["spec"]["clusterIP"], headless["spec"]["ports"][0]["name"]), ("None", "http"))
        self.assertIn("--backend=srv:_http._tcp.web", find(balancer, "Deployment", "balancer")["spec"]["template"]["spec"]["containers"][0]["args"])

    def test_there_is_time_for_the_end(self):
        """SIGKILL comes behind the lame duck and the drain; the lame duck is longer than it takes to be seen as not ready."""
        for name, deployment in [("web.yaml", "web"), ("balancer.yaml", "balancer")]:
            pod = find(documents(name), "Deployment", deployment)["spec"]["template"]["spec"]
            [container] = pod["containers"]
            lame_duck, drain = (seconds(container["args"], flag) for flag in ("--lame-duck", "--drain"))
            self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], lame_duck + drain + 5)
            probe = container["readinessProbe"]
            self.assertGreater(lame_duck, probe["periodSeconds"] * (probe["failureThreshold"] + 1))


@needs(dnsmasq="dnsmasq-base")
class Roles(unittest.TestCase):
    """The containers' own arguments, given to the program on this machine."""

    def setUp(self):
        self.stack = self.enterContext(contextlib.ExitStack())
        files = self.enterContext(folder(token="s3cret\n", index_html="dari pod\n"))
        self.shared = {"listen": "127.0.0.1:0", "status": "127.0.0.1:0", "status_token": files / "token"}
        self.web, self.balancer = (find(documents(f"{name}.yaml"), "Deployment", name)["spec"]["template"]["spec"] for name in ("web", "balancer"))
        args = self.web["containers"][0]["args"]
        self.backend = Running([BINARIES / "giliran", *adapted(args, root=files, **self.shared)], self.stack)
        resolver = self.name_server(self.backend.port())
        args = adapted(self.balancer["containers"][0]["args"], **self.shared)
        self.front = Running([BINARIES / "giliran", *args, f"--resolver={resolver}"], self.stack)
        self.url = f"http://127.0.0.1:{self.front.port()}/"

    def name_server(self, port):
        """The cluster's, which knows the pod behind the headless Service."""
        records = [f"--srv-host=_http._tcp.web,web-0.web,{port},0,1", "--host-record=web-0.web,127.0.0.1", "--local=/web/"]
        flags = ["--no-daemon", "--user=root", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=", "--log-facility=-"]
        flags += ["--listen-address=127.0.0.1", "--bind-interfaces"]
        # It takes no free port by itself. One that was free a moment ago nearly always still is.
        for _ in range(20):
            with socket.create_server(("127.0.0.1", 0)) as free:
                at = free.getsockname()[1]
            server = Running(["dnsmasq", *flags, f"--port={at}", *records], self.stack)
            with contextlib.suppress(AssertionError):
                server.told("(started), version")
                return f"127.0.0.1:{at}"
        raise AssertionError(f"no port is free for dnsmasq: {server.lines}")

    def probe(self, role, pod, kind):
        """What the kubelet would hear, which asks the pod by its address."""
        path = pod["containers"][0][f"{kind}Probe"]["httpGet"]["path"]
        return ask(role.page() + path, Host="10.1.2.3:9900")[0]

    def test_from_ready_to_the_end(self):
        for role, pod in [(self.front, self.balancer), (self.backend, self.web)]:
            self.assertEqual((self.probe(role, pod, "readiness"), self.probe(role, pod, "liveness")), (200, 200))
        self.assertEqual(ask(self.url), (200, "dari pod\n"))
        # The balancer's end, as the kubelet brings it about.
        begun = time.monotonic()
        self.front.terminate()
        self.assertTrue(eventually(lambda: self.probe(self.front, self.balancer, "readiness") == 503))
        self.assertEqual(self.probe(self.front, self.balancer, "liveness"), 200, "it is not to be restarted")
        self.assertEqual(ask(self.url), (200, "dari pod\n"), "who has not heard of it yet is served")
        # Nobody waits for the rest of the lame duck here: told again, it drains now.
        self.front.terminate()
        grace = self.balancer["terminationGracePeriodSeconds"]
        self.assertEqual(self.front.status_within(grace), 0)
        self.assertLess(time.monotonic() - begun, grace)

    def test_the_autoscaler_asks_for_a_metric_that_there_is(self):
        autoscaler = find(documents("balancer.yaml"), "HorizontalPodAutoscaler", "balancer")
        names = [metric["pods"]["metric"]["name"] for metric in autoscaler["spec"]["metrics"] if metric["type"] == "Pods"]
        [monitor] = documents("servicemonitor.yaml")
        _, text = ask(self.front.page() + monitor["spec"]["endpoints"][0]["path"])
        for name in names:
            self.assertRegex(text, rf'(?m)^{name}{{role="balance",')
        self.assertEqual(names, ["giliran_connections_open"])


if __name__ == "__main__":
    unittest.main()
