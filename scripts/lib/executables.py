"""Finds what a program needs beside itself: its interpreter and shared libraries, by ldd."""

import re
import subprocess


class MissingLibrary(Exception):
    pass


def shared_libraries(program):
    """The absolute paths of all that the program loads at its start; none for a static one."""
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
