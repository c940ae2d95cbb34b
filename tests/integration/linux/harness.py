"""Runs shell cases that boot stock kernels with hull: right here on hardware KVM, elsewhere in the
emulated KVM host, two boots of it at a time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
# MiB that a transfer between a guest and its peer is to move; 0: as few as each case has by itself.
TRANSFER_MIB = int(os.environ.get("HULL_TEST_TRANSFER_MIB", "0"))
CASE_SECONDS = 700 + 3 * TRANSFER_MIB  # many times what any needs on a free machine
COMMAND_MODULES = ("drivers/virtio", "drivers/char/virtio_console.ko", "drivers/block/virtio_blk.ko",
                   "drivers/char/hw_random", "fs/overlayfs", "fs/ext4", "fs/jbd2", "fs/mbcache.ko",
                   "crypto", "lib", "net/vmw_vsock", "fs/fuse", "drivers/net/virtio_net.ko",
                   "drivers/net/net_failover.ko", "net/core/failover.ko")
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "tests/host")]

from emulation.failure import HOST_LOST  # noqa: E402
import debian  # noqa: E402
import kernel_modules  # noqa: E402
import programs  # noqa: E402


@dataclass(frozen=True)
class Target:
    """What hull and its guests are to run on."""

    name: str  # as the kernel calls it
    debian: str  # as Debian does
    hosts: tuple  # as emulated-host calls the two that are emulated
    words: dict  # the cases' variables for what guests call the same things there

    @property
    def is_native(self):
        return self.name == os.uname().machine

    def program(self, name):
        found = programs.find(name, self.debian)
        if not found:
            sys.exit(f"there is no {name}: scripts/install-dependencies has it")
        return found


TARGETS = {target.name: target for target in (
    Target("x86_64", "amd64", ("x86_64", "x86_64"),
           {"MMIO_DEVICE": "LNRO0005", "LINES_OF_MANY": "[1-4]", "KERNEL_AS_ROOT": "boot.sector"}),
    Target("aarch64", "arm64", ("aarch64", "aarch64-gicv2"),
           {"MMIO_DEVICE": "virtio_mmio", "LINES_OF_MANY": "0", "KERNEL_AS_ROOT": "none.of.ext2"}),
)}
NATIVE = TARGETS[os.uname().machine]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                          text=True, **options).stdout.strip()


def take_target(arguments):
    """(target, the other arguments): "--arch NAME" may come before them. Ends the test as skipped
    when programs for the target are neither here nor to be had."""
    if arguments[0] != "--arch":
        return NATIVE, arguments
    target = TARGETS[arguments[1]]
    try:
        if not target.is_native:
            programs.tree(target.debian)
    except debian.FetchError as error:
        print(f"SKIP: {error}")
        sys.exit(77)
    return target, arguments[2:]


def fetched(flavour, debian_architecture=None):
    """The paths of a stock kernel: {"kernel", "modules", ...}."""
    options = ["--arch", debian_architecture] if debian_architecture else []
    return json.loads(run(ROOT / "scripts/fetch-kernel", flavour, *options, "--print", "json"))


def put_modules(source, target):
    """Copies what commands need of a kernel's modules, and the list of what is built in; all of it
    would take the host's memory."""
    for name in COMMAND_MODULES:
        path = Path(source) / "kernel" / name
        (target / "kernel" / name).parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target / "kernel" / name)
        for found in (path, Path(f"{path}.xz")):
            if found.is_file():
                shutil.copy(found, (target / "kernel" / name).parent)
    shutil.copy(Path(source) / "modules.builtin", target)


def put_guest(files, init, modules, *options, target=NATIVE):
    """A kernel and an initrd with these modules and what depends on them into the directory files;
    more options are those of make-initrd."""
    found = fetched("6.1-cloud", target.debian)
    shutil.copy(found["kernel"], files / "kernel")
    with tempfile.TemporaryDirectory() as directory:
        needed = kernel_modules.Modules(found["modules"]).with_dependencies(modules)
        for index, (name, content) in enumerate(needed):
            (Path(directory) / f"{index:02}-{name}").write_bytes(content)
        run(ROOT / "scripts/make-initrd", "--arch", target.debian, "--init", init,
            "--add", f"{directory}:/modules", *options, files / "initrd")


