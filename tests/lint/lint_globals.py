#!/usr/bin/env python3
"""No writable globals: looks at the symbols of the built libraries with nm."""

import subprocess
import sys

# Symbol -> reason.
ALLOWED = {
    "log_level": "the log sink is the program's one shared state",
}


def main(archives):
    found = 0
    for archive in archives:
        listing = subprocess.run(["nm", "-A", archive], capture_output=True, text=True, check=True)
        for line in listing.stdout.splitlines():
            fields = line.rsplit(maxsplit=2)
            if len(fields) < 3 or fields[1] not in "dDbBcC":
                continue
            symbol = fields[2]
            # .data.rel.ro is read-only after relocation; nm calls it d: look at the section.
            if symbol.split(".")[0] in ALLOWED or is_relro(archive, symbol):
                continue
            print(f"{fields[0].split(':')[-2] if ':' in fields[0] else archive}: "
                  f"writable global {symbol}")
            found += 1
    print(f"{len(archives)} libraries, {found} writable globals")
    return 1 if found else 0


def is_relro(archive, symbol):
    table = subprocess.run(["objdump", "-t", archive], capture_output=True, text=True, check=True)
    sections = [line.split()[-3] for line in table.stdout.splitlines()
                if line.split() and line.split()[-1] == symbol and len(line.split()) >= 4]
    return bool(sections) and all(".data.rel.ro" in s or s.startswith(".rodata") for s in sections)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
