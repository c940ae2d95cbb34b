#!/usr/bin/env python3
"""Linux's own drivers use Hull's disks: fio with verification, a file system, discard, properties.

On hardware KVM the cases run right here; elsewhere in the emulated KVM host.
argv: the hull program, then names of cases (all of them by default).
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import Suite, put_guest  # noqa: E402

HALF = 3
MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng", "ext4")
PROGRAMS = ("fio", "mke2fs", "e2fsck", "blkdiscard", "fstrim", "blockdev")

# boot_disk WORDS OPTION...: a guest with a scratch disk vda and a read-only disk vdb.
PRELUDE = """
LIMIT=500s
boot_disk()
{
	tests=$1
	options=$2
	shift 2
	disk=/tmp/disk.$$
	dd if=/dev/zero of=$disk bs=1M count=0 seek=128 2>/dev/null
	dd if=/dev/zero of=$disk.ro bs=1M count=0 seek=8 2>/dev/null
	boot 0 -k $FILES/kernel -i $FILES/initrd -m 512M -c 2 -d $disk,serial=scratch$options \\
		-d $disk.ro,ro,serial=fixed -p disk_test=$tests "$@"
	! grep 'guest: FAIL' "$log" || fail "the guest found something wrong"
	for test in $(echo $tests | tr , ' '); do expect done $test; done
	! grep '^guest: warning .*\\(blk_update\\|I/O error\\|virtio\\)' "$log" || fail "a warning"
	grep '^guest: ' "$log"
	rm $disk $disk.ro
}
"""

CASES = {
    "pci-fio": """
boot_disk fio_matrix "" --transport pci
expect driver virtio_blk; expect transport pci0
""",
    "pci-threads-fio": 'boot_disk fio_matrix "" --io-engine threads',
    "pci-properties-filesystem": """
boot_disk properties,filesystem ""
expect "vda bytes 134217728 ro 0 serial scratch logical 512 cache write back discard [1-9][0-9]*"
expect "vdb bytes 8388608 ro 1 serial fixed .*"
! grep 'wrote to the read-only disk' "$log" || fail "it could be written to"
""",
    "mmio-fio": """
boot_disk fio_matrix "" --transport mmio
expect driver virtio_blk; expect transport LNRO0005
""",
    "ports-and-rng": """
truncate -s 1M /tmp/small.$$
echo "hello guest" | "$HULL" run --timeout 300s -k $FILES/kernel -i $FILES/initrd -m 512M -c 2 \\
	--console file=$log --port test=stdio --hvc file=/tmp/hvc.$$ --rng -d /tmp/small.$$,ro \\
	-p "quiet disk_test=ports" >/tmp/port.$$ 2>/tmp/words.$$
status=$?
cat /tmp/words.$$ >>"$log"
[ $status = 0 ] || fail "exit status $status, not 0"
expect done ports; expect heard hello guest; expect "rng virtio_rng.0 64"
[ "$(head -n 1 /tmp/port.$$)" = "hello host" ] || fail "the port did not say hello"
sum=$(tail -c +12 /tmp/port.$$ | md5sum | cut -c1-32)
expect sent $sum
grep -q '^to hvc0' /tmp/hvc.$$ || fail "hvc0 said nothing"
""",
    "ephemeral-filesystem": """
boot_disk filesystem ,ephemeral
""",
    "writethrough-filesystem": """
boot_disk filesystem ,cache=writethrough --transport mmio --io-engine threads
""",
}


def prepare(files):
    options = ["--with-libs"]
    for program in PROGRAMS:
        path = shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin")
        options += ["--add", f"{path}:/usr/bin/{program}"]
    put_guest(files, HERE / "linux/disk-guest", MODULES, *options)


def main(hull, *wanted):
    cases = {name: PRELUDE + body for name, body in CASES.items()}
    return Suite(hull, cases, HALF, wanted).run(prepare)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
