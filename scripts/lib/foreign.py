"""Debian systems for another architecture than this machine's.

Their packages are unpacked right here; their scripts are run where their programs can be, in an
emulated host of that architecture (tests/host/README.md).
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

LIB = Path(__file__).resolve().parent
EMULATED_HOST = LIB.parents[1] / "tests/host/emulated-host"
sys.path.append(str(EMULATED_HOST.parent))

from emulation.failure import HOST_LOST  # noqa: E402

UNPACK = LIB / "unpack-packages"
CONFIGURE = LIB / "configure-packages"
SOURCES = (Path(__file__).resolve(), UNPACK, CONFIGURE)
# Debian's name: emulated-host's name, names in / which are links into /usr.
ARCHITECTURES = {"amd64": ("x86_64", "bin sbin lib lib64"),
                 "arm64": ("aarch64-gicv2", "bin sbin lib")}
LIMIT_SECONDS = 1800  # of two or three minutes
# Kernels guard themselves by emptying the TLB with every system call, which is dear where it is
# emulated.
HOST_WORDS = "mitigations=off"


def _write_lines(path, *lines):
    """A shell command that does so below "$1"."""
    return f'mkdir -p "$1/{Path(path).parent}" && printf "%s\\n" {shlex.join(lines)} >"$1/{path}"'


# An initial RAM disk for every disk of the world would take minutes there.
INITRAMFS_HOOKS = (
    _write_lines("etc/initramfs-tools/conf.d/hull", "MODULES=list"),
    _write_lines("etc/initramfs-tools/modules", "virtio_pci", "virtio_mmio", "virtio_blk", "ext4"),
)


def bootstrap_options(release, architecture, packages, dpkg_options):
    """For mmdebstrap: how to make the tar archive of a system with unpacked packages."""
    links = ARCHITECTURES[architecture][1]
    essential = (f"?narrow(?or(?archive(^{release}$),?codename(^{release}$)),"
                 f"?architecture({architecture}),?essential)")
    setup = (f'for name in {links}; do mkdir -p "$1/usr/$name"; ln -s "usr/$name" "$1/$name"; done',
             _write_lines("etc/dpkg/dpkg.cfg.d/99hull", *dpkg_options))
    # Who runs the hooks may be unable to read files of this directory.
    return [f"--architectures={architecture}", "--variant=extract",
            *(f"--setup-hook={hook}" for hook in setup),
            f"--extract-hook={UNPACK.read_text()}",
            f"--include={essential}", f"--include={','.join(('usr-is-merged', *packages))}"]


def configure(make_image, image, initrd, architecture, hooks):
    """Configures the packages in the image, which make_image() makes, and fetches its initrd.
    Returns what was said and whether all went well."""
    with tempfile.TemporaryDirectory() as scratch:
        put = Path(scratch) / "hooks"
        put.mkdir()
        for index, hook in enumerate((*INITRAMFS_HOOKS, *hooks)):
            (put / f"{index:02}").write_text(hook)
        command = [EMULATED_HOST, "--arch", ARCHITECTURES[architecture][0], "--memory", "1G",
                   "--timeout", str(LIMIT_SECONDS), "--module", "ext4", "--append", HOST_WORDS,
                   "--disk", f"system:{image},rw", "--put", f"{put}:/hooks",
                   "--get", f"/initrd:{initrd}", "--script", CONFIGURE]
        for _ in range(2):
            make_image()
            result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    errors="replace", check=False)
            if result.returncode not in HOST_LOST:
                break
    return result.stdout, result.returncode == 0
