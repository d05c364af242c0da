#!/usr/bin/env python3
"""Draws the pictures and writes the PDF files of `public/`. All of them are our own work.

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0
    venv/bin/python docs/make_public.py

It writes the same bytes each time (another version of Pillow may compress a little differently).
Three files have the exact sizes that the course measured with: a picture is compressed to just below
its size and the rest is a JPEG comment; a PDF gets the rest as white space in its XMP packet, which
is what the XMP specification keeps it for.
"""

import io
import math
import random
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

PUBLIC = Path(__file__).resolve().parent.parent / "public"
SCALE = 3  # drawn larger and made smaller: smooth edges


# ---- drawing -------------------------------------------------------------------------------------


class Canvas:
    """A picture measured in its final pixels."""

    def __init__(self, width, height, top, bottom):
        self.size = (width, height)
        self.image = gradient(width * SCALE, height * SCALE, top, bottom)
        self.pen = ImageDraw.Draw(self.image)

    def box(self, x, y, w, h, fill, radius=0):
        self.pen.rounded_rectangle(scaled((x, y, x + w, y + h)), radius * SCALE, fill=fill)

    def oval(self, x, y, rx, ry, fill=None, line=None, width=1):
        self.pen.ellipse(scaled((x - rx, y - ry, x + rx, y + ry)), fill=fill, outline=line, width=width * SCALE)

    def shape(self, points, fill):
        self.pen.polygon([scaled(point) for point in points], fill=fill)

    def line(self, points, fill, width):
        self.pen.line([scaled(point) for point in points], fill=fill, width=round(width * SCALE), joint="curve")

    def arc(self, x, y, r, start, end, fill, width):
        self.pen.arc(scaled((x - r, y - r, x + r, y + r)), start, end, fill=fill, width=round(width * SCALE))

    def text(self, x, y, words, size, fill):
        self.pen.text(scaled((x, y)), words, fill=fill, font=ImageFont.load_default(size * SCALE), anchor="mm")

    def shade(self, box, top, bottom, mask_shape="box", radius=0):
        """A gradient within a box or an oval."""
        left, upper, right, lower = scaled(box)
        part = gradient(right - left, lower - upper, top, bottom)
        mask = Image.new("L", part.size, 0)
        pen = ImageDraw.Draw(mask)
        area = (0, 0, part.width - 1, part.height - 1)
        pen.ellipse(area, fill=255) if mask_shape == "oval" else pen.rounded_rectangle(area, radius * SCALE, fill=255)
        self.image.paste(part, (left, upper), mask)

    def glow(self, x, y, r, colour, strength=255):
        """A soft light."""
        layer = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(layer).ellipse(scaled((x - r, y - r, x + r, y + r)), fill=strength)
        layer = layer.filter(ImageFilter.GaussianBlur(r * SCALE / 2))
        self.image.paste(Image.new("RGB", self.image.size, colour), (0, 0), layer)
        self.pen = ImageDraw.Draw(self.image)

    def finished(self, grain=0, seed=1):
        image = self.image.resize(self.size, Image.LANCZOS)
        return grained(image, grain, seed) if grain else image


def scaled(values):
    return tuple(round(value * SCALE) for value in values)


def gradient(width, height, top, bottom):
    mask = Image.linear_gradient("L").resize((width, height))
    return Image.composite(Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), mask)


def grained(image, amount, seed):
    """Paper grain, the same each time."""
    noise = random.Random(seed)
    plain = bytes(128 + noise.randint(-amount, amount) for _ in range(image.width * image.height))
    grain = Image.frombytes("L", image.size, plain)
    channels = [
        Image.frombytes("L", image.size, bytes(max(0, min(255, a + b - 128)) for a, b in zip(channel.tobytes(), grain.tobytes())))
        for channel in image.split()
    ]
    return Image.merge("RGB", channels)


def cloud(canvas, x, y, size, fill="#ffffff"):
    for dx, dy, r in ((-1.1, 0.15, 0.55), (-0.4, -0.2, 0.75), (0.45, -0.1, 0.65), (1.1, 0.2, 0.45)):
        canvas.oval(x + dx * size, y + dy * size, r * size, r * size * 0.8, fill)
    canvas.box(x - 1.5 * size, y + 0.1 * size, 3 * size, 0.5 * size, fill, 0.25 * size)


def tree(canvas, x, y, size, dark="#2f7d5b", light="#46a578"):
    canvas.box(x - size * 0.09, y - size * 0.6, size * 0.18, size * 0.6, "#7a5236", 2)
    for dx, dy, r in ((-0.28, -0.75, 0.36), (0.28, -0.78, 0.36), (0, -1.1, 0.44)):
        canvas.oval(x + dx * size, y + dy * size, r * size, r * size, dark)
    for dx, dy, r in ((-0.34, -0.84, 0.22), (0.16, -0.9, 0.22), (-0.08, -1.22, 0.26)):
        canvas.oval(x + dx * size, y + dy * size, r * size, r * size, light)