def hardware_kvm():
    """Is there a KVM here that runs distribution kernels?"""
    if NATIVE.name == "aarch64":
        return os.access("/dev/kvm", os.R_OK | os.W_OK)
    flags = re.search(r"^flags\s*:(.*)", Path("/proc/cpuinfo").read_text(), re.M)
    return (os.access("/dev/kvm", os.R_OK | os.W_OK) and flags
            and bool({"vmx", "svm"} & set(flags.group(1).split())))


def runs_here(target):
    return target.is_native and hardware_kvm()


def cannot_make_networks(names, libraries=(), target=NATIVE):
    """Says what is missing for cases that make interfaces; True: they are to be skipped."""
    missing = {name for name in names if not programs.find(name, target.debian)}
    missing |= {name for name in libraries if not programs.library(name, target.debian)}
    if missing:
        print(f"SKIP: no {' '.join(sorted(missing))} (see scripts/install-dependencies)")
    elif runs_here(target) and os.geteuid() != 0:
        print("SKIP: making interfaces needs root")
        return True
    return bool(missing)


def with_needed(libraries):
    """{place: file} of (place, file) pairs of libraries and of what they need, but for libc, which
    hull needs, too."""
    found = dict(libraries)
    for _, file in libraries:
        for place, needed in programs.shared_libraries(file).items():
            if not re.search(r"/(libc|ld-linux[^/]*)\.so", place):
                found[place] = needed
    return found


