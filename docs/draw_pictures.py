#!/usr/bin/env python3
"""Draws the ten pictures of the course guide, each in two languages, and the map in the README.

    python3 docs/draw_pictures.py [FOLDER]

It needs nothing but Python, and writes the same bytes each time: a test compares them. With FOLDER it
writes below that folder, otherwise below `docs/`. To change a picture, change its function here.
"""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH = 760

# Colours have a meaning in all pictures: blue is what goes well, red what goes wrong, grey what waits.
STYLE = """
svg { font: 14px system-ui, "Segoe UI", sans-serif; --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #8c959f;
  --blue: #0b62c4; --blue-fill: #dbeafe; --red: #b3261e; --red-fill: #fde0dc; --green: #1a7f37; --green-fill: #d7f5df;
  --grey-fill: #e6e8eb; --box: #f6f8fa }
@media (prefers-color-scheme: dark) { svg { --paper: #16191d; --ink: #e8eaed; --soft: #a9b1ba; --line: #6e7781;
  --blue: #6cb0ff; --blue-fill: #12365e; --red: #ff8a80; --red-fill: #5c1f1b; --green: #5fd38a; --green-fill: #14432a;
  --grey-fill: #353b42; --box: #22272e } }
.paper { fill: var(--paper) }
text { fill: var(--ink) } .soft { fill: var(--soft); font-size: 13px } .tiny { font-size: 10px } .head { font-weight: 600 }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: 13px }
.box { fill: var(--box); stroke: var(--line) } .grey { fill: var(--grey-fill); stroke: var(--line) }
.blue { fill: var(--blue-fill); stroke: var(--blue) } .red { fill: var(--red-fill); stroke: var(--red) }
.green { fill: var(--green-fill); stroke: var(--green) } .empty { fill: none; stroke: var(--line); stroke-dasharray: 4 3 }
.line { stroke: var(--line); fill: none } .dots { stroke: var(--line); stroke-dasharray: 3 4; fill: none }
.flow { stroke-width: 2; fill: none } .flow.ink { stroke: var(--ink) } .flow.blue { stroke: var(--blue) }
.flow.red { stroke: var(--red) } .flow.green { stroke: var(--green) } .dashed { stroke-dasharray: 6 4 }
text.red { fill: var(--red); stroke: none } text.blue { fill: var(--blue); stroke: none } text.green { fill: var(--green); stroke: none }
.tip.ink { fill: var(--ink) } .tip.blue { fill: var(--blue); stroke: none } .tip.red { fill: var(--red); stroke: none } .tip.green { fill: var(--green); stroke: none }
"""


