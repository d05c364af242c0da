"""What one machine needs beside a service manager: rotated logs, an address that moves; and the drill."""

import contextlib
import gzip
import re
import subprocess
import sys
import threading
import unittest
import urllib.request
from pathlib import Path

from running import BINARIES, DEPLOY, Running, eventually, folder, needs


class Logs(unittest.TestCase):
    @needs(logrotate="logrotate")
    def test_logrotate_loses_no_line(self):
        """The rules as they are, but for the folder and for who sends the signal; under requests, three times."""
        stack = self.enterContext(contextlib.ExitStack())
        work = self.enterContext(folder())
        log, rules = work / "serve.log", work / "rules"
        role = Running([BINARIES / "web-server", "--listen=127.0.0.1:0", f"--root={DEPLOY.parent / 'public'}", f"--log-file={log}"], stack)
        url = f"http://127.0.0.1:{role.port()}/"
        text = (DEPLOY / "logrotate/giliran").read_text()
        self.assertIn("systemctl kill --kill-who=main --signal=USR1 'giliran@*.service'", text)
        text = text.replace("/var/log/giliran/*.log", f"{work}/*.log")
        rules.write_text(re.sub(r"systemctl kill.*", f"kill -USR1 {role.process.pid}", text))
        rules.chmod(0o644)
        done, sent = threading.Event(), []

        def requests():
            count = 0
            while not done.is_set():
                with urllib.request.urlopen(f"{url}?number={count}", timeout=10) as response:
                    response.read()
                count += 1
            sent.append(count)

        clients = [threading.Thread(target=requests) for _ in range(2)]
        [client.start() for client in clients]
        try:
            for _ in range(3):
                subprocess.run(["logrotate", "--force", f"--state={work}/state", rules], check=True, capture_output=True, timeout=20)
                self.assertTrue(eventually(lambda: log.exists() and log.stat().st_size > 0), "it has not opened a new file")
        finally:
            done.set()
            [client.join() for client in clients]
        role.terminate()
        self.assertEqual(role.status_within(20), 0)
        files = sorted(path.name for path in work.glob("serve.log*"))
        self.assertEqual(files, ["serve.log", "serve.log.1", "serve.log.2.gz", "serve.log.3.gz"])
        opened = [gzip.open(path, "rt") if path.suffix == ".gz" else path.open() for path in work.glob("serve.log*")]
        closed = 0
        for file in opened:
            with file:
                closed += sum(" closed role=web-server" in line for line in file)
        self.assertEqual(closed, sum(sent))


class Keepalived(unittest.TestCase):
    def check(self, text):
        with folder(keepalived_conf=text) as work:
            command = ["keepalived", "--config-test", "--log-console", f"--use-file={work / 'keepalived.conf'}"]
            return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    @needs(keepalived="keepalived")
    def test_its_file_is_valid(self):
        text = (DEPLOY / "keepalived/keepalived.conf").read_text()
        # Its interface must be there and cannot be `lo`. As another user than root for its script, keepalived 2.2.7 ends its own test by SIGTERM.
        there = sorted(path.name for path in Path("/sys/class/net").iterdir() if path.name != "lo")
        if not there:
            self.skipTest("there is no network interface but lo")
        text = text.replace("eth0", there[0]).replace("script_user nobody", "script_user root")
        checked = self.check(text)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        self.assertNotEqual(self.check(text.replace("nopreempt", "nopreemt")).returncode, 0)


class Drill(unittest.TestCase):
    def test_no_get_is_lost(self):
        for model in ["async", "threaded"]:
            command = [sys.executable, DEPLOY / "drill.py", f"--binaries={BINARIES}", f"--model={model}", "--seconds=2", "--clients=9"]
            drill = subprocess.run([*command, "--ways", "SIGKILL", "SIGTERM"], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((drill.returncode, drill.stderr), (0, ""), drill.stdout)
            rows = re.findall(r"^(SIG\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", drill.stdout, re.MULTILINE)
            for way, gets, retried, lost, posts, posts_lost in rows:
                self.assertTrue(int(gets) > 0 and int(posts) > 0 and int(lost) == 0, f"{way}: {drill.stdout}")
                # Whoever was there met it, by one or the other.
                self.assertGreater(int(retried) + int(posts_lost), 0, f"{way}: {drill.stdout}")
            self.assertEqual([row[0] for row in rows], ["SIGKILL", "SIGTERM"], drill.stdout)


if __name__ == "__main__":
    unittest.main()
