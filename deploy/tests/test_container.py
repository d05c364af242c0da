"""The image: built without privileges and network, started as it says, asked, and stopped by its signal."""

import contextlib
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from running import BINARIES, DEPLOY, Running, ask, eventually, folder, needs

STATIC = Path(os.environ["STATIC"])
VERSION = "giliran:0.1.0"


@needs(buildah="buildah", ldd="libc-bin")
class Image(unittest.TestCase):
    def setUp(self):
        self.stack = self.enterContext(contextlib.ExitStack())
        storage = self.enterContext(tempfile.TemporaryDirectory())
        self.buildah = ["buildah", "--storage-driver=vfs", f"--root={storage}/root", f"--runroot={storage}/run"]
        context = self.enterContext(tempfile.TemporaryDirectory())
        subprocess.run(["strip", "--strip-debug", "-o", f"{context}/giliran", STATIC], check=True)
        self.run_buildah("build", "--isolation=chroot", "--pull-never", "--tag", VERSION, "--file", DEPLOY / "container/Containerfile", context)
        self.config = json.loads(self.run_buildah("inspect", "--type=image", VERSION))["OCIv1"]["config"]
        self.container = self.run_buildah("from", "--pull-never", VERSION).strip()
        self.stack.callback(lambda: self.run_buildah("rm", "--all"))

    def run_buildah(self, *words):
        return subprocess.run([*self.buildah, *words], check=True, capture_output=True, text=True, timeout=60).stdout

    def start(self, *words, **volumes):
        """The image's own entry point with these words, as its own user."""
        mounts = [f"--volume={here}:/{there}:ro" for there, here in volumes.items()]
        command = [*self.buildah, "run", "--isolation=chroot", *mounts, self.container, "--", *self.config["Entrypoint"], *words]
        return Running(command, self.stack)

    def test_it_is_one_static_program_for_a_user_that_is_not_root(self):
        linked = subprocess.run(["ldd", STATIC], capture_output=True, text=True, check=False)
        self.assertRegex(linked.stdout + linked.stderr, "statically linked|not a dynamic executable")
        root = self.run_buildah("mount", self.container).strip()
        self.assertEqual(sorted(path.name for path in Path(root).iterdir()), ["giliran"])
        self.assertEqual(self.config["User"], "65532:65532")
        self.assertEqual((self.config["StopSignal"], self.config["Entrypoint"], self.config["Cmd"][0]), ("SIGTERM", ["/giliran"], "serve"))

    def test_it_serves_is_healthy_and_drains(self):
        site = self.enterContext(folder(index_html="dari kontainer\n"))
        words = [word if not word.startswith("--listen") else "--listen=127.0.0.1:0" for word in self.config["Cmd"]]
        role = self.start(*words, "--status=127.0.0.1:0", srv=site)
        url, page = f"http://127.0.0.1:{role.port()}/", role.page()
        self.assertEqual(ask(url), (200, "dari kontainer\n"))
        response = subprocess.run(["curl", "--silent", "--include", url], capture_output=True, text=True, check=True).stdout
        self.assertIn("Server: giliran\r\n", response.replace("\n", "\r\n").replace("\r\r", "\r"))
        # The health check of compose.yaml, as the engine runs it: in the container, by the program itself.
        check = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["web"]["healthcheck"]["test"]
        self.assertEqual(check[:2], ["CMD", "/giliran"])
        at = page.removeprefix("http://")
        health = self.start(*[word.replace("127.0.0.1:9900", at) for word in check[2:]])
        self.assertEqual(health.status_within(20), 0, health.lines)
        self.assertNotEqual(self.start("ctl", "status", "--status", "127.0.0.1:1").status_within(20), 0)
        # The engine's stop goes to the program, which is the container's first process.
        pid = json.loads(ask(f"{page}/status.json")[1])["pid"]
        self.assertEqual(os.stat(f"/proc/{pid}").st_uid, 65532)
        os.kill(pid, 15)
        self.assertEqual(role.status_within(20), 0)
        self.assertTrue(eventually(lambda: any("finishing what is in flight" in line for line in role.lines)), role.lines)


class Compose(unittest.TestCase):
    def services(self):
        return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    @needs(podman="podman")
    def test_podman_compose_takes_it(self):
        shown = subprocess.run(["podman-compose", "--file", DEPLOY / "compose.yaml", "config"], capture_output=True, text=True, timeout=60, check=True)
        services = yaml.safe_load(shown.stdout)["services"]
        self.assertEqual(sorted(services), ["balancer", "web"])
        self.assertEqual(services["web"]["healthcheck"], services["balancer"]["healthcheck"], "the anchor holds for both")

    def test_its_commands_are_valid(self):
        with folder() as site:
            for name, service in self.services().items():
                words = [str(site) if word == "/srv/site" else word.replace("=web:8080", "=localhost:1") for word in service["command"]]
                checked = subprocess.run([BINARIES / "giliran", *words, "--check"], capture_output=True, text=True, timeout=20, check=False)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""), name)

    def test_who_is_stopped_has_time_to_drain(self):
        for service in self.services().values():
            self.assertFalse([word for word in service["command"] if word.startswith(("--drain", "--lame-duck"))])
            self.assertGreater(int(service["stop_grace_period"].removesuffix("s")), 8)


if __name__ == "__main__":
    unittest.main()
