#!/usr/bin/env python3
"""Input that cannot work: each case ends at once, with its own status and one sentence that names
what is wrong. It needs a KVM, of whatever kind.

usage: test_bad_input.py HULL FIRMWARE_DIRECTORY
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HULL, FIRMWARE = sys.argv.pop(1), Path(sys.argv.pop(1))
INPUT, NO_KVM, TIMEOUT, USAGE, FAILED = 117, 118, 124, 116, 125
ENDED = 33  # the probe's debug-exit after success


def bzimage(**changes):
    """The smallest kernel of boot protocol 2.15 that a loader accepts (Linux boot.rst)."""
    field = {"setup_sects": 4, "protocol": 0x20f, "loadflags": 1, "kernel_alignment": 0x200000,
             "relocatable": 1, "min_alignment": 21, "xloadflags": 1, "cmdline_size": 2047,
             "pref_address": 0x1000000, "init_size": 0x100000, "initrd_max": 0x7fffffff,
             "magic": b"HdrS", "payload": 8192}
    field.update(changes)
    head = bytearray(5 * 512)
    head[0x1f1] = field["setup_sects"]
    struct.pack_into("<I", head, 0x1f4, field["payload"] // 16)
    head[0x1fe:0x200] = b"\x55\xaa"
    head[0x201] = 0x66
    head[0x202:0x206] = field["magic"]
    struct.pack_into("<H", head, 0x206, field["protocol"])
    head[0x211] = field["loadflags"]
    struct.pack_into("<IIBBHI", head, 0x22c, field["initrd_max"], field["kernel_alignment"],
                     field["relocatable"], field["min_alignment"], field["xloadflags"],
                     field["cmdline_size"])
    struct.pack_into("<QI", head, 0x258, field["pref_address"], field["init_size"])
    return bytes(head) + b"\xf4" * field["payload"]


def elf(machine=62, phoff=64, phnum=1, offset=0, address=0x100000, filesz=64, memsz=64):
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, address, phoff, 0,
                       0, 64, 56, phnum, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, filesz, memsz, 4096)


# name: (bytes of the kernel, part of the sentence)
KERNELS = {
    "text": (b"#!/bin/sh\necho no kernel\n", "not a kernel"),
    "truncated header": (bzimage()[:0x220], "cut|short|end|trunc"),
    "truncated payload": (bzimage()[:5 * 512 + 100], "cut|short|end|trunc|empty|bytes"),
    "old protocol": (bzimage(protocol=0x20b), r"2\.11"),
    "no 64-bit entry": (bzimage(xloadflags=0), "64-bit"),
    "needs more memory than there is": (bzimage(init_size=0x40000000), "more with -m"),
    "init_size wraps": (bzimage(init_size=0xffffffff), "more with -m|memory"),
    "wanted address wraps": (bzimage(pref_address=0xffffffffffe00000, relocatable=0), "address|memory"),
    "alignment no power of two": (bzimage(kernel_alignment=0x300000), "align"),
    "arm64 ELF": (elf(machine=183), "AArch64|aarch64|arm64|ARM"),
    "program headers past the end": (elf(phoff=1 << 40), "past|end|program header"),
    "program header offset wraps": (elf(phoff=(1 << 64) - 8), "past|end|program header"),
    "segment past the end": (elf(offset=1 << 30), "past|end"),
    "segment size wraps": (elf(filesz=(1 << 64) - 1, memsz=(1 << 64) - 1), "past|end|wrap|memory"),
    "more in the file than in memory": (elf(filesz=64, memsz=32), "size|memory|file"),
    "segment outside memory": (elf(address=1 << 40), "memory|-m"),
    "segment over Hull's own tables": (elf(address=0x7000), "0x7000|below|low|memory"),
}


class BadInput(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="hull-bad-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def file(self, name, content):
        path = self.directory / name.replace(" ", "-")
        path.write_bytes(content)
        return path

    def hull(self, *arguments, prefix=(), **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        command = [*prefix, HULL, "run", "--timeout", "20s", *map(str, arguments)]
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              **options)

    def refused(self, status, sentence, *arguments, **options):
        """One line on stderr that matches, and nothing on stdout."""
        result = self.hull(*arguments, **options)
        lines = [line for line in result.stderr.splitlines() if "KVM is software" not in line]
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith("hull: "), lines[0])
        self.assertRegex(lines[0], re.compile(sentence, re.I))
        self.assertFalse(result.stdout)

    def test_kernels(self):
        for name, (content, sentence) in KERNELS.items():
            with self.subTest(name):
                self.refused(INPUT, sentence, "-k", self.file(name, content), "-m", "64M")

    def test_files(self):
        probe = FIRMWARE / "probe"
        locked = self.file("locked", b"x")
        locked.chmod(0)
        cases = {
            "missing": (("-k", self.directory / "missing"), "missing.*no such file"),
            "directory": (("-k", self.directory), "directory"),
            "zero length": (("-k", self.file("empty", b"")), "empty"),
            "device": (("-k", "/dev/zero"), "device|regular"),
            "missing initrd": (("-k", probe, "-i", "/no/initrd"), "/no/initrd.*no such file"),
            "initrd is a directory": (("-k", probe, "-i", self.directory), "directory"),
        }
        if os.geteuid():
            cases["unreadable"] = (("-k", locked), "permission")
        for name, (arguments, sentence) in cases.items():
            with self.subTest(name):
                self.refused(INPUT, sentence, *arguments)

    def test_larger_than_memory(self):
        large = self.directory / "large"
        with open(large, "wb") as stream:
            stream.truncate(64 << 20)
        self.refused(INPUT, "memory|-m", "-k", FIRMWARE / "probe", "-i", large, "-m", "32M")
        kernel = self.file("kernel", bzimage(payload=48 << 20))
        self.refused(INPUT, "memory|-m", "-k", kernel, "-m", "32M")

    def test_command_line_too_long(self):
        self.refused(INPUT, "command line.*(2047|characters)", "-k",
                     self.file("kernel", bzimage()), "-p", "x" * 2048)
        self.refused(INPUT, "command line.*characters", "-k", FIRMWARE / "probe", "-p",
                     "x" * 70000)

    def test_cpu_features(self):
        self.refused(USAGE, "avx9000", "-k", FIRMWARE / "probe", "--cpu=-avx9000")

    def test_kvm_that_is_not_there(self):
        unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
        if subprocess.run([*unshare, "mount -t tmpfs none /mnt"], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("mount namespaces are not allowed here")
        empty = 'mount -t tmpfs none /dev && mknod /dev/null c 1 3 2>/dev/null; exec "$0" "$@"'
        self.refused(NO_KVM, "/dev/kvm", "-k", FIRMWARE / "probe", prefix=[*unshare, empty])

    def test_kvm_without_permission(self):
        if os.geteuid() or not shutil.which("setpriv"):
            self.skipTest("needs root and setpriv to give root up")
        if os.stat("/dev/kvm").st_mode & 0o006:
            self.skipTest("everybody may use /dev/kvm here")
        drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        self.directory.chmod(0o755)
        program = shutil.copy(HULL, self.directory / "hull")
        kernel = shutil.copy(FIRMWARE / "probe", self.directory / "probe")
        result = subprocess.run([*drop, program, "run", "-k", kernel], capture_output=True,
                                text=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, NO_KVM, result.stderr)
        self.assertRegex(result.stderr, "kvm")
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_closed_descriptors(self):
        for closing in ("<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"):
            with self.subTest(closing):
                result = self.hull("-k", FIRMWARE / "probe", "--debug-exit",
                                   prefix=["sh", "-c", f'exec "$0" "$@" {closing}'])
                self.assertEqual(result.returncode, ENDED, result.stderr)

    def test_full_disk(self):
        result = self.hull("-k", FIRMWARE / "probe", "--debug-exit", "--console", "file=/dev/full")
        self.assertEqual(result.returncode, ENDED, result.stderr)
        self.assertRegex(result.stderr, "lost: No space left")
        result = self.hull("-k", FIRMWARE / "probe", "--debug-exit", "--console", "file=/no/dir/x")
        self.assertEqual(result.returncode, INPUT)
        self.assertRegex(result.stderr, "/no/dir/x.*no such file".replace("no such", "[Nn]o such"))

    def test_too_many_cpus_and_too_much_memory(self):
        self.refused(USAGE, "9999", "-k", FIRMWARE / "probe", "-c", "9999")
        for more in ((), ("--prealloc",)):
            self.refused(FAILED, "pool of 2 MiB pages cannot give", "-k", FIRMWARE / "probe",
                         "--hugepages", "-m", "2T", *more)


if __name__ == "__main__":
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("SKIP: /dev/kvm cannot be opened here")
        sys.exit(77)
    unittest.main()
