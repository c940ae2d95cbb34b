#!/usr/bin/env python3
"""Tests the scripts that prepare guests: extract-vmlinux, make-initrd and the choice of modules.

Images, archives and modules are made here from their specifications; nothing is fetched.
"""

import bz2
import gzip
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS / "lib"))

import executables  # noqa: E402
import kernel_modules  # noqa: E402

ELF = b"\x7fELF" + os.urandom(100_000) + bytes(400_000)


def script(name, *arguments):
    return subprocess.run([SCRIPTS / name, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def piped(*command):
    return subprocess.run(command, input=ELF, capture_output=True, check=True).stdout


def bzimage(payload, protocol=0x20F, length=None):
    """Linux Documentation/arch/x86/boot.rst: 7 setup sectors, then the payload 64 bytes on."""
    image = bytearray(8 * 512)
    image[0x1F1] = 7
    image[0x1FE:0x206] = b"\x55\xaa\xeb\x6aHdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    struct.pack_into("<II", image, 0x248, 64, len(payload) if length is None else length)
    return bytes(image) + bytes(64) + payload + b"behind"


class WithScratch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def script_with(self, name, arguments, programs):
        """A script whose cache is empty at first and to which these shell texts are the programs;
        they may leave something in $WORDS."""
        tools = self.scratch / "tools"
        tools.mkdir(exist_ok=True)
        for program, text in programs.items():
            (tools / program).write_text(f"#!/bin/sh\n{text}")
            (tools / program).chmod(0o755)
        return subprocess.run(
            [SCRIPTS / name, *arguments], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "HULL_CACHE": str(self.scratch / "cache"),
                 "WORDS": str(self.scratch / "words"), "PATH": f"{tools}:{os.environ['PATH']}"})


class ExtractVmlinuxTest(WithScratch):
    SIZE = struct.pack("<I", len(ELF))

    def extract(self, image):
        (self.scratch / "image").write_bytes(image)
        return script("extract-vmlinux", self.scratch / "image", self.scratch / "vmlinux")

    def test_every_format(self):
        filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
        payloads = {
            "gzip": gzip.compress(ELF),
            "xz": lzma.compress(ELF, check=lzma.CHECK_CRC32, filters=filters) + self.SIZE,
            "lzma": lzma.compress(ELF, lzma.FORMAT_ALONE) + self.SIZE,
            "bzip2": bz2.compress(ELF) + self.SIZE,
        }
        for name, options in (("zstd", ["-19"]), ("lz4", ["-l", "-9"])):
            if shutil.which(name):
                payloads[name] = piped(name, *options) + self.SIZE
        for name, payload in payloads.items():
            with self.subTest(name):
                result = self.extract(bzimage(payload))
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual((self.scratch / "vmlinux").read_bytes(), ELF)

    def test_what_is_refused(self):
        payload = gzip.compress(ELF)
        for message, image in (
                ("no x86 bzImage", b""),
                ("no x86 bzImage", bytes(10_000)),
                ("no x86 bzImage", bzimage(payload)[:0x24F]),
                ("boot protocol 2.07", bzimage(payload, protocol=0x207)),
                ("outside of the file", bzimage(payload, length=0xFFFFFFFF)),
                ("outside of the file", bzimage(payload, length=0)),
                ("outside of the file", bzimage(payload)[:-100]),
                ("unknown way", bzimage(b"x" * 100)),
                ("gzip data is damaged", bzimage(payload, length=len(payload) // 2)),
                ("gzip data is damaged", bzimage(gzip.compress(b"no ELF file" * 10))),
                ("xz data is damaged", bzimage(lzma.compress(ELF)[:-1000] + self.SIZE))):
            with self.subTest(message):
                result = self.extract(image)
                self.assertEqual(result.returncode, 1)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)
                self.assertEqual(os.listdir(self.scratch), ["image"])


def cpio_entries(data):
    """{name: (mode, device numbers, content)}, by buffer-format.rst."""
    entries, position, numbers = {}, 0, []
    while True:
        assert data[position:position + 6] == b"070701", position
        fields = [int(data[position + 6 + 8 * i:position + 14 + 8 * i], 16) for i in range(13)]
        name_end = position + 110 + fields[11]
        name = data[position + 110:name_end - 1].decode()
        content = (name_end + 3) & ~3
        if name == "TRAILER!!!":
            assert len(set(numbers)) == len(numbers)
            return entries
        assert fields[2:4] == [0, 0] and fields[5] == 0, "owner or time"
        assert "/" not in name or name.rpartition("/")[0] in entries, "no parent"
        numbers.append(fields[0])
        entries[name] = (fields[1], fields[9:11], data[content:content + fields[6]])
        position = (content + fields[6] + 3) & ~3


class MakeInitrdTest(WithScratch):
    def make(self, *arguments):
        result = script("make-initrd", self.scratch / "initrd", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return (self.scratch / "initrd").read_bytes()

    def test_contents(self):
        tree = self.scratch / "tree"
        tree.mkdir()
        (tree / "tool").write_bytes(b"abc")
        (tree / "tool").chmod(0o751)
        (tree / "link").symlink_to("tool")
        data = self.make("--add", f"{tree}:/opt/deep/tree")
        entries = cpio_entries(data)
        self.assertEqual(entries["opt/deep/tree/tool"], (0o100751, [0, 0], b"abc"))
        self.assertEqual(entries["opt/deep/tree/link"], (0o120777, [0, 0], b"tool"))
        self.assertEqual(entries["dev/console"][:2], (0o020600, [5, 1]))
        self.assertEqual(entries["bin/busybox"][2][:4], b"\x7fELF")
        self.assertIn(b"guest userspace is up", entries["init"][2])

        (tree / "tool").touch()
        self.assertEqual(self.make("--add", f"{tree}:/opt/deep/tree"), data)
        packed = self.make("--compress", "gzip", "--add", f"{tree}:/opt/deep/tree")
        self.assertEqual(gzip.decompress(packed), data)
        self.assertEqual(packed[4:8], bytes(4), "gzip's time")

    def test_an_init_of_ones_own_and_libraries(self):
        (self.scratch / "init").write_text("#!/bin/sh\n")
        entries = cpio_entries(self.make("--init", self.scratch / "init", "--with-libs",
                                         "--add", f"{sys.executable}:/bin/python"))
        self.assertEqual(entries["init"][2], b"#!/bin/sh\n")
        self.assertTrue([name for name in entries if name.rpartition("/")[2] == "libc.so.6"])
        self.assertTrue([name for name in entries if name.rpartition("/")[2].startswith("ld-")])

    def test_what_is_refused(self):
        for addition in ("x", "/nowhere:/x", f"{__file__}:/a/../b"):
            with self.subTest(addition):
                result = script("make-initrd", self.scratch / "initrd", "--add", addition)
                self.assertEqual(result.returncode, 1)
                self.assertTrue(result.stderr.startswith("make-initrd: "), result.stderr)
                self.assertEqual(os.listdir(self.scratch), [])


class MakeDebianImageTest(WithScratch):
    """With stand-ins for apt and mmdebstrap."""

    APT_GET = """
[ "$1 $2" = "-o APT::Sandbox::User=root" ] && shift 2
[ "$1" = indextargets ] || exit 100
echo "Debian /etc/apt/sources.list.d/own.sources:1"
echo "Debian /etc/apt/sources.list.d/own.sources:2"
echo "Somebody /etc/apt/sources.list.d/other.list:1"
"""
    APT_CACHE = 'echo "Depends: something"'
    MMDEBSTRAP = """
[ "$1" != --unshare-helper ] || { shift; exec "$@"; }
echo "$*" >"$WORDS"
for word; do
    case $word in *.tar) tar=$word ;; esac
done
cd "$(mktemp -d)" && mkdir boot
echo kernel >boot/vmlinuz-1; echo initrd >boot/initrd.img-1; echo config >boot/config-1
tar -cf "$tar" . && rm -r "$PWD"
"""
    MKE2FS = """
for word; do
    case $last in -d) [ -e "$word/boot/config-1" ] || exit 1 ;; esac
    case $word in /proc/self/fd/*) file=$word ;; esac
    last=$word
done
echo "image of $last" >"$file"
"""

    def make(self, *arguments, **programs):
        return self.script_with("make-debian-image", arguments, {
            "apt-get": self.APT_GET, "apt-cache": self.APT_CACHE, "mmdebstrap": self.MMDEBSTRAP,
            "mke2fs": self.MKE2FS, **programs})

    def test_it_is_made_once(self):
        result = self.make("--size", "300M")
        self.assertEqual(result.returncode, 0, result.stderr)
        directory = Path(result.stdout.strip())
        self.assertTrue(directory.is_relative_to(self.scratch / "cache"))
        self.assertEqual(
            {path.name: path.read_text() for path in directory.iterdir()},
            {"debian.img": "image of 300M\n", "vmlinuz": "kernel\n", "initrd": "initrd\n"})
        self.assertEqual((directory / "debian.img").stat().st_mode & 0o777, 0o644)
        words = (self.scratch / "words").read_text()
        self.assertIn("linux-image-cloud-", words)
        self.assertTrue(words.endswith(".tar /etc/apt/sources.list.d/own.sources\n"), words)
        again = self.make("--size", "300M", mmdebstrap="exit 1")
        self.assertEqual((again.returncode, again.stdout), (0, result.stdout))
        # What fails leaves what there was.
        self.assertEqual(self.make("--size", "300M", "--update", mmdebstrap="exit 1").returncode, 1)
        self.assertEqual((directory / "vmlinuz").read_text(), "kernel\n")

    def test_what_fails(self):
        for message, programs in (
                ("mmdebstrap failed; its last words:\nbad luck",
                 {"mmdebstrap": "echo bad luck; exit 2"}),
                ("sh failed; its last words:\nfull", {"mke2fs": "echo full; exit 1"}),
                ("apt has no lists of packages", {"apt-get": "exit 0"}),
                ("none of the packages", {"apt-cache": "exit 100", "apt-get": "exit 0"})):
            with self.subTest(message):
                result = self.make(**programs)
                self.assertEqual(result.returncode, 1)
                self.assertTrue(result.stderr.startswith("make-debian-image: "), result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(list((self.scratch / "cache").rglob("*.img")), [])
        self.assertEqual(self.make("--size", "big").returncode, 2)
        self.assertEqual(self.make("--arch", "vax").returncode, 2)

    def test_another_architecture_needs_a_host(self):
        other = "arm64" if os.uname().machine == "x86_64" else "amd64"
        result = self.make("--arch", other)
        self.assertEqual(result.returncode, 1)
        self.assertIn("configuring the packages failed; its last words:", result.stderr)
        self.assertIn("no kernel for the host", result.stderr)
        words = (self.scratch / "words").read_text()
        self.assertIn(f"--architectures={other} --variant=extract", words)
        self.assertIn(f"linux-image-cloud-{other}", words)
        self.assertEqual(list((self.scratch / "cache").rglob("*.img")), [])


class UnpackPackagesTest(WithScratch):
    """As a hook of mmdebstrap would run it, on a system of packages made here."""

    def as_root(self, *command):
        namespace = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        return subprocess.run([*namespace, *command], capture_output=True, text=True, timeout=60,
                              check=False)

    def put_package(self, name, architecture, files, **scripts):
        tree = self.scratch / "packages" / name
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: {architecture}\nMaintainer: nobody\n"
            f"Depends: nothing\nDescription: none\n")
        for script, text in scripts.items():
            (tree / "DEBIAN" / script).write_text(text)
            (tree / "DEBIAN" / script).chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree,
                        self.scratch / f"root/var/cache/apt/archives/{name}_1_{architecture}.deb"],
                       check=True, stdout=subprocess.DEVNULL)

    def test_nothing_of_theirs_is_run(self):
        if self.as_root("true").returncode != 0:
            self.skipTest("only root, or whoever may be root in a namespace, can unpack packages")
        root = self.scratch / "root"
        for directory in ("tmp", "etc/dpkg/dpkg.cfg.d", "var/cache/apt/archives",
                          "var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/share/doc/old"):
            (root / directory).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        (root / "etc/dpkg/dpkg.cfg.d/99hull").write_text(
            "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n")
        first = f"#!/bin/sh\ntouch {self.scratch}/run\n"
        self.put_package("one", "riscv64", {"usr/bin/one": "1", "usr/share/doc/one/news": "",
                                            "usr/share/doc/one/copyright": "mine"},
                         preinst=first, postinst=first)
        self.put_package("two", "all", {"etc/two": "2"})
        hook = (SCRIPTS / "lib/unpack-packages").read_text()
        result = self.as_root("sh", "-c", hook, "hook", root)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse((self.scratch / "run").exists())
        self.assertEqual((root / "usr/bin/one").read_text(), "1")
        self.assertEqual(os.listdir(root / "usr/share/doc"), ["one"])
        self.assertEqual(os.listdir(root / "usr/share/doc/one"), ["copyright"])
        self.assertEqual((root / "var/lib/dpkg/info/one.preinst").read_text(), first)
        self.assertEqual((root / "var/lib/dpkg/info/one.postinst").read_text(), first)
        status = (root / "var/lib/dpkg/status").read_text()
        self.assertEqual(status.count("\nStatus: install ok unpacked\n"), 2)
        self.assertIn("\nArchitecture: riscv64\n", status)
        for directory in ("tmp", "var/cache/apt/archives"):
            self.assertEqual(os.listdir(root / directory), [])


class SharedLibrariesTest(WithScratch):
    PROGRAM = sys.executable

    def test_in_a_tree(self):
        """Of an unpacked system, what its headers say is what ldd finds of the installed one."""
        installed = executables.shared_libraries(self.PROGRAM)
        triplet = executables.triplet_of(self.PROGRAM)
        for directory in ("usr/bin", "lib", f"lib/{triplet}", f"usr/lib/{triplet}"):
            (self.scratch / directory).mkdir(parents=True, exist_ok=True)
        program = self.scratch / "usr/bin/program"
        shutil.copy(self.PROGRAM, program)
        for number, (place, file) in enumerate(sorted(installed.items())):
            directory = f"{'usr/' if number % 2 else ''}lib/{triplet}"
            shutil.copy(file, self.scratch / directory / Path(place).name)
        found = executables.shared_libraries(program, self.scratch)
        self.assertEqual(sorted(Path(place).name for place in found),
                         sorted(Path(place).name for place in installed))
        for place, file in found.items():
            self.assertTrue(place.startswith("/lib"), place)
            self.assertTrue(Path(file).is_relative_to(self.scratch), file)
            if "/libc.so" in file:
                os.unlink(file)
        with self.assertRaises(executables.MissingLibrary) as raised:
            executables.shared_libraries(program, self.scratch)
        self.assertIn("needs libc.so", str(raised.exception))

    def test_what_needs_none(self):
        self.assertEqual(executables.shared_libraries(__file__), {})


class FetchProgramsTest(WithScratch):
    """With stand-ins for apt and dpkg."""

    APT_GET = """
for word; do
    case $word in
    update) exit 0 ;;
    Dir::Cache::archives=*) archives=${word#*=} ;;
    esac
done
[ "$archives" ] || exit 100
echo "$*" >"$WORDS"
touch "$archives/one.deb" "$archives/two.deb"
"""
    DPKG_DEB = 'mkdir -p "$3/usr/bin" && echo "$2" >"$3/usr/bin/${2##*/}"'

    def fetch(self, *arguments, **programs):
        return self.script_with("fetch-programs", arguments, {
            "apt-get": self.APT_GET, "dpkg-deb": self.DPKG_DEB, **programs})

    def test_it_is_fetched_once(self):
        result = self.fetch("--arch", "other")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        tree = Path(result.stdout.strip())
        self.assertTrue(tree.is_relative_to(self.scratch / "cache"))
        self.assertEqual(sorted(path.name for path in (tree / "usr/bin").iterdir()),
                         ["one.deb", "two.deb"])
        self.assertIn("APT::Architecture=other", (self.scratch / "words").read_text())
        again = self.fetch("--arch", "other", **{"apt-get": "exit 1"})
        self.assertEqual((again.returncode, again.stdout), (0, result.stdout))
        # What fails leaves what there was.
        failed = self.fetch("--arch", "other", "--update", **{"dpkg-deb": "exit 1"})
        self.assertEqual(failed.returncode, 1)
        self.assertTrue(failed.stderr.startswith("fetch-programs: dpkg-deb: "), failed.stderr)
        self.assertTrue((tree / "usr/bin/two.deb").exists())


class KernelModulesTest(WithScratch):
    def module(self, name, depends, pack=bytes, suffix=""):
        path = self.scratch / "kernel" / f"{name}.ko{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pack(b"\x7fELF..\0license=GPL\0depends=" + depends + b"\0name=x\0"))

    def test_order(self):
        (self.scratch / "modules.builtin").write_text("kernel/drivers/char/built-in.ko\n")
        self.module("top-one", b"left,right", lzma.compress, ".xz")
        self.module("left", b"bottom,built_in")
        self.module("right", b"bottom")
        self.module("bottom", b"")
        modules = kernel_modules.Modules(self.scratch)
        found = modules.with_dependencies(["built-in", "top_one", "left"])
        self.assertEqual([name for name, _ in found],
                         ["bottom.ko", "left.ko", "right.ko", "top_one.ko"])
        self.assertTrue(all(content.startswith(b"\x7fELF") for _, content in found))

    def test_what_is_refused(self):
        self.module("a", b"b")
        self.module("b", b"a")
        self.module("c", b"nowhere")
        modules = kernel_modules.Modules(self.scratch)
        for name, message in (("a", "circle"), ("c", "no module 'nowhere'")):
            with self.assertRaisesRegex(kernel_modules.ModuleError, message):
                modules.with_dependencies([name])


if __name__ == "__main__":
    unittest.main(verbosity=2)
