#!/usr/bin/env python3
"""The ACPI tables before iasl's eyes: check_acpi_tables.py DUMP_TABLES

Disassembles every table of every test board, compiles the result again and fails on any warning or
error. A data table must come back byte for byte. Skipped (77) without iasl.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# How iasl complains; its summary ("0 Errors, 0 Warnings") has the plural.
COMPLAINT = re.compile(r"(?i)\b(error|warning|invalid|incorrect|should be)\b")


def run(directory, *command):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=60)
    return done.returncode, done.stdout


def complaints(text):
    return [line for line in text.splitlines() if COMPLAINT.search(line)]


def without_compiler(table):
    """A table without the creator, which iasl sets to itself, and the checksum that follows."""
    if table[:4] == b"FACS":
        return table
    return table[:9] + table[10:28] + table[36:]


def check_table(table):
    """Returns what is wrong with one dumped table."""
    directory, name = table.parent, table.stem
    code, output = run(directory, "iasl", "-d", table.name)
    found = complaints(output)
    source = directory / f"{name}.dsl"
    if code or not source.exists():
        return found + [f"iasl -d: status {code}\n{output}"]
    found += complaints(source.read_text())  # as comments
    code, output = run(directory, "iasl", "-we", "-p", f"{name}-again", source.name)
    found += complaints(output)
    if code:
        found.append(f"iasl -we: status {code}\n{output}")
    elif name != "DSDT":
        again = (directory / f"{name}-again.aml").read_bytes()
        if without_compiler(again) != without_compiler(table.read_bytes()):
            found.append("does not come back byte for byte")
    return found


def main():
    if not shutil.which("iasl"):
        print("skipped: iasl is not installed (package acpica-tools)")
        return 77
    with tempfile.TemporaryDirectory(prefix="hull-acpi-") as directory:
        subprocess.run([sys.argv[1], directory], check=True)
        tables = sorted(pathlib.Path(directory).glob("*/*.dat"))
        if len(tables) < 20:
            print(f"only {len(tables)} tables were dumped")
            return 1
        failed = False
        for table in tables:
            for line in check_table(table):
                failed = True
                print(f"{table.parent.name}/{table.stem}: {line}")
        print(f"{len(tables)} tables checked")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
