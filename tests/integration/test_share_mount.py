#!/usr/bin/env python3
"""A share served to this machine's own kernel, compared with the directory that it is: the checks
and the work of test_linux_share.py without a guest, in seconds. Needs root and /dev/fuse.

argv: the programs share_mount and posix_tool.
HULL_TEST_SHARE_FILES says how many files the archive has (2000; 20000 for the whole of it).
"""

import difflib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("HULL_TEST_SHARE_FILES", "2000")

import test_linux_share as linux  # noqa: E402

DESCRIPTORS = 1024  # fewer than there are files: nodes are parked
START_SECONDS = 60


def output(*command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                          text=True, errors="replace").stdout


def different_lines(host, share, left_out):
    """Pairs of lines that differ but should not, and names of those that should but do not."""
    pairs = list(zip(host.splitlines(), share.splitlines(), strict=True))
    names = [line.partition(":")[0] for line, _ in pairs]
    return ([pair for name, pair in zip(names, pairs) if pair[0] != pair[1] and name not in left_out],
            [name for name, pair in zip(names, pairs) if pair[0] == pair[1] and name in left_out])


def compare(posix_tool, host, share, files):
    differ, same = different_lines(output(posix_tool, host, "/dev/shm"),
                                   output(posix_tool, share, "/dev/shm"), linux.DIFFERENT)
    for one, other in differ:
        print(f"not ok host:  {one}\nnot ok share: {other}")
    for name in same:
        print(f"not ok {name} does not differ any more")
    linux.make_archive(files / "files.tar")
    linux.make_repository(files / "repo")
    work = ("busybox", "sh", HERE / "linux/share-work")
    on_host, in_share = output(*work, host, files), output(*work, share, files)
    if on_host != in_share:
        print("not ok", *difflib.unified_diff(on_host.splitlines(), in_share.splitlines(), "host",
                                              "share", lineterm=""), sep="\n")
    return 1 if differ or same or on_host != in_share else 0


def main(share_mount, posix_tool):
    with tempfile.TemporaryDirectory(prefix="hull-share-") as scratch:
        host, shared, mounted, files = (Path(scratch) / name for name in
                                        ("host", "shared", "mounted", "files"))
        for path in (host, shared, mounted, files):
            path.mkdir()
        server = subprocess.Popen(
            ["prlimit", f"--nofile={DESCRIPTORS}", share_mount, shared, mounted],
            stdout=subprocess.PIPE, text=True)
        said = server.stdout.readline()
        if said != "ready\n":
            print(said)
            return server.wait(START_SECONDS)
        started = time.monotonic()
        try:
            status = compare(posix_tool, host, mounted, files)
        finally:
            subprocess.run(["umount", mounted], check=True)
        print(f"{time.monotonic() - started:.0f} s")
        return status or server.wait(START_SECONDS)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
