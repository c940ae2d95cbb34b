#!/usr/bin/env python3
"""The VM and the process of its network: each survives, or does not survive, the other as it should.

usage: test_net_helper.py HULL FIRMWARE_DIRECTORY
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration/net"))

from lab import wait_for  # noqa: E402

HULL, FIRMWARE = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
INPUT, REBOOT = 117, 120
PATIENCE_SECONDS = 60


def stat_of(pid):
    """(state, parent) of a process; None: there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def helper_of(pid):
    """The network's process that belongs to the VM; None: there is none yet."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or (stat_of(folder.name) or (0, 0))[1] != pid:
            continue
        try:
            if (folder / "comm").read_text() == "hull-net\n":
                return int(folder.name)
        except OSError:
            pass
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class NetHelper(unittest.TestCase):
    def start(self, *options, program=HULL, end="spin", **popen):
        process = subprocess.Popen(
            [program, "run", "-k", FIRMWARE / "probe", "--timeout", "120s", "-p",
             f"probe.only=none end={end}", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def gone(self, pid):
        stat = stat_of(pid)
        return stat is None or stat[0] == "Z"

    def test_ends_with_a_killed_vm(self):
        vm = self.start("-n", "user")
        helper = wait_for(lambda: helper_of(vm.pid))
        vm.kill()
        wait_for(lambda: self.gone(helper))

    def test_ends_with_the_vm(self):
        vm = self.start("-n", "user", "-n", "user", end="reset-cf9")
        vm.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(vm.returncode, REBOOT)
        self.assertIsNone(helper_of(vm.pid))

    def test_vm_survives_it(self):
        vm = self.start("-n", "user")
        self.assertTrue(vm.stdout.readline())  # the guest runs, so the network was ready
        helper = wait_for(lambda: helper_of(vm.pid))
        os.kill(helper, signal.SIGKILL)
        wait_for(lambda: self.gone(helper))
        self.assertIsNone(vm.poll())
        vm.send_signal(signal.SIGTERM)
        vm.send_signal(signal.SIGTERM)
        vm.communicate(timeout=PATIENCE_SECONDS)

    def test_signals_of_the_terminal_are_not_meant_for_it(self):
        vm = self.start("-n", "user", start_new_session=True)
        helper = wait_for(lambda: helper_of(vm.pid))
        self.assertNotEqual(os.getpgid(helper), os.getpgid(vm.pid))

    def test_port_that_is_taken(self):
        port = free_port()
        first = self.start("-n", f"user,publish={port}:80")
        wait_for(lambda: helper_of(first.pid))
        wait_for(lambda: accepts(port))
        second = self.start("-n", f"user,publish={port}:80")
        _, words = second.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(second.returncode, INPUT)
        self.assertEqual(words, f"hull: NIC 0: publish: 127.0.0.1:{port} of the host cannot be had: "
                                "Address already in use\n")

    def test_program_that_was_removed(self):
        """An upgrade in the middle: the process is of the program that runs."""
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(HULL, folder)
            fd = os.open(copy, os.O_RDONLY)
            os.unlink(copy)
            vm = self.start("-n", "user", program=f"/proc/self/fd/{fd}", end="reset-cf9", pass_fds=[fd])
            os.close(fd)
            _, words = vm.communicate(timeout=PATIENCE_SECONDS)
            self.assertEqual(vm.returncode, REBOOT, words)

    def test_without_passt(self):
        vm = self.start("-n", "passt", env={**os.environ, "PATH": "/nonexistent"})
        _, words = vm.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual((vm.returncode, words),
                         (INPUT, "hull: NIC 0: passt is not installed: install the package passt, "
                                 "or use --net user\n"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
