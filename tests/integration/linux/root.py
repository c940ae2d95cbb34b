"""Root file systems for the guests of the integration tests."""

import shutil

from harness import NATIVE, run

DIRECTORIES = ("bin", "sbin", "etc", "root", "usr/bin", "usr/sbin", "proc", "sys", "dev", "tmp",
               "run")


def make_tree(tree, target, directories=(), without=()):
    """A tree with a busybox under all of its names but some, and with more directories."""
    for directory in (*DIRECTORIES, *directories):
        (tree / directory).mkdir(parents=True)
    shutil.copy(target.program("busybox"), tree / "bin/busybox")
    # This machine's is of the same release, and can be asked.
    for applet in run(NATIVE.program("busybox"), "--list").split():
        if applet not in ("busybox", *without):
            (tree / "bin" / applet).symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
