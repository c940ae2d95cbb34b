# Sourced by the cases of test_linux_disk.py. $DISKS has the disks that the host was given;
# "scratch" is a file system, on which direct I/O and holes are possible.
# shellcheck shell=sh disable=SC2034,SC2086
LIMIT=600s
losetup=$(which losetup) # busybox prefers its own, which knows no blocks

if [ -b "$DISKS/scratch" ]; then
	scratch=/scratch
	[ -d $scratch ] || { mkdir $scratch && mount -t ext4 "$DISKS/scratch" $scratch; } || exit 1
else
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
fi

# loop_device FILE BLOCK_BYTES: prints the device made of it; who may not make one gets the file.
loop_device()
{
	"$losetup" -f --show -b "$2" "$1" 2>/dev/null || echo "$1"
}

# make_disks: the files and block devices behind the options $disks.
make_disks()
{
	directory=$(mktemp -d $scratch/case.XXXXXX)
	for disk in plain:128 direct:64 through:64 fixed:8 base:64 blocks4k:32 records:64; do
		truncate -s "${disk#*:}M" $directory/${disk%:*}
	done
	through=$(loop_device $directory/through 512)
	blocks4k=$(loop_device $directory/blocks4k 4096)
	disks="-d $DISKS/tools,ro,serial=tools -d $directory/plain,serial=plain
		-d $directory/direct,direct,serial=direct
		-d $through,cache=writethrough,queues=1,serial=through
		-d $directory/fixed,ro,serial=fixed -d $directory/base,ephemeral,serial=ephemeral
		-d $blocks4k,direct,serial=blocks4k -d $directory/records,serial=records"
}

# make_many: small read-only disks, the options $many, as many as PCI has places for with those of
# make_disks; each begins with its serial number.
make_many()
{
	many=
	for number in $(seq 23); do
		file=$directory/many$number
		echo "many$number" >$file
		truncate -s 1M $file
		many="$many -d $file,ro,queues=1,serial=many$number"
	done
}

# block_bytes DISK: of what the case made as a disk.
block_bytes()
{
	blockdev --getss "$1" 2>/dev/null || echo 512
}

# start_guest TESTS OPTION...: starts a guest with these disks, for which make_disks was called, and
# waits until it begins to write its records.
start_guest()
{
	tests=$1
	shift
	start -k $FILES/kernel -i $FILES/initrd -m 512M $disks -p disk_test=$tests "$@"
	wait_for '^disk-writer: ack'
	for test in $(echo $tests | tr , ' '); do
		case $test in
		write_*) ;;
		*) expect "done $test" ;;
		esac
	done
	! grep -E '^guest: warning .*(blk_update|I/O error|virtio)' "$log" || fail "a warning"
	grep '^guest: ' "$log" | grep -v lsblk
}

# kill_and_check: nothing that the guest saw acknowledged is lost.
kill_and_check()
{
	kill_hull
	"$FILES/disk_records" check "$log" $directory/records || fail "records are lost"
	[ -z "$(tr -d '\0' <$directory/base | head -c 1)" ] || fail "the base was written to"
	for device in $through $blocks4k; do [ ! -b $device ] || "$losetup" -d $device; done
	rm -r $directory
}

# writer DISK OPTION...: one more VM, with a guest that writes four records and ends hull with 33.
writer()
{
	"$HULL" run --timeout 200s -k $FILES/disk-writer -d "$@" --debug-exit -p count=4 \
		>"$log.writer" 2>&1 </dev/null
}

# refused DISK: no VM may use it now.
refused()
{
	writer "$1" && fail "a second VM used $1"
	grep -q 'in use by somebody' "$log.writer" || fail "no reason: $(cat "$log.writer")"
}
