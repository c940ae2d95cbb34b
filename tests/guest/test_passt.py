#!/usr/bin/env python3
"""--net passt: it is started with what the NIC says, its refusal is a sentence, and it ends with its
VM. In a network namespace. What passes through it, test_linux_net_user.py looks at.

usage: test_passt.py HULL FIRMWARE_DIRECTORY
"""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration/net")]

import lab as laboratory  # noqa: E402

HULL, FIRMWARE = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
INPUT = 117


def running():
    """The command lines of passt in this namespace, by process."""
    found = {}
    here = os.readlink("/proc/self/ns/net")
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            if folder.name.isdigit() and words[0] == "passt" and os.readlink(
                    folder / "ns/net") == here:
                found[int(folder.name)] = words
        except OSError:
            continue
    return found


class Passt(unittest.TestCase):
    def start(self, nic):
        process = subprocess.Popen(
            [HULL, "run", "-k", FIRMWARE / "probe", "--timeout", "120s", "-p",
             "probe.only=none end=spin", "-n", nic],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_ports_and_end(self):
        vm = self.start("passt,publish=18080:80,publish=[::1]:18081:81,publish=0.0.0.0:18082:82/udp")
        laboratory.wait_for(lambda: running() or vm.poll() is not None)
        self.assertIsNone(vm.poll())
        listening = laboratory.wait_for(lambda: len(self.listening()) == 3 and self.listening())
        self.assertEqual(listening, {("tcp", "0100007F:46A0"), ("udp", "00000000:46A2"),
                                     ("tcp6", "0" * 24 + "01000000:46A1")})
        self.assertTrue(all("--no-map-gw" in words for words in running().values()))
        refused = self.start("passt,publish=18080:80")
        _, words = refused.communicate(timeout=60)
        self.assertEqual(refused.returncode, INPUT)
        self.assertRegex(words, "^hull: NIC 0: passt: .*18080")
        vm.kill()
        laboratory.wait_for(lambda: not running())

    def listening(self):
        found = set()
        for protocol in ("tcp", "tcp6", "udp", "udp6"):
            for address in re.findall(r"^ *\d+: (\S+) 0+:0000 ", Path(
                    f"/proc/self/net/{protocol}").read_text(), re.M):
                found.add((protocol, address))
        return found

    def test_words(self):
        self.start("passt,restrict=off,mtu=9000,dns=192.0.2.1")
        words = laboratory.wait_for(lambda: list(running().values()))[0]
        self.assertNotIn("--no-map-gw", words)
        self.assertEqual(words[words.index("--mtu") + 1], "9000")
        self.assertEqual(words[words.index("--dns") + 1], "192.0.2.1")


if __name__ == "__main__":
    if not shutil.which("passt"):
        laboratory.skip("passt is not installed")
    laboratory.enter_host()
    LAB = laboratory.Lab(HULL)
    try:
        program = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2)
    finally:
        LAB.close()
    sys.exit(not program.result.wasSuccessful())
