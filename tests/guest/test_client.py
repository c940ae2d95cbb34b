#!/usr/bin/env python3
"""libhull and its Python module with real VMs.

usage: test_client.py HULL FIRMWARE_DIRECTORY LIBHULL MODULE_DIRECTORY
"""
import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

FIRMWARE = Path(sys.argv[2])
os.environ.update(HULL_BINARY=sys.argv[1], HULL_LIBRARY=sys.argv[3])
sys.path.insert(0, sys.argv[4])

import hull  # noqa: E402

PROBE = FIRMWARE / "probe"
PASSED = 33  # (16 << 1) | 1
PATIENCE = 60
# In the place of hull: each connection is one to a guest that gives an input back, with a status.
SERVER = """#!/usr/bin/env python3
import re, socket, struct, sys, time
control = socket.socket(fileno=int(re.match("--control=([0-9]+)", sys.argv[2])[1]))
control.sendall(b"event started\\nevent serving\\n")
def frame(kind, payload=b""):
    return kind + struct.pack("<I", len(payload)) + payload
while control.recv(100):
    ours, theirs = socket.socketpair()
    socket.send_fds(control, [b"ok\\n"], [theirs.fileno()])
    theirs.close()
    ours.sendall(b"OK 1\\n")
    stream, words, given = ours.makefile("rb"), [], b""
    while True:
        kind, length = struct.unpack("<cI", stream.read(5))
        payload = stream.read(length)
        if kind != b"i":
            words.append(kind + payload)
        else:
            given += payload
            words[0][:1] == b"a" and ours.sendall(frame(b"t", struct.pack("<I", len(payload))))
        if kind in b".r":
            break
    if words[0][:1] == b"r":
        ours.sendall(frame(b"m", struct.pack("<I", 0o640)) + frame(b"o", given or b"file") + frame(b"!"))
    elif words[0][:1] == b"w":
        ours.sendall(frame(b"!") if words[0].endswith(b"/there") else
                     frame(b"f", struct.pack("<I", 2) + b"nowhere"))
    elif words[0] == b"ahang":
        time.sleep(60)
    else:
        ours.sendall(frame(b"o", given) + frame(b"e", repr(words).encode()) +
                     frame(b"s", struct.pack("<I", 9 if words[0] == b"akill" else 0x300)))
"""
# A harness that starts a VM, says so and stays; with a child that has inherited all it could.
HARNESS = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import hull
vm = hull.VM("-k", sys.argv[2], "-p", "end=spin")
vm.expect("probe: [0-9]+ passed")
if len(sys.argv) > 3 and os.fork() == 0:
    os.close(1)
    time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""


def children_of(process):
    path = Path(f"/proc/{process}/task")
    return {int(word) for task in path.iterdir()
            for word in (task / "children").read_text().split()}


def is_hull(process):
    try:
        return os.readlink(f"/proc/{process}/exe") == os.path.realpath(sys.argv[1])
    except OSError:
        return False


