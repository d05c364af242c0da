"""Headless Chromium, steered over its DevTools protocol: a page, what it says to its console, and what it was refused."""

import base64
import contextlib
import itertools
import json
import re
import tempfile
import time

from websockets.sync.client import connect

from roles import started

FLAGS = [
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root with one, and all it loads is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
]
ANNOUNCEMENT = r"^DevTools listening on (ws://\S+)/devtools/browser/"
DEADLINE = 20


@contextlib.contextmanager
def browser(*flags):
    """A Chromium; gives a function that opens one page after the other."""
    with contextlib.ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        said = stack.enter_context(started(["chromium", *FLAGS, *flags, f"--user-data-dir={profile}"], ANNOUNCEMENT))
        address, path = re.search(r"^DevTools listening on (ws://[^/\s]+)(\S+)", said, re.MULTILINE).groups()
        control = Page(stack.enter_context(connect(address + path, max_size=None)))

        def open_page(url, width=1280, height=900, scheme="light"):
            target = control.call("Target.createTarget", url="about:blank")["targetId"]
            page = Page(stack.enter_context(connect(f"{address}/devtools/page/{target}", max_size=None)))
            for domain in ["Page", "Runtime", "Log", "Audits"]:
                page.call(f"{domain}.enable")
            page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
            page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            page.call("Page.navigate", url=url)
            return page

        yield open_page


class Page:
    """One end of the protocol: calls have numbers, and what comes without one is an event."""

    def __init__(self, connection):
        self.connection = connection
        self.numbers = itertools.count(1)
        self.events = []

    def call(self, method, **parameters):
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.connection.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in found, f"{script}: {found['exceptionDetails']}"
        return found["result"].get("value")

    def wait_for(self, script):
        """Waits until an expression is true in the page."""
        deadline = time.monotonic() + DEADLINE
        while not self.run(script):
            assert time.monotonic() < deadline, f"not within {DEADLINE} s: {script}"
            time.sleep(0.05)

    def click(self, selector):
        """A click of the mouse in the middle of an element, as a person makes it."""
        where = f"(e => (e.scrollIntoView({{block: 'center'}}), e.getBoundingClientRect().toJSON()))(document.querySelector({json.dumps(selector)}))"
        box = self.run(where)
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left", "clickCount": 1}
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, **middle)

    def complaints(self):
        """What the console, the log and the policy of the page had to complain about, in the order in which it came."""
        self.run("new Promise(done => setTimeout(done, 200))")  # what is under way arrives before that
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            match event.get("method"):
                case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                    found.append(f"console: {[one.get('value') for one in parameters['args']]}")
                case "Runtime.exceptionThrown":
                    found.append(f"exception: {parameters['exceptionDetails']}")
                case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                    found.append(f"log: {parameters['entry']['text']} {parameters['entry'].get('url', '')}")
                case "Audits.issueAdded":
                    found.append(f"issue: {parameters['issue']['code']}")
        return found

    def screenshot(self, path, whole=False):
        """Writes a PNG file: of what the window shows, or of the page from its top to its end."""
        more = {}
        if whole:
            width, height = self.run("[innerWidth, document.documentElement.scrollHeight]")
            more = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"]))