class Suite:
    """cases: {name: shell text}; the first `half` of them run in one emulated host, the others in a
    second one at the same time. host_programs: paths of more programs that the cases run on the
    host; modules: more of its kernel, where it is emulated; libraries: sonames of what hull opens
    by itself; case_seconds: the limit of a case; examine(output) says what is wrong with a case's
    output, "" for nothing."""

    def __init__(self, hull, cases, half, wanted=(), host_programs=(), modules=(), libraries=(),
                 case_seconds=CASE_SECONDS, target=NATIVE, examine=lambda _: ""):
        self._target = target
        self._examine = examine
        self._hull = hull
        self._case_seconds = case_seconds
        self._first_half = list(cases)[:half]
        self._qemu = (target.is_native and shutil.which("qemu-system-x86_64")) or ""
        self._programs = host_programs
        self._modules = modules
        self._libraries = ("libz.so.1", *libraries)  # libz: when a kernel is packed
        self._cases = {}
        for name, body in cases.items():
            if wanted and name not in wanted:
                continue
            if "$QEMU" in body and not self._qemu:
                print(f"# {name} is left out: there is no qemu-system-x86_64 to compare with")
                continue
            self._cases[name] = body

    def run(self, prepare):
        """prepare(files, disks) puts the files of the cases into one directory, and what they
        shall find as disks, which are links or files, into another. Returns the exit status."""
        with tempfile.TemporaryDirectory(prefix="hull-linux-") as directory:
            scratch = Path(directory)
            files, disks = scratch / "files", scratch / "disks"
            files.mkdir()
            disks.mkdir()
            try:
                prepare(files, disks)
            except subprocess.CalledProcessError as error:
                print(f"SKIP: {error}")
                return 77
            if runs_here(self._target):
                return self._run_here(scratch, files, disks)
            return self._run_emulated(scratch, files, disks)

    def _write(self, directory, hull, files, disks, qemu):
        directory.mkdir()
        words = " ".join(f"{name}={value}" for name, value in self._target.words.items())
        for script in HERE.glob("*.sh"):
            shutil.copy(script, directory)
        for name, body in self._cases.items():
            (directory / name).write_text(f"HULL={hull} FILES={files} DISKS={disks} QEMU={qemu}\n"
                                          f"{words}\n. $(dirname $0)/case.sh\n{body}")

    def _run_here(self, scratch, files, disks):
        for disk in disks.iterdir():
            if disk.is_symlink():  # what it leads to must not change
                original = disk.resolve()
                disk.unlink()
                run("cp", "--sparse=always", original, disk)
        self._write(scratch / "cases", self._hull, files, disks, self._qemu)
        places = dict.fromkeys(str(Path(program).resolve().parent) for program in self._programs)
        environment = {**os.environ, "PATH": ":".join([os.environ["PATH"], *places])}
        failed = 0
        for name in self._cases:
            result = subprocess.run(["sh", str(scratch / "cases" / name)], timeout=self._case_seconds,
                                    check=False, stdout=subprocess.PIPE, text=True,
                                    errors="replace", env=environment)
            wrong = result.returncode != 0 or self._examine(result.stdout)
            print("not ok" if wrong else "ok", name, flush=True)
            if wrong:
                print(result.stdout, wrong)
                failed += 1
        return 1 if failed else 0

    def _run_emulated(self, scratch, files, disks):
        self._write(scratch / "cases", "/usr/local/bin/hull", "/files", "/dev/disk",
                    f"/usr/local/bin/{Path(self._qemu).name}")
        first = [name for name in self._cases if name in self._first_half]
        second = [name for name in self._cases if name not in self._first_half]
        halves = [(host, half) for host, half in zip(self._target.hosts, (first, second)) if half]
        status = 0
        with ThreadPoolExecutor(len(halves)) as pool:
            runs = [pool.submit(self._run_half, host, half, scratch / f"host{index}",
                                scratch / "cases", files, disks)
                    for index, (host, half) in enumerate(halves)]
            for run_of_half in runs:
                output, failed = run_of_half.result()
                print(output, flush=True)
                status = status or failed
        return status

    def _run_half(self, host, names, scratch, cases, files, disks):
        """As _boot_host; what a lost host has not done is done once more in another."""
        output, status = self._boot_host(host, names, scratch, cases, files, disks)
        left = [name for name in names if not re.search(rf"^ok \d+ - {name}$", output, re.M)]
        if status not in HOST_LOST or not left:
            return output, status
        again = f"# the emulated host was lost: {' '.join(left)} once more in another\n"
        more, status = self._boot_host(host, left, scratch.with_name(f"{scratch.name}-again"),
                                       cases, files, disks)
        return output + again + more, status

    def _boot_host(self, host, names, scratch, cases, files, disks):
        """One boot of the emulated host for some cases; its output and its status."""
        scratch.mkdir()
        plan = [{"name": name, "command": ["sh", f"/cases/{name}"], "timeout": self._case_seconds}
                for name in names]
        (scratch / "plan.json").write_text(json.dumps(plan))
        results = scratch / "results"
        command = [ROOT / "tests/host/emulated-host", "--arch", host, "--plan", scratch / "plan.json",
                   "--results", results, "--put-exec", self._hull, "--put", f"{files}:/files",
                   "--put", f"{cases}:/cases", "--memory", "3G", "--timeout", "3500"]
        for program in self._programs:
            command += ["--put-exec", program]
        for module in self._modules:
            command += ["--module", module]
        for disk in disks.iterdir():
            command += ["--disk", f"{disk.name}:{disk}"]
        libraries = [programs.library(name, self._target.debian) for name in self._libraries]
        for place, file in with_needed([found for found in libraries if found]).items():
            command += ["--put", f"{Path(file).resolve()}:{place}"]
        if any("$QEMU" in self._cases[name] for name in names):
            command += ["--put-exec", self._qemu, "--put", "/usr/share/seabios:/usr/share/seabios",
                        "--put", "/usr/share/qemu:/usr/share/qemu"]
        ended = subprocess.run([str(part) for part in command], check=False, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        output, status = [ended.stdout], ended.returncode
        for log in sorted(results.glob("*.stdout")):
            text = log.read_text(errors="replace")
            output.append(f"--- {log.stem}\n{text.strip()}\n")
            if wrong := self._examine(text):
                output.append(f"not ok {log.stem}: {wrong}\n")
                status = status or 1
        return "".join(output), status