def pokijan():
    """A food cart at dusk."""
    c = Canvas(480, 340, "#ffb48a", "#ffe9c7")
    c.glow(372, 92, 62, "#fff6d8", 230)
    c.oval(372, 92, 34, 34, "#fff3c4")
    for x, h in ((0, 70), (52, 104), (112, 60), (330, 84), (392, 120), (444, 74)):
        c.box(x, 256 - h, 56, h + 10, "#e79a83")
        for wx in range(x + 9, x + 48, 14):
            for wy in range(256 - h + 12, 244, 18):
                c.box(wx, wy, 6, 8, "#ffd9a0" if (wx * 7 + wy) % 3 else "#c97d70")
    c.box(0, 256, 480, 84, "#8d5b6c")
    c.box(0, 256, 480, 7, "#a8707f")
    c.oval(240, 309, 176, 13, "#6d4356")
    c.line([(0, 52), (120, 78), (240, 60), (360, 80), (480, 46)], "#8d5b6c", 2)
    for n, x in enumerate(range(24, 480, 40)):
        y = 62 + 14 * math.sin(x / 58)
        c.shape([(x, y), (x + 20, y + 1), (x + 10, y + 20)], ("#e8574f", "#2fa6a0", "#ffd166")[n % 3])
    for x in (132, 342):
        c.box(x, 120, 8, 90, "#7a4a35", 3)
    c.shade((112, 196, 370, 286), "#36b0a8", "#20827f", radius=10)
    c.box(112, 196, 258, 14, "#f6d9a6", 5)
    c.box(128, 222, 226, 48, "#fff4dc", 8)
    c.text(241, 246, "POKI JAN", 34, "#d5483f")
    for n in range(8):
        x = 104 + n * 34.25
        colour = "#e8574f" if n % 2 == 0 else "#fff4dc"
        top = 112 + n * 32.25
        c.shape([(top, 106), (top + 32.25, 106), (x + 34.25, 140), (x, 140)], colour)
        c.oval(x + 17.1, 140, 17.1, 12, colour)
    c.box(112, 98, 258, 12, "#b33a36", 5)
    for x in (166, 318):
        c.oval(x, 292, 27, 27, "#4b2d3b")
        c.oval(x, 292, 20, 20, "#f6d9a6")
        for angle in range(0, 180, 30):
            dx, dy = 19 * math.cos(math.radians(angle)), 19 * math.sin(math.radians(angle))
            c.line([(x - dx, 292 - dy), (x + dx, 292 + dy)], "#7a4a35", 2.5)
        c.oval(x, 292, 6, 6, "#4b2d3b")
    c.line([(370, 214), (412, 204), (426, 212)], "#7a4a35", 6)
    c.shade((184, 164, 258, 212), "#fdfdfd", "#cfd8de", "oval")
    c.oval(221, 176, 44, 14, "#fbd1a4")
    c.oval(221, 186, 38, 9, "#f0b04f")
    for x, y, fill in ((204, 184, "#e8574f"), (222, 188, "#4f9d4d"), (238, 184, "#fff4dc")):
        c.oval(x, y, 8, 5, fill)
    c.shape([(183, 187), (259, 187), (246, 197), (196, 197)], "#dfe6ea")
    c.line([(246, 184), (278, 160)], "#7a4a35", 3)
    c.line([(242, 184), (272, 155)], "#7a4a35", 3)
    for n, x in enumerate((206, 224, 242)):
        c.line([(x + 5 * math.sin(t / 5 + n), 176 - t) for t in range(0, 24)], "#ffffff", 2.5)
    for x, fill in ((292, "#e8574f"), (308, "#ffd166"), (324, "#4f9d4d")):
        c.box(x, 172, 11, 25, fill, 3)
        c.box(x + 3, 164, 5, 10, "#fff4dc", 2)
    return c.finished()


