#!/usr/bin/env python3
"""The man page: complete, and without a warning from whatever formatter there is.

usage: test_man.py HULL
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
FORMATTERS = [
    ["groff", "-man", "-ww", "-Tutf8"],
    ["man", "--warnings", "-l"],
    ["mandoc", "-Tlint", "-Wwarning"],
]


def main():
    hull = sys.argv[1]
    page = subprocess.run([hull, "man"], stdout=subprocess.PIPE, check=True).stdout
    text = page.decode("ascii")
    names = re.findall(r"^  +(?:-\w, )?--([a-z-]+)", subprocess.run(
        [hull, "help", "run"], stdout=subprocess.PIPE, check=True).stdout.decode(), re.M)
    assert len(names) > 20, names
    for name in names + ["json"]:
        escaped = name.replace("-", "\\-")
        assert f"\\fB\\-\\-{escaped}\\fR" in text, f"--{name} is not in the man page"
    tried = 0
    with tempfile.NamedTemporaryFile(suffix=".1") as file:
        file.write(page)
        file.flush()
        for formatter in FORMATTERS:
            if not shutil.which(formatter[0]):
                continue
            result = subprocess.run(
                [*formatter, file.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, timeout=60, check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "80"})
            complaints = result.stderr
            if formatter[0] == "mandoc":
                complaints += result.stdout
            elif b"EXIT STATUS" not in re.sub(rb".\x08|\x1b\[\d*m", b"", result.stdout):
                continue  # a stub in place of man prints no page
            tried += 1
            assert result.returncode == 0 and not complaints, (formatter, complaints.decode())
    if not tried:
        print("skipped: neither groff nor man nor mandoc formats pages here")
        return SKIPPED
    return 0


sys.exit(main())
