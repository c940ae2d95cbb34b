#!/usr/bin/env python3
"""The device trees before dtc's eyes: check_device_tree.py TREE..., which dump_tree has made.

Takes each apart, with dtc's checks; fails on any word of warning. Skipped (77) without dtc.
"""
import shutil
import subprocess
import sys


def check_tree(path):
    """Returns what is wrong with one tree."""
    done = subprocess.run(["dtc", "-I", "dtb", "-O", "dts", path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    if done.returncode == 0 and not done.stderr:
        return ""
    return f"{path}: {done.stderr or f'dtc ended with {done.returncode}'}"


def main(*names):
    if not shutil.which("dtc"):
        print("SKIP: no dtc (device-tree-compiler)")
        return 77
    found = [wrong for name in names if (wrong := check_tree(name))]
    for wrong in found:
        print(wrong)
    print(f"{len(names)} trees, {len(found)} with complaints")
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
