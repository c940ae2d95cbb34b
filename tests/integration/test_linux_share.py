#!/usr/bin/env python3
"""Shared directories with a stock kernel, compared with the host: a list of POSIX checks line by
line, and what people do with files (git, tar, make, sqlite).

On hardware KVM the cases run right here, as root; elsewhere in the emulated KVM host.
argv: --arch NAME for another architecture than this machine's, the hull program, the program posix_tool,
then names of cases (all of them by default).
HULL_TEST_SHARE_FILES says how many files the archive has (2000; 20000 for the whole of it).
"""

import io
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import NATIVE, Suite, fetched, put_modules, run, runs_here, take_target  # noqa: E402
from root import make_tree  # noqa: E402
import programs  # noqa: E402

FILES = int(os.environ.get("HULL_TEST_SHARE_FILES", "2000"))
HALF = 1
CASE_SECONDS = 900 + FILES // 10
PROGRAMS = ("git", "make", "gcc", "as", "ld", "ar", "sqlite3", "tar")
COMPILER_PROGRAMS = ("cc1", "collect2")
COMPILER_FILES = ("liblto_plugin.so", "crt1.o", "Scrt1.o", "crti.o", "crtn.o",
                  "crtbegin.o", "crtbeginS.o", "crtend.o", "crtendS.o", "libgcc.a", "libgcc_s.so",
                  "libgcc_s.so.1", "libc.so", "libc.so.6", "libc_nonshared.a")

# Checks whose lines differ by design: docs/share.md says why.
DIFFERENT = ("special-devices",)

CASES = {
    "share-posix": f"""
DIFFERENT="{' '.join(DIFFERENT)}"
""" + """
. $(dirname $0)/share_case.sh
on_host posix_tool /place /tmp >$scratch/host || fail "posix_tool on the host: $(cat $scratch/host)"
in_guest 0 posix_tool /place /tmp
echo "$(wc -l <$scratch/host) checks"
# What differs by design is what docs/share.md says; each line of it must differ.
for name in $DIFFERENT; do
	grep "^$name:" $scratch/host >$scratch/line
	! grep -qxF -f $scratch/line $out || report "$name does not differ any more"
done
pattern="^($(echo $DIFFERENT | tr ' ' '|')):"
grep -vE "$pattern" $scratch/host >$scratch/host-same
grep -vE "$pattern" $out >$scratch/guest-same
diff $scratch/host-same $scratch/guest-same || fail "the share differs"
""",
    "share-builds": """
. $(dirname $0)/share_case.sh
on_host share-work /place /srv >$scratch/host || fail "on the host: $(cat $scratch/host)"
in_guest 0 share-work /place /srv
cat $errors
diff $scratch/host $out || fail "the share differs"
# What the guest has left is what the host has.
for tree in tree clone project second; do
	on_host /usr/bin/tar --sort=name --exclude=.git --mtime=@0 -C /place/$tree -cf - . | sha256sum
done >$scratch/host
work=$scratch/share/guest
for tree in tree clone project second; do
	on_host /usr/bin/tar --sort=name --exclude=.git --mtime=@0 -C /place/$tree -cf - . | sha256sum
done >$scratch/guest
cmp $scratch/host $scratch/guest || fail "the host sees something else than the guest"
""",
}


def put(tree, path, place):
    """A file into the tree, under the name that it has on the machine that it is for."""
    place = tree / str(place).lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, place)


def put_program(tree, path, place):
    """With the libraries that it needs."""
    put(tree, path, place)
    for place_of_needed, needed in programs.shared_libraries(path).items():
        put(tree, needed, place_of_needed)


def native_compiler():
    """{place: file} of what the compiler uses, and the headers of a program that prints."""
    gcc = NATIVE.program("gcc")
    found = [run(gcc, f"-print-{'prog' if name in COMPILER_PROGRAMS else 'file'}-name={name}")
             for name in (*COMPILER_PROGRAMS, *COMPILER_FILES)]
    found += re.findall(r"/\S+\.h", run(gcc, "-M", "-xc", "-", input="#include <stdio.h>\n"))
    return {os.path.normpath(path): path for path in found}


