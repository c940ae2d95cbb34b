#!/usr/bin/env python3
"""The SMBIOS tables before dmidecode's eyes: check_smbios_tables.py DUMP_TABLES

Fails when dmidecode complains about the tables of a test board or does not read from them what the
board says. Skipped (77) without dmidecode.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

COMPLAINT = re.compile(r"(?i)invalid|broken|wrong|truncat|out of spec|bad index|fail|error(?!s)")
HARMLESS = re.compile(r"Error (Correction Type: None|Information Handle: Not Provided)")
UUID = "00112233-4455-4677-8899-aabbccddeeff"

# board: CPUs, "Size" of the memory device, ends of the mapped ranges, serial number
EXPECTED = {
    "bare": (1, "512 MB", [0x1FFFFFFF], "Not Specified"),
    "small": (1, "32 MB", [0x1FFFFFF], "Not Specified"),
    "pci": (4, "4 GB", [0xBFFFFFFF, 0x13FFFFFFF], "web-1"),
    "large": (300, "64 GB", [0xBFFFFFFF, 0x103FFFFFFF], "web-1"),
    "huge": (1024, "16 TB", [0xBFFFFFFF, 0x10003FFFFFFF], "web-1"),
}


# Not in the PATH of ordinary users everywhere.
DMIDECODE = shutil.which("dmidecode", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def decode(dump, *options):
    done = subprocess.run([DMIDECODE, "--from-dump", str(dump), *options], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    if done.returncode:
        raise RuntimeError(f"dmidecode: status {done.returncode}: {done.stdout}")
    return done.stdout


def values(text, name):
    return re.findall(rf"^\s*{name}: (.*)$", text, re.MULTILINE)


def check_dump(dump, board):
    """Returns what is wrong with one dump."""
    cpus, size, ends, serial = EXPECTED[board]
    text = decode(dump)
    found = [line for line in text.splitlines() if COMPLAINT.search(line)
             and not HARMLESS.search(line)]
    # Extended addresses come with a wrong "k" from some versions.
    actual_ends = [int(end.rstrip("k"), 16) for end in values(text, "Ending Address")]
    if actual_ends != ends:
        found.append(f"Ending Address: {actual_ends} instead of {ends}")
    wanted = [("Core Count", [str(cpus)]), ("Thread Count", [str(cpus)]), ("Size", [size]),
              ("UUID", [UUID])]
    for name, expected in wanted:
        if values(text, name) != expected:
            found.append(f"{name}: {values(text, name)} instead of {expected}")
    for keyword, expected in (("system-uuid", UUID), ("system-serial-number", serial),
                              ("system-manufacturer", "Hull"), ("bios-vendor", "Hull")):
        actual = decode(dump, "-s", keyword).strip()
        if actual != expected:
            found.append(f"{keyword}: {actual!r} instead of {expected!r}")
    return found


def main():
    if not DMIDECODE:
        print("skipped: dmidecode is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="hull-smbios-") as directory:
        subprocess.run([sys.argv[1], directory], check=True)
        failed = False
        for board in EXPECTED:
            for line in check_dump(pathlib.Path(directory) / board / "smbios.bin", board):
                failed = True
                print(f"{board}: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