def research_center():
    """A building with a dish, in the morning."""
    c = Canvas(960, 640, "#4f9bd9", "#dff1fb")
    c.glow(800, 110, 110, "#fffbe6", 240)
    for x, y, size in ((150, 120, 46), (430, 74, 34), (670, 160, 40), (900, 230, 30)):
        cloud(c, x, y, size)
    c.shape([(0, 430), (160, 300), (310, 400), (470, 270), (640, 392), (800, 300), (960, 410), (960, 520), (0, 520)], "#9cc4dd")
    c.shape([(0, 470), (220, 372), (420, 452), (620, 376), (960, 470), (960, 540), (0, 540)], "#7fb3c4")
    c.shade((0, 470, 960, 640), "#86c06b", "#4e9657")
    c.shape([(424, 506), (536, 506), (720, 640), (250, 640)], "#e8dcc6")
    c.shape([(474, 506), (486, 506), (512, 640), (458, 640)], "#d6c6a8")
    wing(c, 102, 330, 248, 178, 6, 4)
    wing(c, 610, 330, 248, 178, 6, 4)
    c.shade((386, 128, 506, 250), "#eef4f8", "#a9bccb", "oval")
    c.box(376, 186, 140, 13, "#dbe5ec", 3)
    c.shape([(440, 130), (452, 130), (458, 186), (434, 186)], "#2f4858")
    c.line([(446, 150), (478, 112)], "#2f4858", 7)
    c.shade((350, 210, 610, 508), "#fbfcfd", "#cdd9e2", radius=6)
    for row in range(5):
        for column in range(6):
            x, y = 370 + column * 37.5, 232 + row * 38
            c.shade((x, y, x + 31, y + 31), "#bfe6f7" if (row + column) % 4 else "#fff2b8", "#4a86b3")
            c.line([(x + 5, y + 26), (x + 22, y + 5)], "#e9f7fd", 1.5)
    c.box(340, 426, 280, 34, "#24506e", 6)
    c.text(480, 443, "RESEARCH CENTER", 25, "#ffffff")
    c.shade((430, 462, 530, 508), "#9fd3ea", "#3c7397")
    c.box(478, 462, 4, 46, "#f4f7f9")
    c.box(424, 460, 112, 5, "#f4f7f9")
    for n in range(3):
        c.box(412 - n * 8, 506 + n * 5, 136 + n * 16, 6, ("#f2efe8", "#dedad0", "#cbc6ba")[n])
    c.box(346, 198, 268, 14, "#24506e", 4)
    c.box(556, 120, 6, 80, "#5b7282")
    c.oval(562, 110, 40, 40, "#f7fafc")
    c.oval(570, 106, 33, 35, "#c3d2dd")
    c.line([(566, 108), (606, 84)], "#5b7282", 4)
    c.oval(607, 83, 6, 6, "#e2574c")
    for r in (16, 28, 40):
        c.arc(607, 83, r, -80, 20, "#ffffff", 3)
    for x, y, size in ((60, 560, 92), (236, 548, 62), (318, 540, 44), (652, 542, 46), (742, 556, 66), (902, 572, 100)):
        c.oval(x + 8, y, size * 0.6, size * 0.09, "#43834c")
        tree(c, x, y, size)
    for x, fill in ((392, "#e2574c"), (560, "#f0a63c"), (586, "#3d6fb4")):
        c.oval(x, 560, 10, 3, "#c9b994")
        c.box(x - 6, 530, 12, 22, fill, 5)
        c.oval(x, 524, 6, 7, "#8b5e43")
        c.box(x - 5, 548, 4, 13, "#33414d")
        c.box(x + 1, 548, 4, 13, "#33414d")
    noise = random.Random(7)
    for _ in range(260):
        x, y = noise.randint(0, 960), noise.randint(560, 640)
        if not 250 - (640 - y) < x < 720 + (640 - y):
            c.line([(x, y), (x + noise.randint(-2, 2), y - noise.randint(4, 9))], noise.choice(("#3f8049", "#9fd07f", "#f7e27d")), 1.5)
    return c.finished()


def wing(c, x, y, w, h, columns, rows):
    c.shade((x, y, x + w, y + h), "#e9eef2", "#b9c7d1", radius=4)
    c.box(x - 6, y - 8, w + 12, 12, "#24506e", 3)
    step_x, step_y = (w - 20) / columns, (h - 24) / rows
    for row in range(rows):
        for column in range(columns):
            left, top = x + 14 + column * step_x, y + 18 + row * step_y
            lit = (row * 5 + column * 3 + x) % 7 == 0
            c.shade((left, top, left + step_x - 10, top + step_y - 12), "#fff0b0" if lit else "#a9d8ee", "#47799c")


