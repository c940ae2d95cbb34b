"""What the emulated host holds: its first root file system, the files put into it, and its disks.

The root file system is kept small, for it is unpacked early in the boot; the files which are put
travel as a tar archive on a disk of their own, and those brought back as one on another.
"""

import os
import re
import shlex
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "lib"))

import cpio  # noqa: E402
import executables  # noqa: E402
import programs  # noqa: E402

from .failure import FILES_LOST, NOT_PREPARED, HostFailure  # noqa: E402

GUEST_INIT = Path(__file__).resolve().parents[1] / "guest-init"
GET_DISK_BYTES = 16 << 30  # only what is written takes room


@dataclass(frozen=True)
class Command:
    """A command to run in the host."""

    name: str
    argv: tuple
    limit_seconds: int = 0  # 0: none of its own


def split_pair(text, what):
    """"A:B" -> (A, B). A colon in the first part can be had by naming a directory instead."""
    first, colon, second = text.partition(":")
    if not (first and colon and second):
        raise HostFailure(NOT_PREPARED, f"{what} '{text}' is not of the form FROM:TO")
    return first, second


def remote_path(text):
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or "\n" in text or path == PurePosixPath("/"):
        raise HostFailure(NOT_PREPARED, f"'{text}' is no absolute path of a file in the host")
    return str(path)[1:]


def initramfs(stream, busybox, modules, commands, settings, get_paths):
    """Writes the archive. modules: [(name, content, options)]; settings: of guest-init."""
    archive = cpio.Archive()
    archive.add_bytes("bin/busybox", busybox.read_bytes(), 0o755)
    archive.add_symlink("bin/sh", "busybox")
    archive.add_bytes("init", GUEST_INIT.read_bytes(), 0o755)
    # Where programs from a merged-/usr system look for what they need.
    for directory in ("usr/bin", "usr/sbin", "sbin", "lib", "lib64", "etc", "tmp", "root"):
        archive.add_directory(directory)
    archive.add_character_device("dev/console", 5, 1)
    archive.add_character_device("dev/null", 1, 3, 0o666)
    archive.add_bytes("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.add_bytes("etc/group", b"root:x:0:\n")
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    archive.add_bytes("hull/settings", lines.encode())
    for name, content, _ in modules:
        archive.add_bytes(f"hull/modules/{name}", content)
    module_list = "".join(f"{name} {options}\n" for name, _, options in modules)
    archive.add_bytes("hull/module-list", module_list.encode())
    archive.add_bytes("hull/get-list", "".join(f"{path}\n" for path in get_paths).encode())
    for index, command in enumerate(commands):
        script = b"exec " + b" ".join(os.fsencode(shlex.quote(word)) for word in command.argv)
        archive.add_bytes(f"hull/commands/{index}.sh", script + b"\n")
        archive.add_bytes(f"hull/commands/{index}.limit", b"%d\n" % command.limit_seconds)
    archive.write(stream)


def _owned_by_root(member):
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def put_disk(path, puts, put_programs):
    """Packs files (local, remote) and programs (local, remote) with the libraries they need."""
    files = [(Path(local), remote_path(remote)) for local, remote in puts]
    libraries = {}  # of several with the same place in the host the first program's counts
    for local, remote in put_programs:
        resolved = shutil.which(local)
        if not resolved:
            raise HostFailure(NOT_PREPARED, f"there is no program '{local}'")
        remote = remote or f"/usr/local/bin/{os.path.basename(local)}"
        files.append((Path(resolved).resolve(), remote_path(remote)))
        try:
            libraries = {**programs.shared_libraries(resolved), **libraries}
        except executables.MissingLibrary as error:
            raise HostFailure(NOT_PREPARED, str(error)) from None
    places = {remote for _, remote in files}
    files += [(Path(library).resolve(), remote_path(place)) for place, library in libraries.items()
              if remote_path(place) not in places]
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for local, remote in dict.fromkeys(files):
            # One who names a link means the file; links inside of a directory are kept.
            local = local.resolve()
            if not local.exists():
                raise HostFailure(NOT_PREPARED, f"there is no '{local}' to put into the host")
            archive.add(local, remote, filter=_owned_by_root)


def named_disks(pairs):
    """{serial: (path, QEMU's way to open it)}; the files stay as they are, but for NAME:FILE,rw."""
    disks = {}
    for pair in pairs:
        name, file = split_pair(pair, "--disk")
        path = file.removesuffix(",rw")
        if not re.fullmatch(r"(?!hull-)[a-z][a-z0-9-]{0,19}", name) or name in disks:
            raise HostFailure(NOT_PREPARED, f"disk name '{name}' is no short word of its own")
        if not Path(path).is_file():
            raise HostFailure(NOT_PREPARED, f"there is no '{path}' to be a disk of the host")
        disks[name] = (Path(path).resolve(), "snapshot=on" if path == file else "readonly=off")
    return disks


def get_disk(path):
    with open(path, "wb") as file:
        file.truncate(GET_DISK_BYTES)


def bring_back(path, gets):
    """Unpacks (remote, local) pairs from the disk. What the host wrote is not to be trusted."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
            for remote, local in gets:
                wanted = PurePosixPath(remote_path(remote))
                found = [member for member in members if _below(member.name, wanted)]
                if not found:
                    raise HostFailure(FILES_LOST, f"there is no '{remote}' in the host")
                _unpack(archive, found, wanted, Path(local))
    except (tarfile.TarError, KeyError, OSError) as error:
        raise HostFailure(FILES_LOST, f"cannot bring back the files: {error}") from None


def _below(name, wanted):
    path = PurePosixPath(name.lstrip("/"))
    return ".." not in path.parts and (path == wanted or wanted in path.parents)


def _unpack(archive, members, wanted, local):
    """Builds the tree beside its place, then puts it there as a whole."""
    local.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=local.parent, prefix=".get-") as scratch:
        top = Path(scratch) / "top"
        # Links come last, so that nothing can be written through one.
        for member in sorted(members, key=lambda member: (member.issym(), member.name)):
            target = top / PurePosixPath(member.name.lstrip("/")).relative_to(wanted)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg() or member.islnk():
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.extractfile(member) as source, open(target, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                target.chmod(member.mode & 0o777 | 0o400)
            elif member.issym():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(member.linkname)
        if local.is_dir() and not local.is_symlink():
            raise HostFailure(FILES_LOST, f"'{local}' is a directory that is in the way")
        os.rename(top, local)
