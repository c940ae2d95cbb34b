#!/usr/bin/env python3
"""Tests the emulated KVM host. Usage: test_emulated_host.py PATH-OF-KVM-PROBE [UNITTEST OPTION]...

A boot costs seconds, so each of the two boots here serves many checks. Everything that can be seen
without one is seen with a stand-in for QEMU.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "scripts"
sys.path[:0] = [str(HERE), str(SCRIPTS / "lib")]

from emulation.failure import HostFailure  # noqa: E402
from emulation.machine import Machine, Splitter  # noqa: E402

PROGRAM = HERE / "emulated-host"
LIMIT_SECONDS = 600


def emulated_host(*arguments, **options):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, check=False,
                          timeout=LIMIT_SECONDS, **options)


def tree_digest(top):
    """Names, modes and contents of all that is in a directory."""
    digest = hashlib.sha256()
    for path in sorted(top.rglob("*")):
        mode = path.lstat().st_mode if path.is_file() and not path.is_symlink() else 0
        content = os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        digest.update(repr((str(path.relative_to(top)), mode, content)).encode())
    return digest.hexdigest()


class WithScratch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)


class SplitterTest(unittest.TestCase):
    MARK = b"\x1eHULL-0123"

    def test_every_way_to_cut_a_stream(self):
        stream = (b"a\n" + self.MARK + b" begin 0\n" + b"\x1eHULL-0\x1e\x1eHULL-" + self.MARK
                  + b" end 0 3\nrest")
        for first in range(len(stream)):
            for second in range(first, len(stream)):
                splitter = Splitter(self.MARK)
                output, words = b"", []
                for piece in (stream[:first], stream[first:second], stream[second:]):
                    for some, word in splitter.feed(piece):
                        if word is None:
                            output += some
                        else:
                            words.append((len(output), word))
                self.assertEqual(output, b"a\n\x1eHULL-0\x1e\x1eHULL-rest")
                self.assertEqual(words, [(2, ["begin", "0"]), (16, ["end", "0", "3"])])

    def test_nothing_is_held_back_without_need(self):
        self.assertEqual(list(Splitter(self.MARK).feed(b"login: ")), [(b"login: ", None)])


class SilenceTest(unittest.TestCase):
    def run_host(self, script):
        """Why a host that is this script is given up."""
        machine = Machine("MARK", [], None, boot_seconds=30, total_seconds=30, silence_seconds=1)
        with self.assertRaises(HostFailure) as caught:
            machine.run(lambda ports: ["sh", "-c", script.replace("PORT", str(ports[0]))],
                        os.devnull)
        return caught.exception

    def test_frozen_host_is_given_up(self):
        failure = self.run_host("echo MARK ready >&PORT; sleep 25")
        self.assertEqual(failure.status, 113)
        self.assertIn("no longer answers", str(failure))

    def test_living_host_may_take_its_time(self):
        failure = self.run_host(
            "echo MARK ready >&PORT; for i in 1 2 3 4 5 6; do sleep 0.5; echo MARK alive >&PORT; done")
        self.assertIn("ended", str(failure))


class WithoutBootTest(WithScratch):
    def stand_in(self, script):
        """An environment where QEMU is a shell script."""
        program = self.scratch / "qemu-system-x86_64"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {**os.environ, "PATH": f"{self.scratch}:{os.environ['PATH']}"}

    def check(self, status, message, *arguments, **options):
        result = emulated_host(*arguments, **options)
        self.assertIn(message, result.stderr.decode())
        self.assertEqual(result.returncode, status)
        self.assertEqual(result.stdout, b"")

    def test_wrong_options(self):
        plan = self.scratch / "plan"
        plan.write_text('[{"name": "../x", "command": ["true"]}]')
        for message, arguments in (
                ("give exactly one", ()),
                ("give exactly one", ("--script", "x", "--", "true")),
                ("--results goes with", ("--plan", "x")),
                ("not a whole number", ("--cpus", "0", "--", "true")),
                ("not a size", ("--memory", "2x", "--", "true")),
                ("not of the form", ("--put", "x", "--", "true")),
                ("no absolute path", ("--put", "/etc/passwd:x", "--", "true")),
                ("no absolute path", ("--get", "/a/../b:x", "--", "true")),
                ("there is no '/nowhere'", ("--put", "/nowhere:/x", "--", "true")),
                ("not of the form", ("--disk", "x", "--", "true")),
                ("no short word", ("--disk", "X:/etc/passwd", "--", "true")),
                ("no short word", ("--disk", "hull-put:/etc/passwd", "--", "true")),
                ("there is no '/nowhere' to be a disk", ("--disk", "x:/nowhere", "--", "true")),
                ("there is no program", ("--put-exec", "/nowhere", "--", "true")),
                ("has no module 'nowhere'", ("--module", "nowhere", "--", "true")),
                ("cannot be emulated yet", ("--arch", "vax", "--", "true")),
                ("unusable", ("--plan", "/nowhere", "--results", str(self.scratch))),
                ("no plain word", ("--plan", str(plan), "--results", str(self.scratch)))):
            with self.subTest(message):
                self.check(110, message, *arguments)

    def test_qemu_that_fails_at_once(self):
        self.check(111, "out of luck", "--", "true", env=self.stand_in("echo out of luck; exit 1"))

    def test_qemu_that_does_nothing(self):
        started = time.monotonic()
        ignoring = self.stand_in(f"trap '' TERM INT HUP; echo $$ >{self.scratch}/pid; sleep 1000")
        self.check(111, "did not boot within 1 s", "--boot-timeout", "1", "--", "true",
                   env=ignoring)
        self.check(113, "the time limit of 1 s", "--timeout", "1", "--", "true", env=ignoring)
        self.assertLess(time.monotonic() - started, 60)
        process = int((self.scratch / "pid").read_text())
        self.assertFalse(Path(f"/proc/{process}").exists())

    def test_qemu_that_stops_and_an_end_by_signal(self):
        environment = self.stand_in(f"echo $$ >{self.scratch}/pid; kill -STOP $$")
        process = subprocess.Popen([PROGRAM, "--", "true"], env=environment)
        for _ in range(600):
            if (self.scratch / "pid").exists():
                break
            time.sleep(0.1)
        process.terminate()
        self.assertEqual(process.wait(60), 128 + 15)
        self.assertFalse(Path(f"/proc/{int((self.scratch / 'pid').read_text())}").exists())


class BootTest(WithScratch):
    def test_one_command(self):
        tree = self.scratch / "in"
        (tree / "below").mkdir(parents=True)
        noise = random.Random(1).randbytes(300_000)
        (tree / "noise").write_bytes(noise + b"\x1eHULL-")
        (tree / "below" / "program").write_text("#!/bin/sh\nexit 0\n")
        (tree / "below" / "program").chmod(0o750)
        (tree / "link").symlink_to("below/program")
        argument = "a 'b\" $HOME `x` \\ \u00e4\n"
        disk, kept = self.scratch / "disk", self.scratch / "kept"
        for path in (disk, kept):
            path.write_bytes(noise[:8192])
        script = ('dd if=/dev/disk/data of=/block bs=8192 2>/dev/null; echo x >/dev/disk/data; '
                  'printf kept >/dev/disk/kept; '
                  'cat /in/noise; cat /in/below/program >&2; /in/link || exit 1; cp -a /in /out; '
                  'printf %s "$1" >/argument; kill -USR1 $$')
        result = emulated_host(
            "--put", f"{tree}:/in", "--disk", f"data:{disk}", "--disk", f"kept:{kept},rw",
            "--get", f"/block:{self.scratch}/block", "--get", f"/out:{self.scratch}/out",
            "--get", f"/argument:{self.scratch}/argument",
            "--console-log", str(self.scratch / "console"), "--", "sh", "-c", script, "sh", argument)
        self.assertEqual(result.stdout, noise + b"\x1eHULL-")
        self.assertEqual(result.stderr, b"#!/bin/sh\nexit 0\n")
        self.assertEqual(result.returncode, 128 + 10)
        self.assertEqual(tree_digest(self.scratch / "out"), tree_digest(tree))
        self.assertEqual((self.scratch / "argument").read_text(), argument)
        self.assertEqual((self.scratch / "block").read_bytes(), noise[:8192])
        self.assertEqual(disk.read_bytes(), noise[:8192])
        self.assertEqual(kept.read_bytes(), b"kept" + noise[4:8192])
        self.assertTrue((self.scratch / "console").exists())

    def test_a_plan(self):
        plan = self.scratch / "plan"
        plan.write_text(json.dumps([
            {"name": "kvm", "command": ["kvm_probe"]},
            {"name": "status", "command": ["sh", "-c", "echo out; echo err >&2; exit 3"]},
            {"name": "skipped", "command": ["sh", "-c", "echo not here; exit 77"]},
            {"name": "too-slow", "command": ["sh", "-c", "sleep 500 & echo; sleep 500"],
             "timeout": 2},
            # The one before must have left nothing behind.
            {"name": "clean", "command": ["sh", "-c", "! ps | grep -q '[s]leep 500'"]},
            {"name": "fatal", "command": ["sh", "-c", "echo late; echo c >/proc/sysrq-trigger"]},
            {"name": "never", "command": ["true"]},
        ]))
        results = self.scratch / "results"
        result = emulated_host("--plan", str(plan), "--results", str(results), "--put-exec",
                               f"{PROBE}:/usr/bin/kvm_probe")
        lines = [line for line in result.stdout.decode().splitlines() if line[0] != "#"]
        self.assertEqual(lines, [
            "TAP version 13", "1..7", "ok 1 - kvm", "not ok 2 - status",
            "ok 3 - skipped # SKIP not here", "not ok 4 - too-slow", "ok 5 - clean",
            "not ok 6 - fatal", "not ok 7 - never"])
        self.assertEqual(result.returncode, 112)
        self.assertRegex(result.stderr.decode(), "sysrq triggered crash|sysrq_handle_crash")
        record = json.loads((results / "results.json").read_text())
        self.assertEqual([(test["result"], test["status"]) for test in record["tests"]], [
            ("passed", 0), ("failed", 3), ("skipped", 77), ("failed", 137), ("passed", 0),
            ("failed", None), ("failed", None)])
        self.assertIn("time limit of 2 s", record["tests"][3]["reason"])
        self.assertIn("not run", record["tests"][6]["reason"])
        self.assertEqual((results / "kvm.stdout").read_text(), "kvm works\n")
        self.assertEqual((results / "status.stdout").read_text(), "out\n")
        self.assertEqual((results / "status.stderr").read_text(), "err\n")
        self.assertEqual((results / "fatal.stdout").read_text(), "late\n")


if __name__ == "__main__":
    PROBE = os.path.abspath(sys.argv.pop(1))
    ready = subprocess.run([SCRIPTS / "fetch-kernel"], stdout=subprocess.DEVNULL, check=False)
    if ready.returncode != 0:
        print("there is no kernel for the emulated host")
        sys.exit(77)
    unittest.main(verbosity=2)