def donalbebek():
    """A mallard of the village pond."""
    c = Canvas(420, 420, "#bfe4f2", "#f3f7e2")
    c.glow(320, 84, 46, "#fff4c2", 240)
    cloud(c, 96, 74, 26)
    c.shape([(0, 214), (110, 176), (230, 206), (330, 170), (420, 200), (420, 250), (0, 250)], "#9cc98a")
    c.shade((0, 232, 420, 420), "#6cc0cf", "#2c7f9c")
    for x, y, w in ((30, 262, 70), (300, 268, 90), (60, 372, 110), (250, 392, 90), (330, 330, 60), (10, 318, 50)):
        c.line([(x + t, y + 3 * math.sin(t / 9)) for t in range(w)], "#a5dde4", 2.5)
    c.oval(214, 336, 132, 15, "#23708c")
    c.shape([(318, 250), (376, 208), (366, 262), (338, 292)], "#5a4a42")
    c.shape([(322, 246), (352, 196), (352, 250)], "#3a3f4a")
    c.shade((96, 214, 346, 340), "#d8d2c6", "#9b9184", "oval")
    c.shade((94, 216, 214, 338), "#8c5138", "#6a3a29", "oval")
    c.shape([(120, 130), (184, 130), (202, 262), (104, 268)], "#2d8a62")
    c.shape([(108, 236), (194, 228), (197, 244), (106, 252)], "#fbfaf3")
    c.shade((96, 84, 200, 186), "#3fae7c", "#1d6a4f", "oval")
    c.shape([(104, 132), (34, 150), (30, 162), (60, 170), (110, 164)], "#f2b632")
    c.shape([(106, 152), (44, 158), (30, 162), (60, 170), (110, 164)], "#d9972a")
    c.oval(84, 142, 3, 2, "#9c6a1b")
    c.oval(136, 122, 13, 14, "#fffdf2")
    c.oval(132, 123, 7, 8, "#20242c")
    c.oval(130, 120, 2.5, 2.5, "#ffffff")
    c.shade((178, 236, 330, 312), "#b5aa9b", "#7f7466", "oval")
    c.shape([(262, 262), (330, 256), (318, 286), (268, 284)], "#3a5fb0")
    c.shape([(264, 262), (330, 256), (329, 261), (265, 267)], "#fbfaf3")
    for n in range(3):
        c.arc(208 + n * 22, 268, 17, 20, 150, "#6f6557", 2.5)
        c.arc(220 + n * 22, 284, 13, 20, 150, "#6f6557", 2.5)
    c.box(86, 318, 270, 24, "#3b93ac", 12)
    c.line([(70 + t, 322 + 3 * math.sin(t / 8)) for t in range(296)], "#c9eef0", 3)
    c.line([(90 + t, 334 + 3 * math.sin(t / 9)) for t in range(240)], "#8fd0da", 2.5)
    for x, top in ((372, 150), (388, 120), (404, 166), (18, 170), (34, 196)):
        c.line([(x, 330), (x + 3, top)], "#4f8a4c", 4)
        c.box(x - 3, top - 6, 11, 40, "#7a4a2c", 5)
    c.oval(330, 372, 34, 11, "#4fa565")
    c.shape([(330, 372), (366, 364), (366, 376)], "#2f86a2")
    c.oval(322, 364, 8, 6, "#f58fa8")
    c.oval(322, 362, 4, 4, "#ffe08a")
    return c.finished()


def save_jpeg(name, image, words, exact=None):
    """Writes a JPEG; of exactly so many bytes if told."""
    path = PUBLIC / name
    path.write_bytes(jpeg(image, words, exact))
    print(f"{path.stat().st_size:7} {name}")


def jpeg(image, words, exact=None):
    best = None
    for quality in range(95, 20, -1):
        for subsampling in (0, 1, 2):
            data = encoded(image, quality, subsampling)
            if exact is None:
                return commented(encoded(image, 85, 2), words)
            room = exact - len(data) - len(words) - 4
            if room >= 0 and (best is None or len(data) > len(best)):
                best = data
        if best is not None and len(encoded(image, quality, 2)) < exact * 0.8:
            break
    return commented(best, words + " " * (exact - len(best) - 4 - len(words)))


def encoded(image, quality, subsampling):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return out.getvalue()


def commented(data, words):
    """A comment segment right after the JFIF header."""
    header = 4 + struct.unpack(">H", data[4:6])[0]
    text = words.encode("ascii")
    return data[:header] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + data[header:]


# ---- PDF -----------------------------------------------------------------------------------------

# Advance widths of Helvetica for the characters from space to tilde, in thousandths of its size.
WIDTHS = [int(w) for w in """
278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 584 584
584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 278
278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500
500 334 260 334 584""".split()]
XMP_BYTES_MIN = 2048  # the white space that the XMP specification recommends
PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 595, 842, 62
INK, BLUE, GREY = (0.13, 0.17, 0.22), (0.09, 0.36, 0.58), (0.45, 0.5, 0.55)


