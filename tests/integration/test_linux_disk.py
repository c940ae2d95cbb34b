#!/usr/bin/env python3
"""Linux uses Hull's disks: its drivers under fio with verification, file systems, the tools that look
at disks, a Debian system. Nearly every VM is killed in the end, and what its guest saw
acknowledged must be in the image.

On hardware KVM the cases run right here; elsewhere in the emulated KVM host.
argv: --arch NAME for another architecture than this machine's, the hull program, the directory of
the freestanding guests, the program disk_records, then names of cases (all of them by default).
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import NATIVE, ROOT, Suite, put_guest, run, take_target  # noqa: E402
import programs  # noqa: E402

GUEST_MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng", "ext4")
GUEST_PROGRAMS = ("fio", "mke2fs", "e2fsck", "blkdiscard", "fstrim", "blockdev", "lsblk")
HOST_PROGRAMS = ("losetup", "e2fsck")
HALF = 5
HOST_MODULES = ("ext4", "loop")

# Boots a system that scripts/make-debian-image made, and logs in.
DEBIAN = """
LIMIT=600s
# A machine that is busy with other things must not make systemd give up.
PATIENCE="systemd.default_timeout_start_sec=1200 systemd.service_watchdogs=no"
INPUT=/tmp/keys.$$
mkfifo $INPUT
boot_debian()
{
	start -k $FILES/debian-vmlinuz -i $FILES/debian-initrd -m 512M -d $DISKS/debian \\
		--append root=/dev/vda -p "systemd.show_status=false $PATIENCE" "$@"
	exec 5>$INPUT
	wait_for 'login:'
	echo root >&5
	wait_for 'root@debian:~#'
}
debian_ends()
{
	wait $hull
	status=$?
	exec 5>&-
	[ $status = 0 ] || fail "exit status $status, not 0"
	tr '\\r' '\\n' <"$log" | grep -qx running || fail "the system is degraded"
}
"""

CASES = {
    "pci-io_uring-fio": """
. $(dirname $0)/disk_case.sh
make_disks
start_guest fio_matrix,write_fsync -c 2 --io-engine io_uring
expect driver virtio_blk; expect transport pci0
expect "fio jobs 13, groups 13, queues of plain 2, of through 1"
refused $directory/plain; refused $directory/records,ro; refused $directory/plain,ephemeral
writer $directory/base,ephemeral
[ $? = 33 ] || fail "two VMs cannot share the base: $(cat "$log.writer")"
kill_and_check
""",
    "mmio-io_uring-ports": """
. $(dirname $0)/disk_case.sh
make_disks
INPUT=/tmp/input.$$
OUTPUT=/tmp/port.$$
echo "hello guest" >$INPUT
start_guest ports,filesystem_through,filesystem_ephemeral,write_dsync --transport mmio \\
	--console file=$log --port test=stdio --hvc file=/tmp/hvc.$$ --rng
expect heard hello guest; expect "rng virtio_rng.0 64"
[ "$(head -n 1 $OUTPUT)" = "hello host" ] || fail "the port did not say hello"
expect sent $(tail -c +12 $OUTPUT | md5sum | cut -c1-32)
grep -q '^to hvc0' /tmp/hvc.$$ || fail "hvc0 said nothing"
kill_and_check
""",
    "mmio-threads-fio": """
. $(dirname $0)/disk_case.sh
make_disks
start_guest fio_matrix,write_direct -c 2 --transport mmio --io-engine threads --io-threads 2
expect driver virtio_blk; expect transport $MMIO_DEVICE
expect "fio jobs 13, groups 13, queues of plain 2, of through 1"
kill_and_check
""",
    "pci-threads-tools": """
. $(dirname $0)/disk_case.sh
make_disks
make_many
start_guest properties,read_only,many,filesystem_plain,filesystem_direct,zeroes,write_fdatasync \\
	--io-engine threads $many
expect "plain bytes 134217728 ro 0 logical 512 .* cache write back discard [1-9].*"
expect "fixed bytes 8388608 ro 1 logical 512 .* discard 0 zeroes 0"
expect "through bytes 67108864 ro 0 .* cache write through .*"
expect "direct bytes 67108864 ro 0 .*"
expect "blocks4k bytes 33554432 ro 0 logical $(block_bytes $blocks4k) .*"
for word in RO=.0 SIZE=.134217728 DISC-GRAN=.4096 LOG-SEC=.512 TYPE=.disk; do
	expect "lsblk plain .* $word\\W.*"
