#!/usr/bin/env python3
"""Rules about the text of the sources that no compiler checks. One line per finding."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Call -> why it is not used here.
BANNED_CALLS = {
    "strcpy": "unbounded", "strcat": "unbounded", "sprintf": "unbounded", "vsprintf": "unbounded",
    "gets": "unbounded", "atoi": "no errors: parse.h", "atol": "no errors: parse.h",
    "strtol": "lenient: parse.h", "strtoul": "lenient: parse.h", "strtok": "hidden state",
    "alloca": "unbounded stack", "sleep": "no sleeping to wait", "usleep": "no sleeping to wait",
    "nanosleep": "no sleeping to wait", "system": "shell", "popen": "shell",
    "pthread_cancel": "threads are stopped by messages", "signal": "sigaction", "rand": "getrandom",
    "setjmp": "control flow", "longjmp": "control flow",
}
# Only here may a program end or look at <linux/kvm.h>.
EXIT_ALLOWED = re.compile(r"^(src/cli/main\.c|src/devices/backend/terminal_guardian\.c|guest-firmware/|tests/|bench/)")
KVM_ALLOWED = re.compile(r"^(src/core/kvm\.c|src/arch/|src/machine/(msi|vm|vcpu|vcpu_exit)\.[ch]|"
                         r"tests/|bench/)")
# Only here may the compiler be asked for whom it compiles: elsewhere meson picks the file.
ARCHITECTURE = re.compile(r"\b__(x86_64|amd64|i386|aarch64|AARCH64EL|arm|riscv)(__)?\b")
ARCHITECTURE_ALLOWED = re.compile(r"^(src/arch/|guest-firmware/)")
# What only these may say: pointers into guest RAM, from the span to the copy or the kernel.
GUEST_POINTERS = (
    (re.compile(r"\bgmem_span\b|(?:->|\.)spans\b"),
     re.compile(r"^(src/core/gmem\.c|include/core/gmem\.h|include/virtio/chain\.h|"
                r"src/devices/virtio/(chain|virtq\w*)\.[ch]|src/devices/backend/vhost\.c)$"),
     "a span of guest RAM outside gmem, chain and virtq: use chain_read, chain_write"),
    (re.compile(r"\biov_base\b"),
     re.compile(r"^(src/core/(gmem|io_\w+)\.c|src/devices/virtio/chain\.c|"
                r"src/devices/backend/(disk_(direct|request)|net_iov)\.c)$"),
     "a pointer out of an iovec outside chain, the I/O engines and the backends' copying"),
    (re.compile(r"\bregions\s*\[[^]]*\]\s*\.\s*host\b|\bregion->host\b"),
     re.compile(r"^src/(core/gmem|machine/vm|devices/backend/vhost)\.c$"),
     "guest RAM by its mapping: use the doors of gmem.h"),
)
SAFETY_WANTED = ("src/core/gmem.c", "src/devices/virtio/chain.c",
                 "src/devices/virtio/virtq_internal.h", "src/devices/backend/disk_request.c")
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    """Keeps line numbers: everything but newlines becomes a blank."""
    return re.sub(r"[^\n]", " ", match.group(0))


def findings(path, text):
    code = COMMENT_OR_STRING.sub(blank, text)
    for number, line in enumerate(code.splitlines(), 1):
        for call in re.findall(r"(?<![\w.>])(\w+)\s*\(", line):
            if call in BANNED_CALLS and not path.startswith(("guest-firmware/", "tests/", "bench/")):
                yield number, f"{call}() is banned: {BANNED_CALLS[call]}"
            if call in ("exit", "_exit", "abort", "quick_exit") and not EXIT_ALLOWED.match(path):
                if "exit-allowed" not in text.splitlines()[number - 1]:
                    yield number, f"{call}() outside main"
        if path.startswith(("src/", "include/")):
            for pattern, allowed, what in GUEST_POINTERS:
                if pattern.search(line) and not allowed.match(path):
                    yield number, what
        if ARCHITECTURE.search(line) and not ARCHITECTURE_ALLOWED.match(path):
            yield number, "a condition on the architecture outside arch and guest-firmware"
        if re.search(r"//", line):
            yield number, "use /* */ comments"
        if re.search(r"__attribute__\(\((constructor|destructor)", line):
            yield number, "no hidden start-up order"
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\b(XXX|FIXME|TODO|HACK)\b", line):
            yield number, "left open"
        if len(line.expandtabs(8)) > 110:
            yield number, "longer than 100 columns"
        if line != line.rstrip():
            yield number, "trailing blanks"
        include = re.match(r'\s*#\s*include\s*[<"]([^">]+)', line)
        if include:
            name = include.group(1)
            if name == "linux/kvm.h" and not KVM_ALLOWED.match(path):
                yield number, "linux/kvm.h outside core/kvm.c, arch, vm, vcpu"
            if name.startswith("liburing") and not path.startswith("src/core/io_uring"):
                yield number, "liburing outside core/io_uring"
            if "/" in name and re.match(r"(base|core|backend|devices|arch|machine|cli)/", name):
                yield number, "internal headers are included by bare name"
    if path in SAFETY_WANTED and "SAFETY:" not in text:
        yield 1, "touches guest RAM and says nowhere why that is safe (SAFETY:)"
    # A device knows no other device: a chip includes its own header and those of lower layers.
    device = re.match(r"src/devices/chips/(\w+)\.c$", path)
    if device:
        chips = {p.stem for p in (ROOT / "src/devices/chips").glob("*.c")}
        others = chips & {p.stem for p in (ROOT / "include/devices").glob("*.h")}
        others -= {device.group(1)}
        for number, line in enumerate(text.splitlines(), 1):
            include = re.match(r'#include "(\w+)\.h"', line)
            if include and include.group(1) in others:
                yield number, f"a device that knows another device ({include.group(1)})"


def main():
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard",
         "*.c", "*.h", "*.S"], capture_output=True, text=True, check=False).stdout.split()
    paths = listed or [str(p.relative_to(ROOT)) for p in ROOT.rglob("*.[chS]")]
    count = 0
    for path in sorted(paths):
        if not (ROOT / path).is_file():
            continue
        for number, what in findings(path, (ROOT / path).read_text()):
            print(f"{path}:{number}: {what}")
            count += 1
    print(f"{len(paths)} files, {count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
