"""The dashboard in a browser nobody here wrote, while `ab` keeps the balancers busy: it is live, quiet, and obeyed."""

import contextlib
import json
import re
import subprocess
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from browser import browser
from roles import eventually, needs, suite

SOURCES = Path(__file__).parents[2] / "src"

# Much load for two cores: each of two `ab` has that many connections under way.
CONCURRENCY = 100

# The strip of a role as a picture, and how many colours it has. A copy is read: reading the strip itself would slow it down.
LANES = """(role => {
    const strip = document.querySelector(`canvas[data-role="${role}"]`);
    const {width, height} = strip;
    const context = Object.assign(document.createElement("canvas"), {width, height}).getContext("2d", {willReadFrequently: true});
    context.drawImage(strip, 0, 0);
    const colours = new Set(new Uint32Array(context.getImageData(0, 0, width, height).data.buffer));
    return {picture: context.canvas.toDataURL(), colours: colours.size};
})"""

FRAMES = """new Promise(done => {
    const took = [];
    let last = performance.now();
    const frame = now => {
        took.push(now - last);
        last = now;
        if (took.length < 300) return requestAnimationFrame(frame);
        took.sort((a, b) => a - b);
        done({median: took[150], most: took[297], longest: took[299]});
    };
    requestAnimationFrame(frame);
})"""


@contextlib.contextmanager
def load(*addresses):
    """`ab` at each address, again and again until the end of the `with`; gives how often each has ended well."""
    ended, over = [], threading.Event()

    def run(address):
        while not over.is_set():
            command = ["ab", "-q", "-n", "4000", "-c", str(CONCURRENCY), f"http://{address}/?size=2000"]
            ended.append(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False))

    threads = [threading.Thread(target=run, args=[address]) for address in addresses]
    [thread.start() for thread in threads]
    try:
        yield ended
    finally:
        over.set()
        [thread.join() for thread in threads]


def document(addresses, name):
    with urllib.request.urlopen(f"http://{addresses['status']}/{name}", timeout=10) as response:
        return json.load(response)


def processor_time(addresses):
    return document(addresses, "status.json")["process"]["cpu_s"]


