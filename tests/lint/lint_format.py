#!/usr/bin/env python3
"""Every C file is as clang-format leaves it. argv: the clang-format to use."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(clang_format):
    paths = [str(p) for folder in ("include", "src", "tests", "bench", "guest-firmware")
             for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    result = subprocess.run([clang_format, "--dry-run", "--Werror", *paths], check=False)
    print(f"{len(paths)} files")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
