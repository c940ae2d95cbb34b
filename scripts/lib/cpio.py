"""Writes the "newc" cpio archives that Linux unpacks as its first root file system.

Specification: Linux Documentation/driver-api/early-userspace/buffer-format.rst. Entries belong to
root and carry no time, so equal inputs give equal bytes; device nodes are only entries, so no
privilege is needed. Parent directories are added by themselves. Files are kept in memory: large
trees belong on a disk, not in an initrd.
"""

import os
import stat
from pathlib import Path


class Archive:
    def __init__(self):
        self._entries = {}

    def _put(self, path, mode, content=b"", device=(0, 0)):
        path = path.strip("/")
        parts = path.split("/")
        if not all(part not in ("", ".", "..") for part in parts):
            raise ValueError(f"'{path}' is no path for an archive")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            self._entries.setdefault(parent, (stat.S_IFDIR | 0o755, b"", (0, 0)))
        self._entries[path] = (mode, content, device)

    def add_directory(self, path, permissions=0o755):
        self._put(path, stat.S_IFDIR | permissions)

    def add_bytes(self, path, content, permissions=0o644):
        self._put(path, stat.S_IFREG | permissions, content)

    def add_symlink(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, os.fsencode(target))

    def add_character_device(self, path, major, minor, permissions=0o600):
        self._put(path, stat.S_IFCHR | permissions, device=(major, minor))

    def add_file(self, path, source):
        """Copies a file, symbolic link or whole directory of this machine."""
        source = Path(source)
        status = source.lstat()
        if stat.S_ISLNK(status.st_mode):
            self.add_symlink(path, os.readlink(source))
        elif stat.S_ISDIR(status.st_mode):
            self.add_directory(path, stat.S_IMODE(status.st_mode))
            for child in sorted(source.iterdir()):
                self.add_file(f"{path}/{child.name}", child)
        elif stat.S_ISREG(status.st_mode):
            self.add_bytes(path, source.read_bytes(), stat.S_IMODE(status.st_mode))
        else:
            raise ValueError(f"'{source}' is no file, link or directory")

    def write(self, stream):
        # A parent sorts before what is in it, as the kernel needs it.
        for number, (path, entry) in enumerate(sorted(self._entries.items()), start=1):
            mode, content, device = entry
            _write_entry(stream, path, number, mode, content, device)
        _write_entry(stream, "TRAILER!!!", 0, 0, b"", (0, 0))


def _write_entry(stream, path, number, mode, content, device):
    name = os.fsencode(path) + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(name), 0)
    if len(content) > 0xFFFFFFFF:
        raise ValueError(f"'{path}' is too large for an initrd")
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    for part in (header + name, content):
        stream.write(part)
        stream.write(bytes(-len(part) % 4))
