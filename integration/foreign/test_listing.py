"""The listing of a folder in a browser nobody here wrote: it sorts, leads up and down, and loads nothing but itself."""

import os
import tempfile
import unittest
from pathlib import Path

from browser import browser
from roles import needs, role

NAMES = "[...document.querySelectorAll('tbody a')].map(link => link.textContent)"
HOSTILE = "<img src=x onerror=alert(1)>.txt"


@needs(chromium="chromium")
class Listing(unittest.TestCase):
    def setUp(self):
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, size, age in [("b.txt", 3000, 10), ("A.txt", 20, 30), ("c.txt", 100, 20), (HOSTILE, 1, 40), ("dokumen/dalam/x.txt", 5, 0)]:
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x" * size)
            os.utime(file, (1_700_000_000 - age, 1_700_000_000 - age))
        self.open_page = self.enterContext(browser())

    def opened(self, model, path="/", **looks):
        port = self.enterContext(role("default-server", "--model", model, "--root", self.root, "--no-course-pages", "--listing"))
        page = self.open_page(f"http://127.0.0.1:{port}{path}", **looks)
        page.wait_for("!!document.querySelector('tbody')")
        return page

    def test_its_headings_sort(self):
        for model in ["threaded", "async"]:
            with self.subTest(model=model):
                page = self.opened(model)
                # The place of the column, the order that a click asks for, and the names in it; the folder stays first.
                for column, order, names in [
                    (1, "descending", ["dokumen/", "c.txt", "b.txt", "A.txt", HOSTILE]),
                    (1, "ascending", ["dokumen/", HOSTILE, "A.txt", "b.txt", "c.txt"]),
                    (2, "descending", ["dokumen/", "b.txt", "c.txt", "A.txt", HOSTILE]),
                    (2, "ascending", ["dokumen/", HOSTILE, "A.txt", "c.txt", "b.txt"]),
                    (3, "descending", ["dokumen/", "b.txt", "c.txt", "A.txt", HOSTILE]),
                    (3, "ascending", ["dokumen/", HOSTILE, "A.txt", "c.txt", "b.txt"]),
                ]:
                    page.click(f"th:nth-child({column}) a")
                    page.wait_for(f"document.querySelector('th:nth-child({column})')?.getAttribute('aria-sort') === '{order}'")
                    self.assertEqual(page.run(NAMES), names, (column, order))
                self.assertEqual(page.complaints(), [])

    def test_its_links_lead_down_and_up(self):
        page = self.opened("async", "/dokumen")
        self.assertEqual(page.run("location.pathname"), "/dokumen/")
        page.click("tbody tr:nth-child(2) a")
        page.wait_for("location.pathname === '/dokumen/dalam/' && !!document.querySelector('tbody')")
        self.assertEqual(page.run(NAMES), ["../", "x.txt"])
        page.click("h1 a:first-of-type")
        page.wait_for("location.pathname === '/' && !!document.querySelector('tbody')")
        self.assertEqual(page.complaints(), [])

    def test_it_fits_a_phone_and_is_read_in_the_dark(self):
        for width in [400, 1280]:
            for scheme in ["light", "dark"]:
                with self.subTest(width=width, scheme=scheme):
                    page = self.opened("threaded", width=width, scheme=scheme)
                    self.assertEqual(page.run("document.documentElement.scrollWidth"), width, "nothing sticks out")
                    paper = page.run("getComputedStyle(document.body).backgroundColor")
                    self.assertEqual(paper, "rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 27)")
                    self.assertEqual(page.run("performance.getEntriesByType('resource').length"), 0, "it loads nothing")
                    self.assertEqual(page.complaints(), [])
