# Sourced by the cases that compare a share with a directory beside it.
#
# Both are on one ext4 file system, $scratch/share; the programs are those of the image $ROOT.
# shellcheck source=tests/integration/linux/command_case.sh
. "$(dirname "$0")/command_case.sh"
ROOT=$DISKS/share-root
mkdir -p "$scratch/share" "$scratch/tools"
trap 'for path in tools/tmp tools/proc tools/dev tools share; do umount $scratch/$path; done
	rm -r $scratch' EXIT
mount -t ext4 "$DISKS/share-disk" "$scratch/share" || fail "the disk to share"
mount -t ext4 -o ro "$ROOT" "$scratch/tools" || fail "the disk with the tools"
mount --bind /dev "$scratch/tools/dev" || fail "/dev"
mount -t proc proc "$scratch/tools/proc" || fail "/proc"
mount -t tmpfs tmp "$scratch/tools/tmp" || fail "/tmp"
rm -rf "$scratch/share/host" "$scratch/share/guest"
mkdir "$scratch/share/host" "$scratch/share/guest"
work=$scratch/share/host

# A command with $work as /place.
on_host()
{
	mount --bind "$work" "$scratch/tools/place" || fail "/place"
	chroot "$scratch/tools" /bin/env PATH=/usr/bin:/bin "$@"
	on_host_status=$?
	umount "$scratch/tools/place"
	return $on_host_status
}

# in_guest STATUS WORD...: the same in a guest, with a directory beside it.
in_guest()
{
	wanted=$1
	shift
	# shellcheck disable=SC2086
	"$HULL" run --timeout 2000s $KERNEL --root "$ROOT" \
		--share "$scratch/share/guest:/place" -- "$@" >"$out" 2>"$errors" </dev/null
	status=$?
	[ $status = "$wanted" ] || report "status $status, not $wanted: $*"
}
