#!/bin/sh
# Good or bad, for git bisect in a tree of Linux: builds the kernel, boots it, and runs the test in a
# guest.
#
#	git bisect start BAD GOOD
#	git bisect run path/to/bisect.sh test.sh
#
# The test is a script that runs in the guest, in the file system of ROOT, an image; it ends with 0
# for good. KERNEL names a kernel that is built already.
# What says nothing about the test (the build fails, Hull does) is skipped: 125.
set -u

test=$1
hull=${HULL_BINARY:-hull}
kernel=${KERNEL:-}

if [ -z "$kernel" ]; then
	[ -e .config ] || make defconfig kvm_guest.config >/dev/null || exit 125
	make -s olddefconfig && kernel=$(make -s image_name) || exit 125
	make -s -j"$(nproc)" "${kernel##*/}" || exit 125
fi
"$hull" run -k "$kernel" ${ROOT:+--root "$ROOT"} --timeout "${SECONDS_MAX:-300}s" --script "$test"
status=$?
case $status in
0) exit 0 ;;
# The host's or Hull's: an option, a file, KVM.
116 | 117 | 118 | 123 | 125) exit 125 ;;
# Panics, hangs and reboots are as bad as a failure.
*) exit 1 ;;
esac
