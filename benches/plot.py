"""A line plot as SVG, with nothing but text: readable in light and dark, and told apart without colour.

`draw` gives each series a colour, a marker of its own and its name at the end of its line. The
vertical axis begins at 0: half as high is half as much.
"""

import html
import math

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 150, 56, 52
LABEL_HEIGHT = 17

# Of equal lightness within each half, and different for every kind of colour vision.
LIGHT = ["#0b62a8", "#b8480a", "#2f7a3b", "#8a4a9e", "#5b6470", "#9a6b00"]
DARK = ["#6db6f5", "#f39a62", "#7fcf8c", "#d3a0e6", "#aab4c0", "#e3b94f"]
MARKERS = ["circle", "square", "triangle", "diamond", "circle", "square"]


def draw(title, x_label, y_label, series, logarithmic=False, order=()):
    """The text of an SVG file. `series`: name to a list of (x, y), both numbers, in order of x. Names in
    `order` have the looks of their place there, so that they are alike in plots that lack some of them."""
    order = list(dict.fromkeys([*order, *series]))
    values = sorted({x for points in series.values() for x, _ in points})
    step = step_of(max(y for points in series.values() for _, y in points))
    top = step * math.ceil(max(y for points in series.values() for _, y in points) / step)

    def place_x(x):
        low, high, x = (math.log(number) if logarithmic else number for number in (values[0], values[-1], x))
        return LEFT + (WIDTH - LEFT - RIGHT) * ((x - low) / (high - low) if high > low else 0.5)

    def place_y(y):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top

    parts = [head(title, y_label)]
    for number in range(round(top / step) + 1):
        y = place_y(number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number * step:,g}</text>')
    for x in values:
        parts.append(f'<text x="{place_x(x):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{x:,g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{html.escape(x_label)}</text>')

    ends = apart({name: place_y(points[-1][1]) for name, points in series.items()})
    for name, points in series.items():
        look = order.index(name) % len(LIGHT)
        placed = [(place_x(x), place_y(y)) for x, y in points]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<g class="s{look}"><title>{html.escape(name)}</title><polyline points="{way}"/>')
        parts.extend(marker(MARKERS[look], *place) for place in placed)
        parts.append(f'<text x="{placed[-1][0] + 12:.1f}" y="{ends[name] + 4:.1f}">{html.escape(name)}</text></g>')
    return "\n".join([*parts, "</svg>", ""])


def head(title, y_label):
    colours = "\n".join(f".s{n} {{ --c: {colour} }}" for n, colour in enumerate(LIGHT))
    dark = "\n".join(f".s{n} {{ --c: {colour} }}" for n, colour in enumerate(DARK))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>{html.escape(title)}</title>
<style>
svg {{ background: #fff; font: 13px system-ui, sans-serif; --text: #24292f; --grid: #d8dee4 }}
{colours}
@media (prefers-color-scheme: dark) {{
svg {{ background: #0d1117; --text: #e6edf3; --grid: #30363d }}
{dark}
}}
text {{ fill: var(--text) }}
.title {{ font-size: 16px; font-weight: 600 }}
.grid {{ stroke: var(--grid) }}
g polyline {{ fill: none; stroke: var(--c); stroke-width: 2 }}
g path, g text {{ fill: var(--c) }}
</style>
<text class="title" x="{LEFT}" y="24">{html.escape(title)}</text>
<text x="{LEFT}" y="44">{html.escape(y_label)}</text>"""


def marker(kind, x, y):
    outline = {
        "circle": "m-4,0 a4,4 0 1,0 8,0 a4,4 0 1,0 -8,0",
        "square": "m-4,-4 h8 v8 h-8 z",
        "triangle": "m0,-5 l5,9 h-10 z",
        "diamond": "m0,-5.5 l5.5,5.5 l-5.5,5.5 l-5.5,-5.5 z",
    }[kind]
    return f'<path d="M{x:.1f},{y:.1f} {outline}"/>'


def step_of(most):
    """From one line of the grid to the next: 1, 2 or 5 with zeros, so that there are four to ten lines."""
    unit = 10.0 ** math.floor(math.log10(most)) if most > 0 else 1.0
    return next(unit * part for part in (0.1, 0.2, 0.5, 1, 2) if most / (unit * part) <= 7)


def apart(ends):
    """Moves the names at the ends of lines until none covers another."""
    placed, last = {}, -math.inf
    for name, y in sorted(ends.items(), key=lambda end: end[1]):
        last = max(y, last + LABEL_HEIGHT)
        placed[name] = last
    # Pushed over the lower edge, all of them go up again by as much.
    over = max(0, last - (HEIGHT - BOTTOM))
    return {name: y - over for name, y in placed.items()}