class Picture:
    """An SVG under construction; all positions are in its own pixels."""

    def __init__(self, title, height):
        self.title = title
        self.height = height
        self.parts = []

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, words, kind="", anchor="middle"):
        self.add(f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>')

    def box(self, x, y, width, height, words="", kind="box", text_kind=""):
        """A box with lines of text in its middle."""
        self.add(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" class="{kind}"/>')
        lines = words.split("\n") if words else []
        for number, line in enumerate(lines):
            down = y + height / 2 + 5 + (number - (len(lines) - 1) / 2) * 18
            self.text(x + width / 2, down, line, text_kind if number == 0 else "soft")

    def line(self, x1, y1, x2, y2, kind="line"):
        self.add(f'<path d="M{x1} {y1}L{x2} {y2}" class="{kind}"/>')

    def arrow(self, x1, y1, x2, y2, words="", kind="ink", dashed=False, lost=False):
        """An arrow with a label above its middle; a lost one ends in a cross half way."""
        if lost:
            x2, y2 = x1 + (x2 - x1) * 0.62, y1 + (y2 - y1) * 0.62
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        ax, ay = (x2 - x1) / length, (y2 - y1) / length
        if lost:
            self.line(x1, y1, round(x2, 1), round(y2, 1), f"flow {kind}")
            self.add(
                f'<path d="M{x2 - 6:.1f} {y2 - 6:.1f}l12 12m0 -12l-12 12" class="flow {kind}"/>'
            )
        else:
            end_x, end_y = x2 - ax * 8, y2 - ay * 8
            self.line(x1, y1, round(end_x, 1), round(end_y, 1), f"flow {kind}{' dashed' if dashed else ''}")
            points = [(x2, y2), (x2 - ax * 10 - ay * 5, y2 - ay * 10 + ax * 5), (x2 - ax * 10 + ay * 5, y2 - ay * 10 - ax * 5)]
            self.add(f'<path d="M{"L".join(f"{px:.1f} {py:.1f}" for px, py in points)}Z" class="tip {kind}"/>')
        if words:
            self.text((x1 + x2) / 2, (y1 + y2) / 2 - 7, words, "mono" if kind == "ink" else f"mono {kind}")

    def svg(self):
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" role="img">'
            f"<title>{escape(self.title)}</title><style>{STYLE}</style>"
            f'<rect width="{WIDTH}" height="{self.height}" rx="8" class="paper"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def accept_queue(say):
    p = Picture(say("Antrean accept", "The accept queue"), 300)
    p.box(30, 20, 130, 34, say("klien", "client"), "box", "head")
    p.box(300, 20, 190, 34, say("kernel di server", "the server's kernel"), "box", "head")
    p.box(600, 20, 130, 34, say("program", "program"), "box", "head")
    p.line(95, 54, 95, 280, "dots")
    p.line(330, 54, 330, 280, "dots")
    p.line(665, 54, 665, 280, "dots")
    p.arrow(95, 74, 330, 94, "SYN")
    p.arrow(330, 104, 95, 124, "SYN-ACK")
    p.arrow(95, 134, 330, 154, "ACK")
    p.text(212, 190, say("bagi klien: sudah tersambung", "to the client: connected"), "blue")
    p.arrow(95, 206, 330, 226, "GET / ...", "blue")
    p.text(430, 134, say("antrean accept", "accept queue"), "soft")
    for number in range(3):
        p.box(360 + number * 48, 144, 42, 30, "", "blue" if number == 0 else "empty")
    p.text(430, 194, say("panjangnya: listen(backlog)", "its length: listen(backlog)"), "soft")
    p.arrow(665, 236, 510, 236, "accept()")
    p.arrow(510, 256, 665, 256, say("koneksi", "connection"))
    return p


def queue_full(say):
    p = Picture(say("Antrean penuh", "The queue is full"), 245)
    p.text(380, 30, say("A dan B belum di-accept, lalu C datang", "A and B are not accepted yet, and C comes"), "head")
    for row, system in enumerate(["Linux", "Windows"]):
        y = 55 + row * 95
        p.text(20, y + 34, system, "head", "start")
        p.box(110, y + 10, 100, 40, say("klien C", "client C"))
        p.text(425, y, say("antrean accept", "accept queue"), "soft")
        for number in range(2):
            p.box(380 + number * 48, y + 10, 42, 40, "AB"[number], "blue")
        p.box(560, y + 10, 170, 40, say("program, masih sibuk", "program, still busy"))
        if system == "Linux":
            p.arrow(210, y + 30, 372, y + 30, "SYN", "red", lost=True)
            p.text(20, y + 72, say("SYN dibuang diam-diam; C mengira paketnya hilang di jalan", "the SYN is dropped without a word; C believes that it got lost"), "soft", "start")
        else:
            p.arrow(210, y + 22, 372, y + 22, "SYN")
            p.arrow(372, y + 40, 218, y + 40, "", "red")
            p.text(291, y + 59, "RST", "mono red")
            p.text(20, y + 80, say("SYN ditolak; Windows di sisi C mencobanya lagi sendiri", "the SYN is refused; C's Windows tries again by itself"), "soft", "start")
    return p


def syn_retry(say):
    p = Picture(say("SYN dicoba lagi", "The SYN is tried again"), 230)
    left, second = 130, 480
    for tick, name in [(0, "0"), (0.5, say("0,5", "0.5")), (1, "1")]:
        x = left + tick * second
        p.line(x, 40, x, 190, "dots")
        p.text(x, 210, name + say(" detik", " s"), "soft")
    for y, system, wait, first in [(85, "Linux", 1, say("SYN, dibuang", "SYN, dropped")), (155, "Windows", 0.52, say("SYN, ditolak", "SYN, refused"))]:
        end = left + wait * second
        p.text(20, y + 5, system, "head", "start")
        p.box(left, y - 14, wait * second, 28, "", "grey")
        p.text((left + end) / 2, y + 5, say("klien menunggu; tidak ada yang bekerja", "the client waits; nobody works") if wait == 1 else say("klien menunggu", "the client waits"), "soft")
        p.text(left, y - 22, first, "mono red", "start")
        p.text(end, y - 22, say("SYN lagi", "SYN again"), "mono blue", "start")
        p.box(end, y - 14, 70, 28, "1 ms", "blue")
    p.text(380, 24, say("request yang kerjanya 1 ms", "a request that takes 1 ms of work"), "head")
    return p


def serial_connects(say):
    p = Picture(say("Connect serial", "Serial connects"), 330)
    for panel, (top, title) in enumerate([(20, say("connect tumpang-tindih: satu menunggu, yang lain jalan terus", "overlapping connects: one waits, the others go on")), (180, say("connect serial, satu per satu (ab di Windows, 2021): satu menunggu, semua berhenti", "serial connects, one at a time (ab on Windows, 2021): one waits, all stand still"))]):
        p.text(20, top + 12, title, "head", "start")
        for lane, name in enumerate("ABC"):
            y = top + 28 + lane * 36
            p.text(36, y + 18, name, "mono")
            for step in range(15):
                x = 60 + step * 45 + lane * 12
                is_waiting = 4 <= step < 11
                if x + 24 > 740:
                    continue
                if is_waiting and lane == 1:
                    if step == 4:
                        p.box(x, y, 300, 26, say("SYN ditolak, menunggu ulang", "SYN refused, waits for its retry"), "red")
                elif is_waiting and panel == 1:
                    if step == 4:
                        p.box(x + (24 if lane == 0 else 0), y, 300 - (24 if lane == 0 else 0), 26, say("berhenti", "stands still"), "grey")
                else:
                    p.box(x, y, 24, 26, "", "blue")
    return p


def stream(say):
    p = Picture(say("Byte, bukan pesan", "Bytes, not messages"), 250)
    lines = [("GET / HTTP/1.1", 16), ("Host: 127.0.0.1", 17), ("Accept: */*", 13)]
    p.text(20, 30, say("yang dikirim: 48 byte", "what is sent: 48 bytes"), "head", "start")
    scale, x = 15, 20
    for words, length in lines:
        text = words[: length - 2]
        p.box(x, 44, length * scale - 30, 34, text, "box", "mono")
        p.box(x + length * scale - 30, 44, 30, 34, "CRLF", "green", "tiny")
        x += length * scale
    p.box(x, 44, 20, 34, "", "green")
    p.text(x + 10, 96, "CRLF", "soft")
    p.text(20, 130, say("yang datang dari recv(32): potongan sembarang, misalnya", "what recv(32) brings: any pieces, for example"), "head", "start")
    p.box(20, 144, 16 * scale, 34, say("16 byte, berakhir dengan CRLF", "16 bytes, ending in CRLF"), "red")
    p.box(20 + 16 * scale, 144, 22 * scale, 34, say("22 byte", "22 bytes"))
    p.box(20 + 38 * scale, 144, 10 * scale, 34, "10")
    p.line(20 + 16 * scale, 182, 20 + 16 * scale, 200, "flow red")
    p.text(20 + 16 * scale, 218, say("Python menjawab di sini", "the Python responds here"), "red")
    p.line(20 + 48 * scale, 100, 20 + 48 * scale, 200, "flow blue")
    p.text(740, 218, say("request lengkap di sini: baris kosong", "the request is complete here: the empty line"), "blue", "end")
    p.text(740, 238, say("(TCP tidak menyimpan batas antara dua send)", "(TCP keeps no boundary between two sends)"), "soft", "end")
    return p


def half_close(say):
    p = Picture(say("Half-close", "Half-close"), 320)
    for left, title, is_right in [(0, say("benar: tiap akhir diteruskan", "right: each end is passed on"), True), (380, say("lb_thread.py: akhir pertama menutup semua", "lb_thread.py: the first end closes all"), False)]:
        p.text(left + 190, 28, title, "head")
        client, balancer, backend = left + 50, left + 190, left + 330
        for x, name in [(client, say("klien", "client")), (balancer, "balancer"), (backend, "back end")]:
            p.box(x - 42, 44, 84, 28, name)
            p.line(x, 72, x, 278, "dots")
        p.arrow(client, 98, balancer, 98, "GET")
        p.arrow(balancer, 112, backend, 112, "GET")
        p.arrow(client, 140, balancer, 140, "FIN", "blue")
        if is_right:
            p.arrow(balancer, 154, backend, 154, "FIN", "blue")
            p.arrow(backend, 196, balancer, 196, "response")
            p.arrow(balancer, 210, client, 210, "response")
            p.arrow(backend, 246, balancer, 246, "FIN", "blue")
            p.arrow(balancer, 260, client, 260, "FIN", "blue")
            p.text(left + 190, 296, say("FIN = selesai mengirim, masih bisa menerima", "FIN = sent all, and can still receive"), "blue")
        else:
            p.arrow(balancer, 154, backend, 154, say("tutup", "close"), "red")
            p.arrow(balancer, 168, client, 168, say("tutup", "close"), "red")
            p.arrow(backend, 216, balancer, 216, "response", "red", lost=True)
            p.text(left + 190, 296, say("klien tidak dapat apa-apa", "the client gets nothing"), "red")
    p.line(380, 20, 380, 305, "line")
    return p


def back_pressure(say):
    p = Picture(say("Back-pressure", "Back-pressure"), 230)
    parts = [
        ("back end", say("ingin kirim 64 MiB", "has 64 MiB to send"), "box", 130),
        (say("kernel", "kernel"), say("penuh", "full"), "grey", 90),
        ("balancer", say("64 KiB, penuh", "64 KiB, full"), "grey", 130),
        (say("kernel", "kernel"), say("penuh", "full"), "grey", 90),
        (say("klien", "client"), say("tidak membaca", "does not read"), "red", 130),
    ]
    x, edges = 20, []
    for name, note, kind, width in parts:
        p.box(x, 60, width, 60, f"{name}\n{note}", kind, "head")
        edges.append((x, x + width))
        x += width + 37.5
    for (_, right), (left, _) in zip(edges, edges[1:]):
        p.arrow(right + 3, 80, left - 3, 80)
        p.arrow(left - 3, 104, right + 3, 104, "", "red", dashed=False)
    p.text(380, 36, say("byte mengalir ke kanan, \"tunggu\" merambat ke kiri", "bytes flow to the right, \"wait\" travels to the left"), "head")
    p.text(380, 152, say("penuh -> tidak membaca -> penuh -> tidak membaca -> send() menunggu", "full -> does not read -> full -> does not read -> send() waits"), "mono")
    p.text(380, 186, say("Setiap bagian menghentikan bagian sebelumnya. Tidak ada yang menyimpan 64 MiB.", "Each part stops the one before it. Nobody stores 64 MiB."), "blue")
    p.text(380, 210, say("Buffer tanpa batas menyembunyikan ini, sampai memorinya habis.", "A buffer without a bound hides this, until memory runs out."), "soft")
    return p


def worker_pool(say):
    p = Picture(say("Thread pool", "A pool of threads"), 280)
    p.text(20, 30, say("tiga worker, satu antrean berbatas", "three workers, one bounded queue"), "head", "start")
    p.box(20, 60, 90, 36, "acceptor")
    p.arrow(65, 96, 65, 122)
    for number in range(4):
        p.box(40, 126 + number * 28, 50, 24, "FGH"[number] if number < 3 else "", "blue" if number < 3 else "empty")
    p.text(65, 258, say("penuh: 503", "full: 503"), "soft")
    p.arrow(96, 150, 180, 150)
    lanes = [
        ("worker-00", [(0, 60, "A", "blue"), (60, 150, say("menunggu back end", "waits: back end"), "grey"), (210, 50, "A", "blue"), (264, 60, "D", "blue"), (324, 146, say("menunggu", "waits"), "grey"), (470, 40, "D", "blue")]),
        ("worker-01", [(0, 40, "B", "blue"), (40, 470, say("B diam: worker ini hanya menunggu", "B is silent: this worker only waits"), "red")]),
        ("worker-02", [(0, 110, "C", "blue"), (114, 50, "E", "blue"), (164, 220, say("menunggu back end", "waits: back end"), "grey"), (384, 126, "E", "blue")]),
    ]
    for row, (name, blocks) in enumerate(lanes):
        y = 60 + row * 60
        p.text(192, y - 5, name, "soft", "start")
        for start, width, words, kind in blocks:
            p.box(190 + start, y, width, 32, words, kind)
    p.arrow(190, 240, 720, 240)
    p.text(455, 262, say("waktu", "time"), "soft")
    return p


def event_loop(say):
    p = Picture(say("Satu loop untuk semua", "One loop for all"), 280)
    p.text(20, 30, say("satu thread bertanya: siapa yang siap?", "one thread asks: who is ready?"), "head", "start")

    def lane(y, blocks):
        x = 20
        for words, width, kind in blocks:
            p.box(x, y, width, 34, words, kind)
            x += width + 4

    lane(46, [("poll", 46, "box"), ("A", 26, "blue"), ("B", 26, "blue"), ("poll", 46, "box"), ("C", 26, "blue"), ("poll", 46, "box"), ("A", 26, "blue"), ("D", 26, "blue"), ("C", 26, "blue"), (say("poll: tidur", "poll: sleeps"), 160, "grey"), ("B", 26, "blue"), ("poll", 46, "box"), ("D", 26, "blue"), ("A", 26, "blue")])
    p.text(20, 102, say("setiap giliran pendek: baca yang ada, kirim yang muat, lanjut", "each turn is short: read what is there, send what fits, go on"), "soft", "start")
    p.text(20, 146, say("handler B tidur 500 ms: loop berhenti untuk semua", "B's handler sleeps 500 ms: the loop stops for all"), "head", "start")
    lane(162, [("poll", 46, "box"), ("A", 26, "blue"), (say("B: sleep(0,5), atau membaca disk, atau connect yang menunggu", "B: sleep(0.5), or a slow disk, or a connect that waits"), 480, "red"), ("poll", 46, "box"), ("C", 26, "blue"), ("A", 26, "blue"), ("D", 26, "blue")])
    p.line(122, 206, 578, 206, "flow red")
    p.text(350, 226, say("A, C, dan D sudah siap, dan menunggu", "A, C and D are ready, and wait"), "red")
    p.arrow(20, 246, 740, 246)
    p.text(380, 268, say("waktu", "time"), "soft")
    return p


def deadline(say):
    p = Picture(say("Deadline, bukan timeout", "A deadline, not a timeout"), 270)
    left, scale = 160, 12.5
    for tick in range(0, 46, 9):
        p.line(left + tick * scale, 76, left + tick * scale, 215, "dots")
        p.text(left + tick * scale, 234, f"{tick} " + say("dtk", "s"), "soft")
    p.text(380, 30, say("klien mengirim satu byte setiap 9 detik", "a client sends one byte every 9 seconds"), "head")
    p.text(150, 93, say("timeout 10 dtk", "timeout 10 s"), "", "end")
    p.text(150, 110, say("per recv", "for each recv"), "soft", "end")
    for number in range(5):
        p.box(left + number * 9 * scale + 2, 76, 9 * scale - 4, 30, "9 < 10", "grey")
        p.text(left + number * 9 * scale, 70, "byte" if number else "", "mono")
    p.arrow(left + 45 * scale, 91, 752, 91, "", "red")
    p.text(450, 128, say("mulai lagi di setiap byte: tidak pernah habis", "begins anew with each byte: it never ends"), "red")
    p.text(150, 163, say("deadline 10 dtk", "deadline 10 s"), "", "end")
    p.text(150, 180, say("untuk seluruh head", "for the whole head"), "soft", "end")
    p.box(left + 2, 146, 9 * scale - 4, 30, say("sisa 1 dtk", "1 s is left"), "grey")
    p.box(left + 9 * scale + 2, 146, scale - 2, 30, "", "blue")
    p.text(left + 10 * scale + 14, 166, "408 Request Timeout", "mono blue", "start")
    p.text(450, 200, say("satu batas untuk semuanya: habis pada detik ke-10", "one limit for all of it: over at second 10"), "blue")
    p.text(380, 258, say("waktu tunggu recv = deadline - sekarang, dihitung ulang setiap kali", "how long recv may wait = deadline - now, computed each time"), "mono")
    return p


def suite_map(_):
    p = Picture("The suite: a reverse proxy in front of three servers, and two balancers in front of five", 430)
    p.box(20, 180, 110, 60, "clients\ncurl, ab, lab", "box", "head")

    def role(x, y, width, name, port, kind, note=""):
        p.box(x, y, width, 50, f"{name}\n{port}{note}", kind, "head")

    role(230, 40, 170, "reverse-proxy", "127.0.0.1:18000", "box")
    role(230, 185, 170, "lb-threaded", "127.0.0.1:666", "blue")
    role(230, 330, 170, "lb-async", "127.0.0.1:44444", "green")
    for y, kind in [(65, "ink"), (210, "blue"), (355, "green")]:
        p.arrow(130, 210, 228, y, "", kind)
    for row, (name, port, route) in enumerate([("default-server", 8888, "all other paths"), ("image-server", 8889, "/images/"), ("pdf-server", 8890, "/pdf/")]):
        y = 15 + row * 52
        p.box(570, y, 170, 42, "", "box")
        p.text(655, y + 18, name, "head")
        p.text(655, y + 35, f"{route}, {port}", "soft")
        p.arrow(400, 65, 568, y + 21)
    for number in range(5):
        y = 200 + number * 44
        p.box(570, y, 170, 36, f"web-server {9001 + number}", "box")
        p.arrow(400, 210, 568, y + 12, "", "blue")
        p.arrow(400, 355, 568, y + 24, "", "green")
    p.text(315, 254, "64 workers that wait", "soft")
    p.text(315, 399, "a poll loop on each core", "soft")
    p.text(315, 109, "routes by path", "soft")
    p.text(315, 297, "round robin", "head")
    return p


COURSE = [accept_queue, queue_full, syn_retry, serial_connects, stream, half_close, back_pressure, worker_pool, event_loop, deadline]


def main():
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent)
    languages = {"id": lambda indonesian, english: indonesian, "en": lambda indonesian, english: english}
    for folder in docs / "course/pictures", docs / "pictures":
        folder.mkdir(parents=True, exist_ok=True)
    for number, draw in enumerate(COURSE, 1):
        name = f"{number:02}-{draw.__name__.replace('_', '-')}"
        for language, say in languages.items():
            (docs / f"course/pictures/{name}.{language}.svg").write_text(draw(say).svg(), encoding="utf-8")
    (docs / "pictures/suite-map.svg").write_text(suite_map(None).svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
