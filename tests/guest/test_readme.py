#!/usr/bin/env python3
"""The README's examples that any KVM can run, as they stand, in a directory that looks like a clone.

usage: test_readme.py HULL FIRMWARE_DIRECTORY LIBHULL SOURCE_DIRECTORY
"""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HULL, FIRMWARE, LIBRARY, SOURCE = (Path(word).resolve() for word in sys.argv[1:5])
sys.path.insert(0, str(SOURCE / "tests/integration/linux"))

from readme import example  # noqa: E402

LINKS = {
    "build/hull/src/cli/hull": HULL,
    "build/hull/src/client/libhull.so.0": LIBRARY,
    f"build/hull/guest-firmware/{os.uname().machine}": FIRMWARE,
    "python": SOURCE / "python",
}


class Readme(unittest.TestCase):
    def run_example(self, number, *, without=""):
        text = example(number)
        self.assertIn(without, text)
        with tempfile.TemporaryDirectory() as directory:
            for name, target in LINKS.items():
                path = Path(directory) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(target)
            environment = os.environ | {"PATH": f"{directory}/build/hull/src/cli:{os.environ['PATH']}"}
            return subprocess.run(["sh", "-c", text.replace(without, "")], cwd=directory,
                                  env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=300, check=False)

    def test_doctor(self):
        self.assertIn("/dev/kvm", self.run_example(1).stdout)

    def test_dry_run(self):
        result = self.run_example(4)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("quiet root=/dev/vda", result.stdout)

    def test_own_kernel(self):
        result = self.run_example(8, without="ninja -C build/hull\n")  # the test's own build
        self.assertEqual(result.returncode, 33, result.stdout)
        self.assertIn(", 0 failed", result.stdout)

    def test_program(self):
        result = self.run_example(11)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stdout, "^probe: [0-9]+ passed with status 33\n$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