def foreign_compiler(target):
    """The same out of the unpacked packages, whose compiler cannot be asked; with all headers."""
    tree = programs.tree(target.debian)
    triplet = programs.TRIPLETS[target.debian]
    places = [tree / "usr/lib/gcc" / triplet, tree / "usr/lib" / triplet, tree / "lib" / triplet]
    found = [next(path for place in places for path in place.rglob(name))
             for name in (*COMPILER_PROGRAMS, *COMPILER_FILES)]
    for headers in (tree / "usr/lib/gcc", tree / "usr/include"):
        found += [path for path in headers.rglob("*.h") if path.is_file()]
    return {path.relative_to(tree): path for path in found}


def put_compiler(tree, target):
    files = native_compiler() if target.is_native else foreign_compiler(target)
    for place, path in files.items():
        add = put_program if os.path.basename(path) in COMPILER_PROGRAMS else put
        add(tree, path, place)
    for name in ("as", "ld", "ar", "gcc"):
        put_program(tree, Path(target.program(name)).resolve(), f"/usr/bin/{name}")


def make_archive(path):
    """Some FILES files of all sizes and modes, and links, in directories of a hundred."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for index in range(FILES):
            member = tarfile.TarInfo(f"{index // 100:02}/file-{index}")
            member.mtime = 1_000_000_000 + index
            content = (f"{index} " * (index % 97 * (40 if index % 50 == 0 else 1))).encode()
            if index % 100 == 0:
                directory = tarfile.TarInfo(f"{index // 100:02}")
                directory.type, directory.mode, directory.mtime = tarfile.DIRTYPE, 0o755, 1
                archive.addfile(directory)
            if index % 20 == 7:
                member.type, member.linkname = tarfile.SYMTYPE, f"file-{index - 1}"
            elif index % 20 == 9:
                member.type, member.linkname = tarfile.LNKTYPE, f"{index // 100:02}/file-{index - 1}"
            else:
                member.size, member.mode = len(content), (0o644, 0o600, 0o755, 0o444)[index % 4]
            archive.addfile(member, io.BytesIO(content))


def make_repository(path):
    """Thirty commits on two branches, of files that change."""
    stream = []
    for commit in range(30):
        branch = "main" if commit % 5 else "side"
        stream.append(f"commit refs/heads/{branch}\ncommitter test <test@test.invalid> "
                      f"{1_000_000_000 + commit} +0000\ndata 7\nchange\n")
        for index in range(10):
            content = "".join(f"{line} {commit % (line + 1)}\n" for line in range(index * 20))
            stream.append(f"M 100644 inline {index % 3}/file-{index}-{commit % 4}\n"
                          f"data {len(content)}\n{content}\n")
    run("git", "init", "-q", "--bare", "-b", "main", path)
    run("git", "-C", path, "fast-import", "--quiet", input="".join(stream))


def make_root(image, scratch, target, posix_tool):
    tree = scratch / "share-root"
    make_tree(tree, target, ("place", "srv"), PROGRAMS)
    put_compiler(tree, target)
    for name in ("git", "make", "sqlite3", "tar"):
        put_program(tree, Path(target.program(name)).resolve(), f"/usr/bin/{name}")
    core = run("git", "--exec-path").lstrip("/")
    (tree / core).mkdir(parents=True)
    for name in ("git", "git-upload-pack"):
        (tree / core / name).symlink_to("/usr/bin/git")
    put_program(tree, posix_tool, "/bin/posix_tool")
    shutil.copy(HERE / "linux/share-work", tree / "bin")
    make_archive(tree / "srv/files.tar")
    make_repository(tree / "srv/repo")
    run(NATIVE.program("mke2fs"), "-q", "-F", "-t", "ext4", "-d", tree, image, "256M")
    shutil.rmtree(tree)


def prepare(files, disks, target, posix_tool):
    found = fetched("6.1-cloud", target.debian)
    shutil.copy(found["kernel"], files / "kernel")
    put_modules(found["modules"], files / "modules")
    make_root(disks / "share-root", files, target, posix_tool)
    run(NATIVE.program("mke2fs"), "-q", "-F", "-t", "ext4", "-N", str(20_000 + 4 * FILES),
        disks / "share-disk", "1G")


def main(*arguments):
    target, (hull, posix_tool, *wanted) = take_target(arguments)
    if runs_here(target) and os.geteuid() != 0:
        print("SKIP: mounting the file systems to compare needs root")
        return 77
    return Suite(hull, CASES, HALF, wanted, (), ("ext4",), case_seconds=CASE_SECONDS,
                 target=target).run(
        lambda files, disks: prepare(files, disks, target, posix_tool))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
