#!/usr/bin/env python3
"""clang-tidy over the sources that this build compiles. argv: clang-tidy, the build directory.

Only in a build by clang, whose options clang-tidy knows.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tidy(clang_tidy, build, path):
    result = subprocess.run([clang_tidy, "-p", build, "--quiet", path], check=False, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return path, result.returncode, result.stdout


def main(clang_tidy, build):
    commands = json.loads((Path(build) / "compile_commands.json").read_text())
    paths = {os.path.realpath(Path(entry["directory"]) / entry["file"]) for entry in commands}
    paths = sorted(path for path in paths if path.startswith(str(ROOT / "src")))
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, output in pool.map(lambda path: tidy(clang_tidy, build, path), paths):
            if status:
                print(output)
                failed += 1
    print(f"{len(paths)} files, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
