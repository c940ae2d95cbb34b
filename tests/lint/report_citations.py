#!/usr/bin/env python3
"""Which sections of the VIRTIO specification the sources cite, and which tests cite them too.

A report, not a gate: a section without a test may well be tested by one that does not say so.
    ninja citations
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.compile(r"VIRTIO 1\.[0-9]+")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
# Chapters 2 to 5 and 6, at least two numbers deep; not the version of something else, not a decimal
# number, and not part of a longer number.
SECTION = re.compile(r"(?<![\w.])[2-6](?:\.[0-9]{1,2}){1,5}(?![\w]|\.[0-9])")
# The document named last before a number is the one that it belongs to.
FOREIGN = re.compile(r"\b(PCI|ACPI|SMBIOS|KVM API)\b[^;)]*$")


def cited(text):
    """{section: first line that cites it} of a file that names VIRTIO at all."""
    found = {}
    if not VERSION.search(text):
        return found
    for comment in COMMENT.finditer(text):
        body = VERSION.sub(lambda match: " " * len(match.group(0)), comment.group(0))
        for match in SECTION.finditer(body):
            before = body[:match.start()]
            virtio = comment.group(0)[:match.start()].rfind("VIRTIO")
            foreign = FOREIGN.search(before)
            if foreign and foreign.start() > virtio:
                continue
            line = text.count("\n", 0, comment.start() + match.start()) + 1
            found.setdefault(match.group(0), line)
    return found


def collect(*folders):
    """{section: ["path:line"]}"""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", *folders], capture_output=True,
                            text=True, check=True).stdout.split()
    sections = {}
    for path in listed:
        if path.endswith((".c", ".h")):
            for section, line in cited((ROOT / path).read_text()).items():
                sections.setdefault(section, []).append(f"{path}:{line}")
    return sections


def short(path):
    return Path(path).name


def main():
    sources = collect("src", "include")
    tests = collect("tests", "guest-firmware")
    untested = 0
    for section in sorted(sources, key=lambda text: [int(part) for part in text.split(".")]):
        by = sorted({short(path) for path in tests.get(section, [])})
        deeper = sorted({short(path) for other, paths in tests.items()
                         if other.startswith(section + ".") for path in paths})
        print(f"{section:12} {' '.join(short(path) for path in sources[section])}")
        if by:
            print(f"{'':12} tests: {' '.join(by)}")
        elif deeper:
            print(f"{'':12} tests of its parts: {' '.join(deeper)}")
        else:
            print(f"{'':12} no test cites it")
            untested += 1
    print(f"{len(sources)} sections are cited, {untested} of them by no test")
    return 0


if __name__ == "__main__":
    sys.exit(main())
