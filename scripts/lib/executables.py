"""Finds what a program needs beside itself: its interpreter and shared libraries.

ldd tells for this machine's own programs; for those of another architecture their headers do, and
the directories where Debian has the libraries of a foreign architecture.
"""

import os
import re
import struct
import subprocess
from pathlib import Path

# ELF's number of a machine: where Debian has its libraries.
TRIPLETS = {62: "x86_64-linux-gnu", 183: "aarch64-linux-gnu"}


class MissingLibrary(Exception):
    pass


def shared_libraries(program):
    """The absolute paths of all that the program loads at its start; none for a static one."""
    triplet = _triplet(program)
    if triplet and not triplet.startswith(os.uname().machine):
        return _foreign_libraries(program, triplet)
    result = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        if "not a dynamic executable" in result.stderr + result.stdout:
            return []
        raise MissingLibrary(f"ldd {program}: {result.stderr.strip()}")
    if "statically linked" in result.stdout:
        return []
    libraries = []
    for line in result.stdout.splitlines():
        if "not found" in line:
            raise MissingLibrary(f"'{program}' needs {line.split()[0]}, which is not installed")
        match = re.search(r"(?:=>\s*)?(/\S+)\s+\(0x", line)
        if match:
            libraries.append(match.group(1))
    return libraries


def _triplet(program):
    with open(program, "rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    return TRIPLETS.get(struct.unpack_from("<H", head, 18)[0])


def _dynamic_section(program):
    """The program's interpreter, if any, and the names of the libraries it needs."""
    output = subprocess.run(["readelf", "-ld", program], capture_output=True, text=True,
                            env={**os.environ, "LC_ALL": "C"}, check=True).stdout
    interpreter = re.search(r"\[Requesting program interpreter: (\S+)\]", output)
    return (interpreter.group(1) if interpreter else None,
            re.findall(r"\(NEEDED\).*\[(\S+)\]", output))


def _foreign_libraries(program, triplet):
    interpreter, names = _dynamic_section(program)
    found = {interpreter: interpreter} if interpreter else {}
    while names:
        name = names.pop()
        if name in found or name == os.path.basename(interpreter or ""):
            continue
        for directory in (f"/lib/{triplet}", f"/usr/lib/{triplet}"):
            path = Path(directory) / name
            if path.exists():
                found[name] = str(path)
                names += _dynamic_section(path)[1]
                break
        else:
            raise MissingLibrary(f"'{program}' needs {name}, which is not installed")
    return list(found.values())
