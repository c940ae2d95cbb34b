#!/bin/sh
# Boots a kernel and looks for words on its console; with ROOT, runs a command in a guest as well.
#
# usage: KERNEL=/boot/vmlinuz [ROOT=image] boot.sh
set -eu

hull=${HULL_BINARY:-hull}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
"$hull" run -k "${KERNEL:-/boot/vmlinuz}" -m 512M -p 'panic=-1' --timeout "${SECONDS_MAX:-120}s" \
	--console file="$log" || status=$?
case $status in
# Without a root file system a kernel panics in the end.
0 | 121) ;;
*)
	echo "boot.sh: status $status" >&2
	tail -n 20 "$log" >&2
	exit 1
	;;
esac
grep -Eq "${EXPECT:-Linux version [0-9.]+}" "$log"
if [ -n "${ROOT:-}" ]; then
	[ "$("$hull" run -k "${KERNEL:-/boot/vmlinuz}" --root "$ROOT" -- uname -s)" = Linux ]
fi
echo "boot.sh: the kernel boots"
