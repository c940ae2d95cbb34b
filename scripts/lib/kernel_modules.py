"""Picks kernel modules with all they need out of a directory like /lib/modules/VERSION.

Debian's packages have no modules.dep: it is made where a kernel is installed. So each module's own
.modinfo section is read, where the kernel's build put its dependencies (Linux scripts/mod/modpost.c).
"""

import lzma
import re
import subprocess
from pathlib import Path


class ModuleError(Exception):
    pass


def _canonical(name):
    return name.replace("-", "_")


class Modules:
    def __init__(self, directory):
        self._directory = Path(directory)
        self._paths = {}
        for path in self._directory.rglob("*.ko*"):
            self._paths[_canonical(path.name.partition(".ko")[0])] = path
        builtin = self._directory / "modules.builtin"
        lines = builtin.read_text().splitlines() if builtin.exists() else []
        self._builtin = {_canonical(Path(line).stem) for line in lines}

    def with_dependencies(self, names):
        """[(file name, content)] in the order of loading, without what is built into the kernel."""
        ordered = {}
        for name in names:
            self._visit(_canonical(name), ordered, [])
        return [(f"{name}.ko", content) for name, content in ordered.items()]

    def _visit(self, name, ordered, path):
        if name in ordered or name in self._builtin:
            return
        if name in path:
            raise ModuleError(f"modules need each other in a circle: {' '.join(path)}")
        if name not in self._paths:
            raise ModuleError(f"'{self._directory}' has no module '{name}'")
        content = _read(self._paths[name])
        for dependency in _depends(content):
            self._visit(_canonical(dependency), ordered, [*path, name])
        ordered[name] = content


def _read(path):
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc"], input=content, capture_output=True, check=True).stdout
    return content


def _depends(content):
    match = re.search(rb"(?:^|\0)depends=([\w,-]*)\0", content)
    return match.group(1).decode().split(",") if match and match.group(1) else []
