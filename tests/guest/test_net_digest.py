#!/usr/bin/env python3
"""What passes through each kind of network in each direction has the right SHA-256, with losses too.

The guest net-digest answers questions over UDP; what is lost is asked again here. Everything happens
in a network namespace. HULL_TEST_TRANSFER_MIB: how much to move each way [4].

usage: test_net_digest.py HULL FIRMWARE_DIRECTORY
"""
import hashlib
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration/net"))

import lab as laboratory  # noqa: E402
from lab import sh, wait_for  # noqa: E402

HULL, FIRMWARE = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
TRANSFER_BYTES = (int(os.environ.get("HULL_TEST_TRANSFER_MIB", "0")) or 4) << 20
MAC = bytes.fromhex("525400123456")
OWN_MAC = bytes.fromhex("020000000001")
ADDRESS, OWN_ADDRESS = bytes([10, 99, 0, 2]), bytes([10, 99, 0, 1])
PORT = 7000
PASSED = 33
WINDOW = 64
RETRY_SECONDS = 0.05
LATER_ONES = 3  # that came, after which what is missing counts as lost
STILL_SECONDS = 60 + (TRANSFER_BYTES >> 23)
LOSS = 0.02


class UdpLink:
    """The host's own stack."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect(address)

    def send(self, words):
        try:
            self.socket.send(words)
        except (ConnectionRefusedError, BlockingIOError):
            pass  # lost, as others are

    def receive(self):
        try:
            return self.socket.recv(65536)
        except ConnectionRefusedError:
            return None


class FrameLink:
    """Frames on a socket of Hull's: UDP by hand."""

    def __init__(self, connected):
        self.socket = connected

    def send(self, words):
        try:
            self.send_packet(words)
        except OSError:
            pass  # Hull has ended; who still waits for an answer notices

    def send_packet(self, words):
        udp = struct.pack("!HHHH", 9999, PORT, 8 + len(words), 0) + words
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0, OWN_ADDRESS,
                         ADDRESS)
        self.send_frame(MAC + OWN_MAC + b"\x08\x00" + ip + udp)

    def receive(self):
        try:
            frame = self.receive_frame()
        except (EOFError, ConnectionResetError):
            time.sleep(RETRY_SECONDS)
            return None
        if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
            return None
        return frame[42:34 + struct.unpack_from("!H", frame, 38)[0]]

    def send_frame(self, frame):
        self.socket.send(frame)

    def receive_frame(self):
        return self.socket.recv(65536)


class StreamLink(FrameLink):
    def __init__(self, connected):
        super().__init__(connected)
        self.file = connected.makefile("rb", buffering=0)

    def send_frame(self, frame):
        self.socket.sendall(struct.pack("!I", len(frame)) + frame)

    def read(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self.file.read(count - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def receive_frame(self):
        return self.read(struct.unpack("!I", self.read(4))[0])


class Lossy:
    """A link that loses some of what passes, in both directions."""

    def __init__(self, link):
        self.link, self.socket = link, link.socket
        self.random = random.Random(1)

    def send(self, words):
        if self.random.random() >= LOSS:
            self.link.send(words)

    def receive(self):
        words = self.link.receive()
        return words if self.random.random() >= LOSS else None


class Talk:
    """Questions and answers, see net_digest.c."""

    def __init__(self, link):
        self.link = link
        self.moved = time.monotonic()

    def ask(self, kind, number, rest=b""):
        self.link.send(struct.pack("<cxxxI", kind, number) + rest)

    def answer(self, kind):
        """(number, data) of the next answer of a kind; None: it does not come soon."""
        end = time.monotonic() + RETRY_SECONDS
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.link.socket], [], [], left)[0]:
                break
            words = self.link.receive()
            if words and len(words) >= 8 and words[:1] == kind:
                return struct.unpack_from("<I", words, 4)[0], words[8:]
        if time.monotonic() - self.moved > STILL_SECONDS:
            raise AssertionError("nothing moves any more")
        return None

    def insist(self, kind, number, rest=b""):
        while True:
            self.ask(kind, number, rest)
            for _ in range(20):  # a digest takes its time
                if (found := self.answer(kind)) and found[0] == number:
                    self.moved = time.monotonic()
                    return found[1]

    def put(self, count, size):
        """Puts so many blocks; the digest of all."""
        digest, blocks = hashlib.sha256(), {}
        base = following = repeated = 0
        rewound = -1
        while base < count:
            while following < min(count, base + WINDOW):
                if following not in blocks:
                    blocks[following] = os.urandom(size)
                    digest.update(blocks[following])
                self.ask(b"P", following, blocks[following])
                following += 1
            found = self.answer(b"P")
            if found and found[0] > base:
                for number in range(base, found[0]):
                    del blocks[number]
                base, repeated = found[0], 0
                following = max(following, base)
                self.moved = time.monotonic()
            elif not found:
                following = base
            elif found[0] == base:
                repeated += 1
                if repeated >= LATER_ONES and rewound != base:
                    rewound = following = base
        return digest.hexdigest()

    def get(self, count, size):
        """Gets so many blocks; the digest of all."""
        digest, blocks, asked = hashlib.sha256(), {}, {}
        size_word = struct.pack("<I", size)
        base = 0
        while base < count:
            now = time.monotonic()
            for number in range(base, min(count, base + WINDOW)):
                if number not in blocks and now - asked.get(number, 0) > RETRY_SECONDS:
                    asked[number] = now
                    self.ask(b"G", number, size_word)
            found = self.answer(b"G")
            if not found or not base <= found[0] < base + WINDOW:
                continue
            if len(found[1]) != size:
                raise AssertionError(f"block {found[0]} has {len(found[1])} bytes")
            blocks[found[0]] = found[1]
            if len(blocks) == LATER_ONES and base not in blocks:
                asked.pop(base, None)
            while base in blocks:
                digest.update(blocks.pop(base))
                asked.pop(base, None)
                base += 1
                self.moved = time.monotonic()
        return digest.hexdigest()


