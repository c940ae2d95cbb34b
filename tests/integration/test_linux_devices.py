#!/usr/bin/env python3
"""Linux's own drivers find Hull's devices: many disks in order, a disk that changes its size, the
size of a terminal.

On hardware KVM the cases run right here; elsewhere in the emulated KVM host.
argv: --arch NAME for another architecture than this machine's, the hull program, then names of
cases (all of them by default).
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import Suite, put_guest, take_target  # noqa: E402

MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console")

# start OPTION...: runs hull in the background, its output in $log. told WORDS: waits for a line of
# the guest's. finish: the guest powers off.
PRELUDE = """
scratch=$(mktemp -d)
trap "rm -r $scratch" EXIT
cd $scratch

start()
{
	"$HULL" run --timeout 560s -k $FILES/kernel -i $FILES/initrd -m 512M "$@" >"$log" 2>&1 \\
		</dev/null &
	hull=$!
}

told()
{
	tries=5600
	until grep -q "^guest: $*" "$log"; do
		sleep 0.1
		tries=$((tries - 1))
		[ $tries -gt 0 ] && kill -0 $hull || fail "no line 'guest: $*'"
	done
}

finish()
{
	wait $hull || fail "exit status $?"
	! grep 'guest: FAIL' "$log" || fail "the guest found something wrong"
	! grep '^guest: warning .*virtio' "$log" || fail "a warning"
	grep '^guest: ' "$log"
}
"""

TERMINAL = """
start --hvc pty -p "quiet device_test=terminal" OPTIONS
told terminal
pty=$(sed -n "s/^hull: port 'hvc' is \\(.*\\)/\\1/p" "$log")
trap "" HUP # the pty becomes the terminal of whoever opens it
stty cols 132 rows 43 <$pty || fail "no size for $pty"
kill -WINCH $hull
told window 43 132
finish
"""

MANY_DISKS = """
number=0
set --
while [ $number -lt 120 ]; do
	truncate -s 64K disk$number
	set -- "$@" -d disk$number,serial=d$number
	number=$((number + 1))
done
start "$@" -p "quiet WORD device_test=many_disks"
finish
expect disks 120 in the wrong place 0
expect functions 30
expect lines LINES
"""

CASES = {
    # One CPU of a PC has not enough vectors for all of them: some of the four lines are in use.
    "many-disks": MANY_DISKS.replace("WORD ", "").replace("LINES", "$LINES_OF_MANY"),
    "many-disks-by-lines": MANY_DISKS.replace("WORD", "pci=nomsi").replace("LINES", "4"),
    "resize": """
truncate -s 64M disk
start -d disk -p "quiet device_test=resize"
told bytes 131072
truncate -s 96M disk
told grown 196608
truncate -s 32M disk
told done resize
expect read 512; expect shrunk 65536; expect read 0
grep -q 'guest: .vda. new size: 196608' "$log" || fail "Linux does not say so"
finish
""",
    "terminal": TERMINAL.replace("OPTIONS", ""),
    "terminal-with-ports": TERMINAL.replace("OPTIONS", "--port agent=null --transport mmio"),
}


def main(*arguments):
    target, (hull, *wanted) = take_target(arguments)
    cases = {name: PRELUDE + body for name, body in CASES.items()}
    half = len(cases) if target.is_native else 2
    return Suite(hull, cases, half, wanted, target=target).run(
        lambda files, _: put_guest(files, HERE / "linux/device-guest", MODULES, target=target))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
