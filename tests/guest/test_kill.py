#!/usr/bin/env python3
"""Nothing acknowledged is lost: hull is killed at random moments while a guest writes, and its disk
fills the host's file system and is given room again.

usage: test_kill.py HULL FIRMWARE_DIRECTORY DISK_RECORDS [KILLS]
"""
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HULL, FIRMWARE, DISK_RECORDS = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
KILLS = int(sys.argv[4]) if len(sys.argv) > 4 else 50
SEED = random.SystemRandom().randrange(1 << 32)
INSIDE = "HULL_TEST_KILL_INSIDE"  # set in the mount namespace of the full-disk test
PATIENCE_SECONDS = 180


def wait_for(log, text, process):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while text not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"no '{text.decode()}': {log.read_bytes()[-500:]}")
        time.sleep(0.005)


def check_records(log, image):
    result = subprocess.run([DISK_RECORDS, "check", log, image], text=True, capture_output=True,
                            check=False)
    return result.returncode, result.stdout + result.stderr


class Kill(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hull-kill-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def start(self, image, log, words, *options):
        stream = open(log, "wb")
        self.addCleanup(stream.close)
        process = subprocess.Popen(
            [HULL, "run", "-k", FIRMWARE / "disk-writer", "-d", f"{image}", "--debug-exit",
             "--timeout", "120s", "-p", words, *options],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_killed_at_any_moment(self):
        choose = random.Random(SEED)
        for number in range(KILLS):
            record = choose.choice((512, 4096, 65536))
            batch = choose.choice((1, 8))
            options = ["--transport", choose.choice(("pci", "mmio")),
                       "--io-engine", choose.choice(("auto", "threads"))]
            cache = choose.choice(("", ",cache=writethrough", ",queues=2"))
            with self.subTest(number=number, seed=SEED, record=record, options=options):
                image, log = self.directory / "image", self.directory / "log"
                with open(image, "wb") as stream:
                    stream.truncate(64 << 20)
                process = self.start(f"{image}{cache}", log,
                                     f"record={record} batch={batch}", *options)
                wait_for(log, b"disk-writer: ack ", process)
                time.sleep(choose.random() * 0.3)
                process.kill()
                process.wait()
                status, words = check_records(log, image)
                self.assertEqual(status, 0, words)

    def test_full_disk(self):
        if not os.environ.get(INSIDE):
            inside = ["unshare", "--mount", "--map-root-user", sys.executable, __file__,
                      *sys.argv[1:]]
            probe = subprocess.run(["unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs",
                                    "none", "/mnt"], capture_output=True, check=False)
            if probe.returncode:
                self.skipTest("mount namespaces are not allowed here")
            result = subprocess.run(inside, env={**os.environ, INSIDE: "1"}, text=True,
                                    capture_output=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            return
        small = self.directory / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "none", small], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=False)
        filler, image, log = small / "filler", small / "image", self.directory / "log"
        filler.write_bytes(bytes(6 << 20))
        with open(image, "wb") as stream:
            stream.truncate(64 << 20)
        process = self.start(image, log, "record=65536 count=100 retry")
        wait_for(log, b"disk-writer: error ", process)
        self.assertIsNone(process.poll(), "hull ended because the host's disk is full")
        filler.unlink()
        wait_for(log, b"disk-writer: healed ", process)
        self.assertEqual(process.wait(PATIENCE_SECONDS), 33, process.stderr.read())
        status, words = check_records(log, image)
        self.assertEqual(status, 0, words)


if __name__ == "__main__":
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("SKIP: /dev/kvm cannot be opened here")
        sys.exit(77)
    names = ["Kill.test_full_disk"] if os.environ.get(INSIDE) else None
    unittest.main(argv=[sys.argv[0]], defaultTest=names)