@needs(chromium="chromium", ab="apache2-utils")
class Dashboard(unittest.TestCase):
    def setUp(self):
        self.addresses = self.enterContext(suite("--workers", "64"))
        self.open_page = self.enterContext(browser())

    def opened(self):
        page = self.open_page(f"http://{self.addresses['status']}/")
        page.wait_for('document.querySelector("#status")?.dataset.state === "live"')
        page.wait_for('document.querySelectorAll("#backends tr[data-address]").length === 13')
        return page

    def test_it_lives_under_load(self):
        page = self.opened()
        balancers = ["lb-threaded", "lb-async"]
        with load(*(self.addresses[name] for name in balancers)) as ended:
            for name in balancers:
                with self.subTest(role=name):
                    page.wait_for(f"{LANES}('{name}').colours > 2")
                    before = page.run(f"{LANES}('{name}').picture")
                    page.wait_for(f"{LANES}('{name}').picture !== {json.dumps(before)}")
            page.wait_for('document.querySelectorAll("#closings li").length === 50')
            first = page.run('document.querySelector("#closings li").textContent')
            page.wait_for(f'document.querySelector("#closings li").textContent !== {json.dumps(first)}')
            page.run('document.querySelector("#lanes").scrollIntoView()')
            frames = page.run(FRAMES)
            self.assertEqual(page.run('document.querySelector("#status").dataset.state'), "live")
        print("under load a frame took {median:.1f} ms, 99 of 100 at most {most:.1f} ms, the longest {longest:.1f} ms".format(**frames))
        self.assertTrue(all(re.search(r"Failed requests: +0\n", done.stdout) for done in ended), [done.stdout for done in ended])
        self.assertEqual(page.complaints(), [])

    def test_its_buttons_are_obeyed_under_load(self):
        page = self.opened()
        with load(self.addresses["lb-threaded"], self.addresses["lb-async"]) as ended:
            backend = page.run("""document.querySelector('#backends tr[data-role="lb-async"]').dataset.address""")
            row = f'#backends tr[data-role="{{}}"][data-address="{backend}"]'
            cell = lambda role, field: f"document.querySelector('{row.format(role)} [data-field={field}]').textContent"
            page.wait_for(f"{cell('lb-async', 'state')} === 'up'")
            page.click(f"{row.format('lb-async')} button[data-control=drain]")
            page.wait_for(f"{cell('lb-async', 'state')} === 'drain' && {cell('lb-async', 'active')} === '0'")
            self.assertEqual(page.run(cell("lb-threaded", "state")), "up", "the other role's was not meant")
            served = self.served("lb-async", backend)
            others = sum(self.served("lb-async"))
            eventually(lambda: sum(self.served("lb-async")) > others + 100)
            self.assertEqual(self.served("lb-async", backend), served, "it takes no new work")
            page.click(f"{row.format('lb-async')} button[data-control=ready]")
            page.wait_for(f"{cell('lb-async', 'state')} === 'up'")
            self.assertTrue(eventually(lambda: self.served("lb-async", backend) > served), "it takes its turn again")
        self.assertTrue(all(re.search(r"Failed requests: +0\n", done.stdout) for done in ended), [done.stdout for done in ended])
        self.assertEqual(page.complaints(), [])

    def served(self, role, address=None):
        """How often a role has chosen its back ends, or one of them."""
        [found] = [one for one in document(self.addresses, "status.json")["roles"] if one["role"] == role]
        return [one["served"] for group in found["groups"] for one in group["backends"] if address in (None, one["address"])]

    def test_its_legend_names_functions_of_the_code(self):
        page = self.opened()
        rows = page.run('[...document.querySelectorAll("#legend tbody tr")].map(row => [...row.querySelectorAll("code")].map(code => code.textContent))')
        self.assertEqual(len(rows), 7)
        for column, folder in enumerate(["threaded", "poll_loop"]):
            code = "".join(path.read_text() for path in (SOURCES / folder).rglob("*.rs"))
            for of_type, function in re.findall(r"(\w+)::(\w+)", " ".join(row[column] for row in rows)):
                with self.subTest(function=f"{of_type}::{function}", folder=folder):
                    self.assertTrue(re.search(rf"impl.*\b{of_type}\b", code) and re.search(rf"fn {function}\(", code))

    def test_a_complaint_would_be_heard(self):
        page = self.opened()
        page.run("console.error('sengaja')")
        page.run("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:1/luar.png'}))")
        page.run("setTimeout(() => tidak_ada(), 0)")
        heard = "\n".join(page.complaints())
        for part in ["sengaja", "Content Security Policy", "tidak_ada is not defined"]:
            self.assertIn(part, heard)

    def test_what_an_open_page_costs(self):
        def spent(seconds):
            before = processor_time(self.addresses)
            time.sleep(seconds)
            return (processor_time(self.addresses) - before) / seconds

        closed = spent(4)
        page = self.opened()
        opened = spent(4)
        sizes = [len(urllib.request.urlopen(f"http://{self.addresses['status']}/{name}", timeout=10).read()) for name in ["status.json", "lanes.json"]]
        print(f"an idle suite: {closed * 1000:.1f} ms processor time a second without the page, {opened * 1000:.1f} ms with it; "
              f"status.json has {sizes[0]} bytes, lanes.json {sizes[1]}")
        page.click("#pause")
        page.wait_for('document.querySelector("#status").dataset.state === "paused"')
        asked = 'performance.getEntriesByType("resource").length'
        before = page.run(asked)
        page.run("new Promise(done => setTimeout(done, 1500))")
        self.assertEqual(page.run(asked), before, "a paused page asks for nothing")