class Page:
    """The drawing operators of one page, from top to bottom."""

    def __init__(self, title, number):
        self.operators, self.images, self.y = [], [], PAGE_HEIGHT - MARGIN
        self.rectangle(0, PAGE_HEIGHT - 18, PAGE_WIDTH, 18, BLUE)
        self.put(MARGIN, 36, title, 9, GREY)
        self.put(PAGE_WIDTH - MARGIN - 10, 36, str(number), 9, GREY)

    def put(self, x, y, words, size, colour=INK, bold=False):
        escaped = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        font = "F2" if bold else "F1"
        self.operators.append("%g %g %g rg BT /%s %g Tf %g %g Td (%s) Tj ET" % (*colour, font, size, x, y, escaped))

    def heading(self, words, size=22):
        self.y -= size + 6
        self.put(MARGIN, self.y, words, size, BLUE, bold=True)
        self.y -= 12

    def paragraph(self, words, size=11.5, indent=0):
        line, width = [], PAGE_WIDTH - 2 * MARGIN - indent
        for word in words.split() + [None]:
            if word is None or measure(" ".join(line + [word]), size) > width:
                self.y -= size * 1.45
                self.put(MARGIN + indent, self.y, " ".join(line), size)
                line = []
            line.append(word)
        self.y -= 8

    def point(self, words):
        self.rectangle(MARGIN + 2, self.y - 13, 4, 4, BLUE)
        self.paragraph(words, indent=16)
        self.y += 3

    def rectangle(self, x, y, w, h, colour):
        self.operators.append("%g %g %g rg %g %g %g %g re f" % (*colour, x, y, w, h))

    def stroke(self, points, colour=INK, width=1.0):
        path = " ".join("%.2f %.2f %s" % (x, y, "l" if n else "m") for n, (x, y) in enumerate(points))
        self.operators.append("%g %g %g RG %g w %s S" % (*colour, width, path))

    def picture(self, name, ratio, caption):
        width = PAGE_WIDTH - 2 * MARGIN
        height = width * ratio
        self.y -= height + 10
        self.images.append(name)
        self.operators.append("q %g 0 0 %g %g %g cm /%s Do Q" % (width, height, MARGIN, self.y, name))
        self.y -= 14
        self.put(MARGIN, self.y, caption, 9, GREY)
        self.y -= 8

    def table(self, rows, widths):
        for number, row in enumerate(rows):
            self.y -= 20
            if number % 2 == 0:
                shade = (0.82, 0.9, 0.96) if number == 0 else (0.95, 0.97, 0.98)
                self.rectangle(MARGIN, self.y - 6, PAGE_WIDTH - 2 * MARGIN, 20, shade)
            x = MARGIN + 6
            for cell, width in zip(row, widths):
                self.put(x, self.y, cell, 10, bold=number == 0)
                x += width
        self.y -= 16


def measure(words, size):
    return sum(WIDTHS[ord(letter) - 32] for letter in words) * size / 1000


def pdf(title, pages, images, exact=None):
    """A whole PDF 1.4 file; of exactly so many bytes if told."""
    data = assembled(title, pages, images, 0)
    if exact is None:
        return data
    # The number of digits in offsets and lengths may change with the padding, so it is found by trying.
    padding = exact - len(data)
    for _ in range(8):
        data = assembled(title, pages, images, padding)
        if len(data) == exact:
            return data
        padding += exact - len(data)
    raise SystemExit(f"{title}: no padding gives {exact} bytes")


