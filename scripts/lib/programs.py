"""Where programs and shared libraries are: those of this machine and those of other architectures.

This machine's are the installed ones. Those of another Debian architecture cannot stand beside
them: their packages and all that these depend on are unpacked into a tree in Hull's cache, which is
made when it is first needed. Its programs run only where they and their libraries have been put.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import debian
import executables

# What cases run in guests and in emulated hosts of another architecture.
PACKAGES = ("bsdutils", "e2fsprogs", "ethtool", "fio", "gcc", "git", "iperf3", "iproute2",
            "libc6-dev", "libslirp0", "make", "mount", "passt", "sqlite3", "tar", "tcpdump",
            "util-linux")
PATH = ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def is_native(architecture):
    return architecture is None or architecture == debian.native_architecture()


def tree(architecture, update=False):
    """The directory with the unpacked packages of an architecture, fetched if need be."""
    final = _trees() / architecture
    manifest = final / "manifest.json"
    if update or not manifest.exists() or json.loads(manifest.read_text())["asked"] != [*PACKAGES]:
        with debian.replaced_directory(final) as fresh:
            files = debian.with_lists(
                architecture, lambda lists: debian.unpack_with_dependencies(lists, PACKAGES, fresh))
            (fresh / "manifest.json").write_text(
                json.dumps({"asked": PACKAGES, "packages": files}, indent=1) + "\n")
    return final


def find(name, architecture=None):
    """The path of a program; None: there is none. architecture: Debian's name; this machine's
    unless said otherwise."""
    if is_native(architecture):
        return shutil.which(name, path=":".join(PATH))
    if name == "busybox":
        return str(debian.busybox(architecture))
    root = tree(architecture)
    return shutil.which(name, path=":".join(f"{root}{directory}" for directory in PATH))


def shared_libraries(program):
    """{place: file} of all that a program or a library needs, as executables.shared_libraries()."""
    path = Path(program).absolute()
    if _trees() in path.parents:
        return executables.shared_libraries(path, _trees() / path.relative_to(_trees()).parts[0])
    return executables.shared_libraries(path)


def library(name, architecture=None):
    """The (place, file) of a library that programs load by themselves; None: there is none. One
    that is installed beside this machine's, for programs built here, is preferred."""
    if is_native(architecture):
        listed = subprocess.run(["/sbin/ldconfig", "-p"], check=True, stdout=subprocess.PIPE,
                                text=True).stdout
        found = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)", listed, re.M)
        return (found.group(1), found.group(1)) if found else None
    triplet = TRIPLETS[architecture]
    file = (executables.find_library(name, triplet)
            or executables.find_library(name, triplet, tree(architecture)))
    return (f"/lib/{triplet}/{name}", file) if file else None


def _trees():
    return debian.cache_directory() / "programs"
