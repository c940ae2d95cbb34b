#!/usr/bin/env python3
"""Draw tables of docs/performance.md as SVGs beside it: bars of what one row compares.

    bench/plot_tables.py            writes them
    bench/plot_tables.py --check    exits with 1 if one is not what its table says
"""

import re
import sys
from pathlib import Path
from textwrap import shorten
from xml.sax.saxutils import escape

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/performance.md"
# The picture, and how the header of the table begins whose first columns it shows.
PICTURES = {
    "disk-cached.svg": ("4 KiB, or 128 KiB sequential | hull | QEMU, iothread", "operations a second"),
    "disk-direct.svg": ("4 KiB, or 128 KiB sequential | hull | QEMU |", "operations a second"),
    "network.svg": ("| hull | QEMU, vhost off", "frames a second"),
    "command.svg": ("| seconds | above the kernel", "seconds"),
    "user-network.svg": ("`--net user` | the same", "MiB/s, or round trips a second, of each row's best"),
}
WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 860, 290, 110, 54, 15, 12
COLOURS = ("#0b6e4f", "#b5532a", "#777777", "#3b5b92")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def find_table(text, header):
    """The header's cells and those of each row."""
    lines = text.splitlines()
    at = next(index for index, line in enumerate(lines)
              if line.startswith("|") and header in line)
    rows = []
    for line in lines[at + 2:]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return cells(lines[at]), rows


def number(cell):
    """What a cell begins with, as in "364 k, 5.4 us"."""
    found = re.match(r"([0-9.]+)( k)?\b", cell)
    return float(found[1]) * (1000 if found[2] else 1)


def plain(text):
    return escape(text.replace("`", ""))


def draw(header, rows, unit):
    """A row's columns but for ratios and differences, each a bar in the measure of the longest; rows of
    different units have measures of their own."""
    columns = [index for index in range(1, len(header))
               if "/" not in header[index] and "above" not in header[index]]
    own_measure = "each row" in unit
    largest = max(number(row[index]) for row in rows for index in columns)
    height = TOP + len(rows) * (len(columns) * BAR + GAP) + 12
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="12" y="22" font-size="15">{escape(unit)}</text>']
    x = LEFT
    for place, index in enumerate(columns if len(columns) > 1 else []):
        svg.append(f'<rect x="{x}" y="32" width="11" height="11" fill="{COLOURS[place]}"/>'
                   f'<text x="{x + 16}" y="42">{plain(header[index])}</text>')
        x += 30 + 7 * len(header[index])
    y = TOP
    for row in rows:
        measure = max(number(row[index]) for index in columns) if own_measure else largest
        label = shorten(row[0], 40, placeholder=" ...")
        svg.append(f'<text x="{LEFT - 10}" y="{y + len(columns) * BAR / 2 + 5:.1f}" '
                   f'text-anchor="end">{plain(label)}</text>')
        for place, index in enumerate(columns):
            length = number(row[index]) / measure * (WIDTH - LEFT - RIGHT)
            svg.append(f'<rect x="{LEFT}" y="{y + 1}" width="{length:.1f}" height="{BAR - 3}" '
                       f'fill="{COLOURS[place]}"/><text x="{LEFT + length + 6:.1f}" y="{y + 12}" '
                       f'fill="#555555">{plain(row[index].partition(",")[0])}</text>')
            y += BAR
        y += GAP
    return "\n".join([*svg, "</svg>"]) + "\n"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__.strip())
    text = DOCUMENT.read_text(encoding="utf-8")
    stale = []
    for name, (header, unit) in PICTURES.items():
        picture = draw(*find_table(text, header), unit)
        path = DOCUMENT.with_name(name)
        if not sys.argv[1:]:
            path.write_text(picture, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != picture:
            stale.append(name)
    if stale:
        sys.exit(f"docs: {', '.join(stale)} show other figures than performance.md: "
                 "run bench/plot_tables.py")


if __name__ == "__main__":
    main()
