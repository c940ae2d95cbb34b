#!/usr/bin/env python3
"""examples/bisect.sh under git bisect run, in a tree whose file `ends` is what hull ends with."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

BISECT = Path(__file__).resolve().parents[2] / "examples/bisect.sh"
# make as a kernel's tree has it; the image is the tree's file, so that a stale one would show.
MAKE = """#!/bin/sh
case "$*" in
*image_name*) echo boot/Image.gz ;;
*Image.gz*) grep -q broken ends && exit 2; mkdir -p boot && cp ends boot/Image.gz ;;
esac
"""
HULL = """#!/bin/sh
while [ "$1" != -k ]; do shift; done
exit "$(cat "$2")"
"""


class Bisect(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.tree = Path(scratch.name) / "tree"
        self.programs = Path(scratch.name) / "bin"
        self.tree.mkdir()
        self.programs.mkdir()
        for name, text in (("make", MAKE), ("hull", HULL)):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}",
                            "HULL_BINARY": str(self.programs / "hull"), "HOME": scratch.name}

    def git(self, *words):
        return subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
                              cwd=self.tree, env=self.environment, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def bisect(self, *ends):
        """The place of the first bad one among commits that end so."""
        self.git("init", "-q")
        (self.tree / ".gitignore").write_text("boot\n.config\n")
        commits = []
        for place, status in enumerate(ends):
            (self.tree / "ends").write_text(f"{status}\n")
            (self.tree / "place").write_text(f"{place}\n")
            self.git("add", ".")
            self.git("commit", "-q", "-m", str(place))
            commits.append(self.git("rev-parse", "HEAD").strip())
        self.git("bisect", "start", commits[-1], commits[0])
        self.git("bisect", "run", "sh", str(BISECT), "test.sh")
        return commits.index(self.git("rev-parse", "refs/bisect/bad").strip())

    def test_a_failing_test(self):
        self.assertEqual(self.bisect(0, 0, 0, 1, 1, 1), 3)

    def test_panics_and_hangs_are_bad(self):
        self.assertEqual(self.bisect(0, 121, 124, 0, 120), 1)

    def test_what_says_nothing_is_skipped(self):
        self.assertEqual(self.bisect(0, 0, 125, "broken", 116, 0, 1), 6)


if __name__ == "__main__":
    unittest.main(verbosity=2)
