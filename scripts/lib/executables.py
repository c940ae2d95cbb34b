"""Finds what a program needs beside itself: its interpreter and shared libraries.

ldd tells for this machine's own programs; for those of another architecture their headers do. Their
libraries are where Debian has those of a foreign architecture, or in a tree in which its packages
were unpacked.
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


def shared_libraries(program, root="/"):
    """{place: file} of all that the program loads at its start; nothing for a static one.

    root is the tree with the program and its libraries. place is an absolute path where a machine
    that runs the program may have the file."""
    triplet = triplet_of(program)
    if triplet and (str(root) != "/" or not triplet.startswith(os.uname().machine)):
        return _libraries_in(Path(root), program, triplet)
    result = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        if "not a dynamic executable" in result.stderr + result.stdout:
            return {}
        raise MissingLibrary(f"ldd {program}: {result.stderr.strip()}")
    if "statically linked" in result.stdout:
        return {}
    libraries = {}
    for line in result.stdout.splitlines():
        if "not found" in line:
            raise MissingLibrary(f"'{program}' needs {line.split()[0]}, which is not installed")
        match = re.search(r"(?:=>\s*)?(/\S+)\s+\(0x", line)
        if match:
            libraries[match.group(1)] = match.group(1)
    return libraries


def triplet_of(program):
    """Where Debian has the libraries of the program's architecture; None: it is no ELF program."""
    with open(program, "rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    return TRIPLETS.get(struct.unpack_from("<H", head, 18)[0])


def find_library(name, triplet, root="/", directories=()):
    """The file of a library in a tree; None: it is not there."""
    for directory in (*directories, f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib"):
        path = Path(root) / directory[1:] / name
        if path.exists():
            return str(path)
    return None


def _dynamic_section(program):
    """The program's interpreter, if any, the names of the libraries it needs and the directories
    that it names for them."""
    output = subprocess.run(["readelf", "-ld", program], capture_output=True, text=True,
                            env={**os.environ, "LC_ALL": "C"}, check=True).stdout
    interpreter = re.search(r"\[Requesting program interpreter: (\S+)\]", output)
    paths = re.search(r"\((?:RUNPATH|RPATH)\).*\[(\S+)\]", output)
    return (interpreter.group(1) if interpreter else None,
            re.findall(r"\(NEEDED\).*\[(\S+)\]", output),
            [path for path in paths.group(1).split(":") if path[0] == "/"] if paths else [])


def _libraries_in(root, program, triplet):
    interpreter, names, directories = _dynamic_section(program)
    loader = os.path.basename(interpreter or "")
    found = {}
    if interpreter:
        found[interpreter] = find_library(loader, triplet, root)
        if not found[interpreter]:
            raise MissingLibrary(f"'{program}' needs {interpreter}, which is not installed")
    while names:
        name = names.pop()
        # The first directory in which the loader looks, wherever a package has put the file.
        place = f"/lib/{triplet}/{name}"
        if place in found or name == loader:
            continue
        found[place] = find_library(name, triplet, root, directories)
        if not found[place]:
            raise MissingLibrary(f"'{program}' needs {name}, which is not installed")
        _, more_names, more_directories = _dynamic_section(found[place])
        names += more_names
        directories += more_directories
    return found
