#!/usr/bin/env python3
"""Writes a C source with the bytes of a file: embed.py INPUT OUTPUT. An empty INPUT: no bytes."""

import sys
from pathlib import Path


def main(source, target):
    content = Path(source).read_bytes() if source else b""
    rows = [", ".join(str(byte) for byte in content[at:at + 16])
            for at in range(0, len(content), 16)]
    body = ",\n\t".join(rows) if rows else "0"
    Path(target).write_text('#include "guest_init.h"\n\n'
                            f"const unsigned char guest_init[] = {{\n\t{body}}};\n"
                            f"const size_t guest_init_bytes = {len(content)};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
