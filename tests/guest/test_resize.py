#!/usr/bin/env python3
"""A disk's file grows and shrinks while a guest runs: it is told, and the end is where it was told.

usage: test_resize.py HULL FIRMWARE_DIRECTORY
"""
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HULL, FIRMWARE = sys.argv[1], Path(sys.argv[2])
SECTOR = 512
MIB = 1 << 20


class Resize(unittest.TestCase):
    def run_guest(self, options, sizes):
        """The guest's lines; the file takes the next of the sizes whenever it has said something."""
        with tempfile.NamedTemporaryFile(prefix="hull-resize-") as image:
            image.truncate(sizes[0])
            process = subprocess.Popen(
                [HULL, "run", "-k", FIRMWARE / "disk-size", "--debug-exit", "--timeout", "120s",
                 "-d", f"{image.name}{options[0]}", *options[1:],
                 "-p", f"changes={len(sizes) - 1}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True)
            lines = []
            with process:
                for line in process.stdout:
                    lines.append(line.strip())
                    if len(lines) < len(sizes):
                        os.truncate(image.name, sizes[len(lines)])
                errors = process.stderr.read()
        self.assertEqual(process.returncode, 33, (lines, errors))
        return lines, errors

    def check(self, *options):
        sizes = [64 * MIB, 96 * MIB, 32 * MIB + SECTOR, 3 << 40]
        lines, errors = self.run_guest(options, sizes)
        self.assertEqual(lines[0], f"disk-size: {sizes[0] // SECTOR} sectors")
        for line, size in zip(lines[1:], sizes[1:]):
            self.assertEqual(line, f"disk-size: {size // SECTOR} sectors, notified, last 0, "
                                   "beyond 1")
        self.assertIn(f"disk 0 has now {sizes[1]} bytes", errors)

    def test_pci(self):
        self.check("")

    def test_mmio(self):
        self.check("", "--transport=mmio")

    def test_read_only_by_threads(self):
        self.check(",ro", "--io-engine=threads")

    def test_under_load(self):
        """The file shrinks and grows under requests: they may fail, hull and its guest may not."""
        for engine in ("auto", "threads"):
            for operation in ("randread", "randwrite"):
                with self.subTest(engine=engine, operation=operation), \
                        tempfile.NamedTemporaryFile(prefix="hull-resize-") as image:
                    image.truncate(64 * MIB)
                    process = subprocess.Popen(
                        [HULL, "run", "-k", FIRMWARE / "disk-bench", "--debug-exit", "--timeout",
                         "60s", "--io-engine", engine, "-d", image.name,
                         "-p", f"op={operation} ms=2500 depth=16"],
                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        text=True)
                    while process.poll() is None:
                        os.truncate(image.name, MIB)
                        time.sleep(0.05)
                        os.truncate(image.name, 64 * MIB)
                        time.sleep(0.05)
                    output, errors = process.communicate()
                    self.assertIn(process.returncode, (33, 35), (output, errors))
                    self.assertIn("disk-bench: result", output)


if __name__ == "__main__":
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("SKIP: /dev/kvm cannot be opened here")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]])