def assembled(title, pages, images, padding):
    objects = []

    def add(body):
        objects.append(body if isinstance(body, bytes) else body.encode("ascii"))
        return len(objects)

    catalog, tree = add(""), add("")
    fonts = [add(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>") for name in ("Helvetica", "Helvetica-Bold")]
    numbers = {}
    for name, (image, data) in images.items():
        head = f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode"
        numbers[name] = add(stream(head, data))
    kids = []
    for page in pages:
        content = add(stream("/Filter /FlateDecode", zlib.compress("\n".join(page.operators).encode("ascii"), 9)))
        pictures = " ".join(f"/{name} {numbers[name]} 0 R" for name in page.images)
        kids.append(add(
            f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {PAGE_WIDTH} {PAGE_HEIGHT}] /Contents {content} 0 R "
            f"/Resources << /Font << /F1 {fonts[0]} 0 R /F2 {fonts[1]} 0 R >> /XObject << {pictures} >> >> >>"
        ))
    metadata = add(stream("/Type /Metadata /Subtype /XML", xmp(title, padding)))
    information = add(f"<< /Title ({title}) /Author (The giliran project) /CreationDate (D:20210713203113+07'00') >>")
    objects[catalog - 1] = f"<< /Type /Catalog /Pages {tree} 0 R /Metadata {metadata} 0 R >>".encode()
    objects[tree - 1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, catalog, information, start)
    return bytes(out)


def stream(head, data):
    return f"<< {head} /Length {len(data)} >>\nstream\n".encode("ascii") + data + b"\nendstream"


def xmp(title, padding):
    lines = [" " * 99 + "\n"] * (padding // 100) + [" " * (padding % 100)]
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>\n'
        "</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n" + "".join(lines) + '<?xpacket end="w"?>'
    ).encode("ascii")


def phone_and_reader():
    c = Canvas(1200, 640, "#12324a", "#2b6a86")
    c.glow(600, 320, 170, "#5fd0c5", 120)
    c.shade((150, 90, 420, 560), "#f4f7f9", "#c9d5dd", radius=34)
    c.shade((168, 130, 402, 520), "#1d4e6d", "#3ba99c", radius=8)
    c.box(214, 190, 142, 90, "#f5c451", 12)
    c.box(230, 214, 30, 24, "#d79a2b", 4)
    for n in range(4):
        c.box(232 + n * 30, 256, 22, 8, "#b97f1d", 3)
    c.text(285, 340, "Hold near reader", 25, "#ffffff")
    c.oval(285, 430, 40, 40, "#ffffff")
    c.line([(266, 430), (281, 446), (308, 412)], "#2d9c83", 9)
    c.shade((800, 130, 1060, 520), "#39434d", "#1b2127", radius=26)
    c.shade((826, 160, 1034, 290), "#b8f0dc", "#6ec7b1", radius=10)
    c.text(930, 206, "Rp 25.000", 40, "#123b3a")
    c.text(930, 254, "tap to pay", 25, "#1e5a55")
    for row in range(4):
        for column in range(3):
            c.box(836 + column * 66, 316 + row * 46, 52, 34, "#5c6873", 6)
    for n in range(4):
        c.arc(470, 320, 60 + n * 48, -42, 42, "#8df0df", 9 - n)
    return c


def coils():
    c = Canvas(1200, 640, "#fdf6e6", "#f3dfb8")
    for n in range(7):
        c.oval(330, 470, 250 - n * 18, 92 - n * 7, None, "#b5642a", 6)
        c.oval(870, 250, 190 - n * 14, 68 - n * 5, None, "#2f7a86", 5)
    for n in range(9):
        dx = (n - 4) * 50
        c.line([(330 + dx + t * 0.94 - 40 * math.sin(t / 180), 440 - t * 0.37 - 210 * math.sin(math.pi * t / 560)) for t in range(0, 560, 6)], ("#e0985a", "#d98c8c", "#8fb6a0")[n % 3], 3)
    c.text(330, 596, "reader: an alternating current in a coil", 29, "#7a3f17")
    c.text(892, 396, "tag: the field drives a current in the other coil", 29, "#1d5560")
    c.box(1090, 214, 60, 60, "#2b3440", 8)
    c.text(1120, 244, "chip", 22, "#ffffff")
    return c


def modes():
    c = Canvas(1200, 520, "#eef6fb", "#cfe3ef")
    for n, (title, detail) in enumerate((("Reader / writer", "phone reads a poster"), ("Peer to peer", "two phones swap a card"), ("Card emulation", "phone acts as a ticket"))):
        x = 40 + n * 385
        c.shade((x, 40, x + 350, 480), "#ffffff", "#f3f7fa", radius=22)
        c.shade((x + 70, 100, x + 150, 250), "#2d5f86", "#1f3f5b", radius=12)
        c.shade((x + 78, 114, x + 142, 230), "#8fd3e8", "#5aa5c4", radius=3)
        for r in (24, 44, 64):
            c.arc(x + 150, 175, r, -38, 38, "#e2733f", 6)
        if n == 0:
            c.box(x + 236, 108, 76, 128, "#f4c95d", 4)
            c.oval(x + 274, 158, 24, 24, "#d5483f")
            c.box(x + 250, 196, 48, 8, "#9a6c18", 3)
        elif n == 1:
            c.shade((x + 236, 100, x + 316, 250), "#7a4a8c", "#51305f", radius=12)
            c.shade((x + 244, 114, x + 308, 230), "#e9c7f2", "#b98acb", radius=3)
        else:
            c.box(x + 226, 130, 96, 150, "#3b4652", 10)
            c.box(x + 240, 146, 68, 40, "#8ee3b0", 4)
        c.text(x + 175, 340, title, 34, "#1b3d57")
        c.text(x + 175, 392, detail, 26, "#55697a")
    return c


def gate():
    c = Canvas(1200, 640, "#dfe7ee", "#b3c4d1")
    c.shade((0, 470, 1200, 640), "#8796a3", "#5e6c78")
    for x in (120, 440, 760, 1080):
        c.shade((x - 60, 270, x + 60, 560), "#f6f8fa", "#aebdc9", radius=18)
        c.shade((x - 44, 288, x + 44, 340), "#2fb58c", "#1e7f63", radius=10)
        c.text(x, 314, "TAP", 28, "#ffffff")
        for r in (18, 32, 46):
            c.arc(x, 286, r, 215, 325, "#1e7f63", 5)
    for x in (280, 600, 920):
        c.shape([(x - 100, 380), (x - 12, 400), (x - 12, 500), (x - 100, 520)], "#e2733f")
        c.shape([(x + 100, 380), (x + 12, 400), (x + 12, 500), (x + 100, 520)], "#e2733f")
    c.box(60, 60, 1080, 110, "#1f3f5b", 14)
    c.text(600, 115, "STASIUN   -   STATION", 54, "#ffe9a8")
    return c


def nfc():
    images = {}
    for number, (name, canvas) in enumerate((("Phone", phone_and_reader()), ("Coils", coils()), ("Modes", modes()), ("Gate", gate()))):
        image = canvas.finished(grain=9, seed=number + 1)
        images[name] = (image, b"")
    ratio = {name: image.height / image.width for name, (image, _) in images.items()}
    title = "NFC: a conversation across four centimetres"
    pages = [Page(title, number) for number in range(1, 6)]

    p = pages[0]
    p.heading("NFC", 40)
    p.heading("A conversation across four centimetres", 18)
    p.picture("Phone", ratio["Phone"], "A phone and a payment terminal: both have a coil behind the mark.")
    p.paragraph("Near Field Communication lets two devices talk when they almost touch. One of them may be as small as a sticker and have no battery at all. It opens doors, pays for noodles, and lets a phone read a poster. These pages tell how it works, from the coil up to the message.")
    p.paragraph("Three numbers to remember: the field swings 13.56 million times a second, it reaches about four centimetres, and data flow at 106, 212 or 424 thousand bits a second. That is slow beside a wireless network, and fast enough for a ticket.")

    p = pages[1]
    p.heading("Two coils and a field")
    p.paragraph("A radio station sends waves that travel on by themselves. NFC does not: it works within the near field, where the two coils behave like a transformer without its iron core. The reader drives an alternating current through its coil. The changing magnetic field goes through the coil of the tag and drives a current there, enough to run a small chip.")
    p.picture("Coils", ratio["Coils"], "The field lines of the reader's coil go through the coil of the tag.")
    p.paragraph("To answer, the tag needs no transmitter. It connects and disconnects a resistor across its own coil. The reader feels that as a tiny change in its own voltage, as you feel through a rope whether somebody at the other end holds it tight. This is called load modulation.")
    p.paragraph("The strength of such a field falls with the cube of the distance. Twice as far is an eighth of the field: that is why you must hold the card close, and why a reader does not hear the cards of everyone in the room.")
    base = p.y - 120
    p.stroke([(MARGIN + 40, base + 110), (MARGIN + 40, base), (MARGIN + 420, base)], INK, 1.2)
    p.stroke([(MARGIN + 40 + x * 38, base + 100 / (1 + x * 0.9) ** 3) for x in [n / 10 for n in range(0, 101)]], (0.89, 0.45, 0.25), 2)
    p.put(MARGIN + 60, base + 96, "field strength", 9, GREY)
    p.put(MARGIN + 350, base - 14, "distance", 9, GREY)

    p = pages[2]
    p.heading("Three ways to use it")
    p.picture("Modes", ratio["Modes"], "The same phone in three roles.")
    p.point("Reader / writer. The phone makes the field and reads a passive tag: an address on a poster, a setting on a loudspeaker.")
    p.point("Peer to peer. Two powered devices take turns at making the field. First one speaks, then the other; never both.")
    p.point("Card emulation. The phone stays passive and answers like a card. The gate at the station cannot tell the difference.")
    p.paragraph("Who makes the field is called the initiator, who answers is the target. If several targets are in the field, the initiator asks for their numbers bit by bit until one is left: a roll call, which is called anticollision.")
    p.heading("Kinds of tags", 16)
    p.table([("Type", "Built on", "Typical memory", "Bits a second"), ("Type 2", "ISO/IEC 14443 A", "48 B to 2 KB", "106,000"), ("Type 3", "JIS X 6319-4", "up to 1 MB", "212,000 or 424,000"), ("Type 4", "ISO/IEC 14443 A or B", "up to 64 KB", "106,000 to 424,000"), ("Type 5", "ISO/IEC 15693", "up to 64 KB", "26,480")], (90, 150, 120, 110))

    p = pages[3]
    p.heading("What is said: NDEF")
    p.paragraph("A tag that holds bytes is of no use if every reader expects them in another form. The NFC Data Exchange Format is the agreement. A message is a row of records, and a record begins with a few bits that say what it is.")
    fields = (("MB", 1), ("ME", 1), ("CF", 1), ("SR", 1), ("IL", 1), ("TNF", 3))
    x, unit = MARGIN, 58
    p.y -= 40
    for name, bits in fields:
        p.rectangle(x, p.y, bits * unit - 3, 28, (0.82, 0.9, 0.96))
        p.put(x + 8, p.y + 10, name, 11, BLUE, bold=True)
        x += bits * unit
    p.y -= 6
    for name, meaning in (("MB, ME", "first and last record of the message"), ("CF", "this record is a piece of a larger one"), ("SR", "the length has one byte instead of four"), ("IL", "the record has an identifier"), ("TNF", "how the type is to be read: well known, media type or address")):
        p.point(f"{name}: {meaning}.")
    p.paragraph("After this byte come the length of the type, the length of the content, the type and the content. An address of a web page has the type U, and its first byte stands for a beginning: 0x04 for https://. So a whole address fits into a handful of bytes:")
    p.table([("Byte", "Meaning"), ("D1", "MB, ME, SR set; type well known; the only record"), ("01", "the type has one byte"), ("0C", "the content has twelve bytes"), ("55", "the type: U, an address"), ("04", "it begins with https://"), ("65 78 61 6D 70 6C 65 2E 63 6F 6D", "example.com")], (220, 240))

    p = pages[4]
    p.heading("Is it safe?")
    p.picture("Gate", ratio["Gate"], "A gate has a third of a second for each passenger.")
    p.paragraph("Four centimetres are no lock. With a good antenna one can listen from metres away, and two radios can carry the conversation on to a card in somebody's pocket in another town: the relay attack. So nothing secret should ever be said in the clear.")
    p.point("Payment cards sign each transaction with a key that never leaves the chip, over a number that the terminal has just made up. A recording is of no use the next day.")
    p.point("Phones keep such keys in a secure element, or in the cloud and lend the phone a few of them at a time, and want a fingerprint first.")
    p.point("A reader that measures how long the answer takes can notice a relay, as light itself needs time for the detour.")
    p.point("A tag on a poster can be pasted over. A phone should show the address before it opens it.")
    p.paragraph("What makes NFC pleasant is its smallest feature: nothing has to be searched, paired or typed. To touch a thing is to mean it.")
    size = 550_558
    fill_with_pictures(images, size - len(assembled(title, pages, images, 0)) - XMP_BYTES_MIN)
    return pdf(title, pages, images, size)


def fill_with_pictures(images, budget):
    """Raises the quality of one picture after the other while all of them fit."""
    quality = dict.fromkeys(images, 70)
    rising = list(images)
    sizes = {}
    for name in images:
        images[name] = (images[name][0], encoded(images[name][0], quality[name], 2))
        sizes[name] = len(images[name][1])
    while rising:
        name = rising.pop(0)
        data = encoded(images[name][0], quality[name] + 1, 2)
        if quality[name] < 95 and sum(sizes.values()) - sizes[name] + len(data) <= budget:
            quality[name], sizes[name] = quality[name] + 1, len(data)
            images[name] = (images[name][0], data)
            rising.append(name)


def msi():
    title = "MSI: interrupts as messages"
    p = Page(title, 1)
    p.heading("MSI: interrupts as messages")
    p.paragraph("A network card that has received a packet must tell the processor. It once pulled a wire, and the wire was shared: each driver on it had to ask its own device whether it was the one. With Message Signalled Interrupts the card writes a small number to a certain address instead, by the same road on which its data travel.")
    p.point("The message cannot overtake the data written before it: when the interrupt comes, the packet is in memory.")
    p.point("There are many numbers, up to 2048 with MSI-X, so that each receive queue can have its own.")
    p.point("Each number can be sent to another processor: one queue, one processor, no quarrel about a lock.")
    p.y -= 110
    for n in range(4):
        x = MARGIN + n * 118
        p.rectangle(x, p.y + 60, 100, 34, (0.82, 0.9, 0.96))
        p.put(x + 14, p.y + 73, f"queue {n}", 11, BLUE, bold=True)
        p.stroke([(x + 50, p.y + 60), (x + 50, p.y + 30), (x + 45, p.y + 38), (x + 50, p.y + 30), (x + 55, p.y + 38)], (0.89, 0.45, 0.25), 1.5)
        p.rectangle(x, p.y - 6, 100, 34, (0.9, 0.95, 0.88))
        p.put(x + 14, p.y + 7, f"processor {n}", 11, (0.15, 0.4, 0.2), bold=True)
    p.y -= 30
    p.paragraph("A server that spreads its connections over several threads goes the same way one floor higher: several sockets listen on one port, the kernel picks one of them for each connection, and no two threads have to share it.")
    return pdf(title, [p], {})


def main():
    for folder in ("images/me", "pdf/bench"):
        (PUBLIC / folder).mkdir(parents=True, exist_ok=True)
    save_jpeg("images/pokijan.jpg", pokijan(), "A food cart, drawn for giliran.", 15_702)
    save_jpeg("images/research_center.jpg", research_center(), "A research center, drawn for giliran.", 75_007)
    save_jpeg("images/me/donalbebek.jpg", donalbebek(), "A duck, drawn for giliran.")
    for name, data in (("pdf/nfc.pdf", nfc()), ("pdf/bench/msi.pdf", msi())):
        (PUBLIC / name).write_bytes(data)
        print(f"{len(data):7} {name}")


if __name__ == "__main__":
    main()