done
for word in RO=.1 SIZE=.8388608 DISC-MAX=.0; do expect "lsblk fixed .* $word\\W.*"; done
expect "lsblk blocks4k .* LOG-SEC=.$(block_bytes $blocks4k)\\W.*"
expect "many disks 31"
# What was discarded takes no room any more: all but the inode's own.
[ "$(stat -c %b $directory/plain)" -lt 64 ] || fail "$(stat -c %b $directory/plain) blocks are left"
kill_and_check
""",
    "debian-4cpu": DEBIAN + """
boot_debian -c 4
echo 'echo "CPUs=$(nproc)"; systemctl is-system-running --wait; systemctl poweroff' >&5
debian_ends
grep -q 'CPUs=4' "$log" || fail "not four processors"
""",
    # Files are written after a login, hull is killed; then the same disk over the other transport and
    # engine, the files, a clean end.
    "debian": DEBIAN + """
boot_debian -c 1
cat >&5 <<'END'
i=0; echo; while :; do i=$((i + 1)); seq $i 9999 >f$i; sync f$i; echo "acknowledged $i"; done
END
wait_for '^acknowledged [0-9]' 5
kill_hull
exec 5>&-
last=$(sed -n 's/^acknowledged \\([0-9]*\\)\\r$/\\1/p' "$log" | tail -n 1)
echo "$last files are acknowledged"

boot_debian -c 1 --transport mmio --io-engine threads
cat >&5 <<END
echo; for i in \\$(seq $last); do seq \\$i 9999 | cmp - f\\$i && echo whole \\$i; done
dmesg | grep EXT4-fs
systemctl is-system-running --wait; systemctl --failed --no-legend; systemctl poweroff
END
debian_ends
[ "$(grep -c '^whole' "$log")" = "$last" ] || fail "not all of the $last files are there"
# By the kernel, or before it by the e2fsck of an initial RAM disk that has one.
grep -qE 'EXT4-fs \\(vda\\): recovery complete|: recovering journal' "$log" ||
	fail "the journal was not replayed"
e2fsck -fn $DISKS/debian || fail "e2fsck found something"
grep 'hull: ' "$log"
""",
}


def make_file_system(path, size, *options):
    run(NATIVE.program("mke2fs"), "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0",
        *options, path, size)


def make_tools(disk, scratch, disk_records, target):
    """A file system with the guest's programs and the libraries they need."""
    tree = scratch / "tools"
    for directory in ("lib", "lib64", "usr/bin"):
        (tree / directory).mkdir(parents=True)
    for path in [disk_records, *map(target.program, GUEST_PROGRAMS)]:
        shutil.copy(path, tree / "usr/bin")
        for place, library in programs.shared_libraries(path).items():
            copy = tree / place[1:]
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
    make_file_system(disk, "256M", "-d", tree)
    shutil.rmtree(tree)


def prepare(files, disks, firmware, disk_records, target):
    put_guest(files, HERE / "linux/disk-guest", GUEST_MODULES, target=target)
    for path in (disk_records, Path(firmware) / "disk-writer"):
        shutil.copy(path, files)
    make_tools(disks / "tools", files, disk_records, target)
    make_file_system(disks / "scratch", "2G")


def prepare_debian(files, disks, target):
    debian = Path(run(ROOT / "scripts/make-debian-image", "--arch", target.debian))
    for name in ("vmlinuz", "initrd"):
        shutil.copy(debian / name, files / f"debian-{name}")
    (disks / "debian").symlink_to(debian / "debian.img")


def main(*arguments):
    target, (hull, firmware, disk_records, *wanted) = take_target(arguments)

    def prepare_all(files, disks):
        prepare(files, disks, firmware, disk_records, target)
        if any(name.startswith("debian") for name in wanted or CASES):
            prepare_debian(files, disks, target)

    return Suite(hull, CASES, HALF, wanted, [target.program(name) for name in HOST_PROGRAMS],
                 HOST_MODULES, target=target).run(prepare_all)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
