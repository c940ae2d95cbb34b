#!/usr/bin/env python3
"""Draw the samples that a benchmark stored with --output as an SVG: one row of dots a peer.

    bench/plot.py RESULT.json OUT.svg
"""

import json
import sys
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, RIGHT, TOP, BOTTOM = 860, 64, 130, 90, 50, 46
COLOURS = {"hull": "#0b6e4f", "floor": "#777777"}
OTHER = "#b5532a"


def nice_step(span):
    """A step of 1, 2 or 5 times a power of ten that gives at most ten ticks."""
    step = 10.0 ** -6
    while True:
        for factor in (1, 2, 5):
            if span / (step * factor) <= 10:
                return step * factor
        step *= 10


def jitter(index):
    """Spreads neighbours without chance, so that the same data give the same picture."""
    return (index * 0.618034) % 1 - 0.5


def draw_row(svg, name, entry, times, y, scale):
    colour = COLOURS.get(name, OTHER)
    svg.append(f'<text x="{LEFT - 12}" y="{y + 5}" text-anchor="end">{escape(name)}</text>')
    for i, value in enumerate(times):
        svg.append(f'<circle cx="{scale(value):.1f}" cy="{y + jitter(i) * ROW * 0.5:.1f}" r="2.5" '
                   f'fill="{colour}" fill-opacity="0.45"/>')
    median = entry["first_byte_ms"]["median"]
    x = scale(median)
    svg.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - ROW * 0.36:.1f}" '
               f'y2="{y + ROW * 0.36:.1f}" stroke="{colour}" stroke-width="3"/>')
    svg.append(f'<text x="{WIDTH - RIGHT + 10}" y="{y + 5}" fill="{colour}">'
               f'{median:.1f} ms</text>')


def draw_axis(svg, limit, height, scale):
    step, value = nice_step(limit), 0.0
    while value <= limit:
        x = scale(value)
        svg.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}" '
                   f'stroke="#dddddd"/>')
        svg.append(f'<text x="{x:.1f}" y="{height - BOTTOM + 18}" text-anchor="middle" '
                   f'fill="#555555">{value:g}</text>')
        value += step
    svg.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 8}" text-anchor="middle" '
               f'fill="#555555">ms from start to first byte; bar and number: median</text>')


def draw(document):
    times = {name: [s["first_byte_ns"] / 1e6 for s in document["samples"]
                    if s["peer"] == name and "problem" not in s]
             for name, entry in document["summary"].items() if "first_byte_ms" in entry}
    if not times:
        sys.exit("no samples to draw")
    # The axis ends at the largest 95th part of any peer: a single outlier must not squeeze the rest.
    limit = max(sorted(values)[int(len(values) * 0.95) - 1] for values in times.values()) * 1.08
    height = TOP + ROW * len(times) + BOTTOM

    def scale(value):
        return LEFT + min(value, limit) / limit * (WIDTH - LEFT - RIGHT)

    host = document["host"]
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="{LEFT}" y="28" font-size="17">Start-up, {document["memory_mib"]} MiB guest'
           f' &#8212; {escape(host["cpu"])}, KVM: {escape(host["kvm"])}</text>']
    draw_axis(svg, limit, height, scale)
    order = sorted(times, key=lambda name: document["summary"][name]["first_byte_ms"]["median"])
    for i, name in enumerate(order):
        draw_row(svg, name, document["summary"][name], times[name], TOP + ROW * (i + 0.5), scale)
    svg.append("</svg>")
    return "\n".join(svg) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    picture = draw(document)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