class Digest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hull-digest-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, nic, *options):
        process = subprocess.Popen(
            [HULL, "run", "-k", FIRMWARE / "net-digest", "-m", "64M", "--debug-exit", "--timing",
             "--timeout", f"{120 + (TRANSFER_BYTES >> 20)}s", "-n", f"{nic},mac=52:54:00:12:34:56",
             *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "net-digest: ready\n")
        return process

    def move(self, vm, link, size=1400):
        talk, count = Talk(link), TRANSFER_BYTES // size + 1
        self.addCleanup(link.socket.close)
        begin = time.monotonic()
        self.assertEqual(talk.insist(b"p", 0).hex(), hashlib.sha256().hexdigest())
        put, middle = talk.put(count, size), time.monotonic()
        self.assertEqual(talk.insist(b"p", count).hex(), put)
        got, end = talk.get(count, size), time.monotonic()
        self.assertEqual(talk.insist(b"g", count, struct.pack("<I", size)).hex(), got)
        talk.ask(b"E", 0)
        while vm.poll() is None and time.monotonic() < end + STILL_SECONDS:
            if not talk.answer(b"E"):
                talk.ask(b"E", 0)
        output, words = vm.communicate(timeout=STILL_SECONDS)
        self.assertEqual(vm.returncode, PASSED, words)
        self.assertIn("net-digest: result ", output)
        print(f"{count * size} bytes each way: put in {middle - begin:.1f} s, SHA-256 {put[:16]}..., "
              f"got in {end - middle:.1f} s, {got[:16]}...", flush=True)

    def test_stream(self):
        path = f"{self.folder}/link"
        vm = self.start(f"socket={path},listen", "--transport=mmio")
        link = socket.socket(socket.AF_UNIX)
        link.connect(path)
        self.move(vm, StreamLink(link), 8192)

    def test_stream_with_losses(self):
        path = f"{self.folder}/link"
        vm = self.start(f"socket={path},listen")
        link = socket.socket(socket.AF_UNIX)
        link.connect(path)
        self.move(vm, Lossy(StreamLink(link)), 8192)

    def test_datagram(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        link.bind(f"{self.folder}/host")
        vm = self.start(f"socket={self.folder}/vm,peer={self.folder}/host")
        link.connect(f"{self.folder}/vm")
        self.move(vm, FrameLink(link), 8192)

    def make_tap(self, commands=""):
        sh(f"""set -e
        ip tuntap add dev digest0 mode tap
        ip address add 10.99.0.1/24 dev digest0
        ip link set digest0 up
        {commands}""")
        self.addCleanup(sh, "ip link del digest0")

    def test_tap(self):
        self.make_tap()
        self.move(self.start("tap=digest0"), UdpLink(("10.99.0.2", PORT)))

    def test_tap_jumbo(self):
        self.make_tap("ip link set digest0 mtu 9000")
        vm = self.start("tap=digest0,mtu=9000", "--io-engine=threads")
        self.move(vm, UdpLink(("10.99.0.2", PORT)), 8192)

    def test_tap_with_losses(self):
        """By netem, or by our own hand where the kernel has none."""
        self.make_tap()
        netem = subprocess.run(["tc", "qdisc", "add", "dev", "digest0", "root", "netem", "loss", "2%",
                                "delay", "1ms"], stderr=subprocess.DEVNULL, check=False)
        vm, link = self.start("tap=digest0"), UdpLink(("10.99.0.2", PORT))
        self.move(vm, link if netem.returncode == 0 else Lossy(link))

    def user(self, kind):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        vm = self.start(f"{kind},publish={port}:{PORT}/udp")
        self.move(vm, UdpLink(("127.0.0.1", port)))

    def test_user(self):
        self.user("user")

    @unittest.skipUnless(shutil.which("passt"), "passt is not installed")
    def test_passt(self):
        self.user("passt,restrict=off")  # or its answers to the host's loopback are lost


if __name__ == "__main__":
    laboratory.enter_host()
    LAB = laboratory.Lab(HULL)
    try:
        program = unittest.main(argv=sys.argv[:1] + sys.argv[3:], exit=False, verbosity=2)
    finally:
        LAB.close()
    sys.exit(not program.result.wasSuccessful())