class Client(unittest.TestCase):
    def test_boots_to_its_end(self):
        with hull.VM(kernel=PROBE, debug_exit=True, memory="64M", cpus=2) as vm:
            match = vm.expect("^probe: fact ram-bytes ([0-9]+)\n", PATIENCE)
            self.assertGreater(int(match[1]), 60 << 20)
            self.assertEqual(vm.expect("probe: ([0-9]+) passed, ([0-9]+) failed")[2], "0")
            self.assertEqual(vm.wait(PATIENCE), PASSED)
            self.assertEqual(vm.state, "ended")
            with self.assertRaises(hull.HullEnded) as caught:
                vm.expect("never said", 5)
            self.assertEqual(caught.exception.status, PASSED)
            self.assertIn("passed", vm.console)

    def test_speaks(self):
        with hull.VM("-k", PROBE, "-p", "probe.only=hypervisor echo end=spin") as vm:
            vm.expect("passed")
            vm.send("hello there")
            vm.expect("hello (there)", PATIENCE)
            self.assertEqual(vm.state, "running")
            vm.pause()
            self.assertEqual(vm.state, "paused")
            vm.send("asleep")
            with self.assertRaises(hull.HullTimeout):
                vm.expect("asleep", 0.3)
            vm.resume()
            vm.expect("asleep", PATIENCE)
            for _ in range(50):
                vm.pause()
                vm.resume()
            vm.kill()
            self.assertEqual(vm.wait(PATIENCE), 137)

    def test_link(self):
        with tempfile.TemporaryDirectory() as place, \
                hull.VM("-k", PROBE, "-p", "probe.only=hypervisor end=spin",
                        net=f"socket={place}/link,peer={place}/nobody") as vm:
            vm.expect("passed")
            for up in (False, False, True):
                vm.set_link(0, up)
            for nic in (1, 4096, 2**32 - 1):
                with self.assertRaises(hull.HullError) as caught:
                    vm.set_link(nic, True)
                self.assertIn("no such NIC", str(caught.exception))
                self.assertEqual(caught.exception.code, errno.ENODEV)
            self.assertEqual(vm.state, "running")

    def test_power_button(self):
        with hull.VM("-k", PROBE, "-p", "probe.only=hypervisor end=spin") as vm:
            vm.expect("passed")
            with self.assertRaises(hull.HullError) as caught:
                vm.press_power_button()
            self.assertIn("listens", str(caught.exception))
            vm.stop()
            self.assertEqual(vm.wait(PATIENCE), 143)
        with hull.VM("-k", PROBE, "-p", "probe.only=hypervisor power-button") as vm:
            vm.expect("passed")
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    vm.press_power_button()
                    break
                except hull.HullError:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
            self.assertEqual(vm.wait(PATIENCE), 0)

    def test_does_not_start(self):
        for options, status, sentence in (
                (["--no-such-option"], 116, "no-such-option"),
                ([], 116, "no kernel given"),
                (["-k", "/nonexistent"], 117, "/nonexistent"),
                (["-k", PROBE, "--control=1000000"], 117, "--control")):
            with self.assertRaises(hull.HullEnded) as caught:
                hull.VM(*options)
            self.assertEqual(caught.exception.status, status)
            self.assertIn(sentence, str(caught.exception))

    def test_command_without_linux(self):
        result = hull.run(["true"], "-k", PROBE, "-d", "/nonexistent", timeout=PATIENCE)
        self.assertEqual(result.status, 117)
        self.assertIn(b"/nonexistent", result.stderr)
        with self.assertRaises(hull.HullError):
            result.check()

    def test_resets(self):
        with hull.VM("-k", PROBE, "-p", "probe.only=hypervisor end=reset-cf9", on_reboot="reset") as vm:
            for _ in range(3):
                vm.expect("passed", PATIENCE)
            vm.kill()
            self.assertEqual(vm.wait(PATIENCE), 137)

    def test_many(self):
        statuses = []

        def one():
            with hull.VM("-k", PROBE, "-p", "probe.only=hypervisor", debug_exit=True,
                         memory="16M") as vm:
                vm.expect("probe: 1 passed", PATIENCE)
                statuses.append(vm.wait(PATIENCE))

        before = len(os.listdir("/proc/self/fd"))
        threads = [threading.Thread(target=one) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [PASSED] * 20)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertFalse(children_of(os.getpid()), "a VM was left behind")

    def test_serves(self):
        with tempfile.TemporaryDirectory() as directory:
            server, path = Path(directory, "server"), Path(directory, "file")
            server.write_text(SERVER)
            server.chmod(0o755)
            os.environ["HULL_BINARY"] = str(server)
            try:
                vm = hull.VM(serve=True)
            finally:
                os.environ["HULL_BINARY"] = sys.argv[1]
            with vm:
                vm.wait_ready(PATIENCE)
                result = vm.run(["make", "it"], input=b"in" * 20000, env={"A": "b"}, cwd="/usr",
                                user=(1, 2))
                self.assertEqual((result.status, result.signal), (3, None))
                self.assertEqual(result.stdout, b"in" * 20000)
                for word in (b"'amake'", b"'ait'", b"'vA=b'", b"'d/usr'",
                             rb"u\x01\x00\x00\x00\x02\x00\x00\x00"):
                    self.assertIn(word, result.stderr)
                self.assertEqual(vm.run(["kill"]).signal, 9)
                with self.assertRaises(hull.HullError):
                    vm.run(["false"]).check()
                with self.assertRaises(ValueError):
                    vm.run(["a\0b"])
                vm.copy_out("/f", path)
                self.assertEqual(path.read_text(), "file")
                self.assertEqual(path.stat().st_mode & 0o777, 0o640)
                vm.copy_in(path, "/there")
                with self.assertRaises(hull.HullError) as caught:
                    vm.copy_in(path, "/elsewhere")
                self.assertEqual(caught.exception.code, 2)
                self.assertIn("nowhere", str(caught.exception))
                with self.assertRaises(hull.HullTimeout):
                    vm.run(["hang"], timeout=0.3)
            self.assertEqual(sorted(os.listdir(directory)), ["file", "server"])

    def test_does_not_serve(self):
        with hull.VM("-k", PROBE, "-p", "probe.only=hypervisor end=spin") as vm:
            with self.assertRaises(hull.HullTimeout) as caught:
                vm.run(["true"], timeout=0.2)
            self.assertIn("--serve", str(caught.exception))

    def outlives(self, *more):
        harness = subprocess.Popen([sys.executable, "-c", HARNESS, sys.argv[4], PROBE, *more],
                                   stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(harness.stdout.close)
        children = set()
        try:
            self.assertEqual(harness.stdout.readline(), "ready\n")
            children = children_of(harness.pid)
            vms = [child for child in children if is_hull(child)]
            self.assertEqual(len(vms), 1)
            harness.send_signal(signal.SIGKILL)
            deadline = time.monotonic() + 1
            while is_hull(vms[0]) and time.monotonic() < deadline:
                time.sleep(0.01)
            return is_hull(vms[0])
        finally:
            harness.kill()
            harness.wait()
            for child in children:
                try:
                    os.kill(child, signal.SIGKILL)
                except OSError:
                    pass

    def test_never_outlives_its_harness(self):
        self.assertFalse(self.outlives())

    def test_never_outlives_its_harness_with_children(self):
        self.assertFalse(self.outlives("fork"))


if __name__ == "__main__":
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("SKIP: /dev/kvm cannot be opened here")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]])
