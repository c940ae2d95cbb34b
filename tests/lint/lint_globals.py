#!/usr/bin/env python3
"""No writable globals: looks at the symbols of the built libraries with objdump."""

import subprocess
import sys

# Symbol -> reason.
ALLOWED = {
    "log_level": "the log sink is the program's one shared state",
    "terminal_of_process": "the handler of a fatal signal restores the terminal",
}


# Read-only once relocated: tables of pointers.
RELOCATED = ".data.rel.ro"


def sections(archive):
    """{symbol: sections it is defined in}, over all members of the archive."""
    table = subprocess.run(["objdump", "-t", archive], capture_output=True, text=True, check=True)
    found = {}
    for line in table.stdout.splitlines():
        # VALUE FLAGS SECTION <tab> SIZE [.hidden] NAME
        before, tab, after = line.partition("\t")
        if tab:
            found.setdefault(after.split()[-1], set()).add(before.split()[-1])
    return found


def main(archives):
    found = 0
    for archive in archives:
        for symbol, places in sorted(sections(archive).items()):
            writable = {place for place in places
                        if place.startswith((".data", ".bss", ".tdata", ".tbss", "*COM*"))
                        and not place.startswith(RELOCATED)}
            if symbol.startswith(".") or not writable or symbol.split(".")[0] in ALLOWED:
                continue
            print(f"{archive}: writable global {symbol} in {', '.join(sorted(writable))}")
            found += 1
    print(f"{len(archives)} libraries, {found} writable globals")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
