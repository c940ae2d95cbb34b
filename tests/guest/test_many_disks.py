#!/usr/bin/env python3
"""As many disks as there may be, on PCI: functions 1 to 7 of a slot are found, and each is the right
disk.

usage: test_many_disks.py HULL FIRMWARE_DIRECTORY
"""
import os
import resource
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HULL, FIRMWARE = sys.argv[1], Path(sys.argv[2])
COUNT = 120


class ManyDisks(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hull-disks-")
        self.addCleanup(directory.cleanup)
        self.options = []
        self.sizes = []
        for number in range(COUNT):
            path = Path(directory.name) / f"disk{number}"
            with open(path, "wb") as stream:
                stream.truncate((number + 1) * 4096)
            self.options += ["-d", f"{path},ro"]
            self.sizes.append((number + 1) * 4096 // 512)

    def run_guest(self, guest, words, *options, **keywords):
        return subprocess.run(
            [HULL, "run", "-k", FIRMWARE / guest, "--debug-exit", "--timeout", "60s", "-p", words,
             *self.options, *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **keywords)

    def test_each_is_found(self):
        for number in (0, 1, 4, 30, 67, COUNT - 1):
            with self.subTest(number=number):
                result = self.run_guest("disk-size", f"disk={number} changes=0 transport=pci",
                                        "--rng", "--hvc=null")
                self.assertEqual(result.returncode, 33, result.stdout + result.stderr)
                self.assertIn(f"disk-size: {self.sizes[number]} sectors", result.stdout)

    def test_many_queues(self):
        """Thousands of descriptors and vectors, with the limit that processes start with."""
        def lower_limit():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

        self.options = [f"{option},queues=16" if option != "-d" else option
                        for option in self.options]
        result = self.run_guest("disk-size", f"disk={COUNT - 1} changes=0 transport=pci",
                                "--io-threads=8", preexec_fn=lower_limit)
        self.assertEqual(result.returncode, 33, result.stdout + result.stderr)

    def test_many_cpus(self):
        result = self.run_guest("disk-size", f"disk={COUNT - 1} changes=0 transport=pci", "-c", "16")
        self.assertEqual(result.returncode, 33, result.stdout + result.stderr)

    def test_memory_has_no_room(self):
        result = self.run_guest("disk-size", "changes=0", "--transport=mmio")
        self.assertEqual(result.returncode, 117, result.stderr)
        self.assertIn("use --transport=pci", result.stderr)


if __name__ == "__main__":
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("SKIP: /dev/kvm cannot be opened here")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]])
