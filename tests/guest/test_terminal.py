#!/usr/bin/env python3
"""The user's terminal as the guest's virtio console sees it: its size, changes of it, and emergency
writes before the guest has a driver.

usage: test_terminal.py HULL FIRMWARE_DIRECTORY
"""
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

HULL, FIRMWARE = sys.argv[1], Path(sys.argv[2])
PATIENCE_SECONDS = 60


class Terminal(unittest.TestCase):
    def wait_for(self, log, text):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in Path(log.name).read_text():
            self.assertLess(time.monotonic(), deadline, Path(log.name).read_text())
            self.read_terminal(0.01)

    def read_terminal(self, seconds):
        if select.select([self.terminal], [], [], seconds)[0]:
            try:
                self.shown += os.read(self.terminal, 4096)
            except OSError:  # the other side is closed
                return False
        return True

    def set_size(self, columns, rows):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def check(self, words, *options):
        with tempfile.NamedTemporaryFile(prefix="hull-terminal-") as log:
            ready, go = os.pipe()
            process, self.terminal = pty.fork()
            self.shown = b""
            if process == 0:
                os.read(ready, 1)  # until the terminal has a size
                os.execv(HULL, [HULL, "run", "-q", "-k", str(FIRMWARE / "terminal"), "--hvc",
                                "stdio", "--console", f"file={log.name}", "--debug-exit",
                                "--timeout", "120s", "-p", f"sizes=3 {words}", *options])
            os.close(ready)
            self.set_size(132, 43)
            os.write(go, b"!")
            os.close(go)
            self.wait_for(log, "terminal: size 132 43\n")
            self.set_size(80, 25)
            self.wait_for(log, "terminal: size 80 25\n")
            self.set_size(300, 100)
            self.wait_for(log, "terminal: size 300 100\n")
            while self.read_terminal(1):
                pass
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), 33)
            os.close(self.terminal)
            self.assertEqual(self.shown.split(), b"terminal: early terminal: live".split())

    def test_plain_over_pci(self):
        self.check("")

    def test_plain_over_mmio(self):
        self.check("", "--transport=mmio")

    def test_ports_over_pci(self):
        self.check("multiport", "--port=agent=null")

    def test_ports_over_mmio(self):
        self.check("multiport", "--port=agent=null", "--transport=mmio")

    def test_as_many_ports_as_there_may_be(self):
        with tempfile.TemporaryDirectory(prefix="hull-ports-") as directory:
            for where in ("pty", f"socket={directory}/PORT"):
                ports = [f"--port=p{i}={where.replace('PORT', str(i))}" for i in range(30)]
                result = subprocess.run(
                    [HULL, "run", "-k", FIRMWARE / "probe", "--debug-exit", "--hvc", "pty",
                     "-p", "probe.only=none", *ports], stdin=subprocess.DEVNULL, text=True,
                    capture_output=True, check=False)
                self.assertEqual(result.returncode, 33, result.stderr)


if __name__ == "__main__":
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("SKIP: /dev/kvm cannot be opened here")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]])
