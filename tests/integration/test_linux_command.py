#!/usr/bin/env python3
"""hull run -- COMMAND with a stock kernel: statuses, streams, terminals, surroundings, and guests
that end in the midst of it.

On hardware KVM the cases run right here; elsewhere in the emulated KVM host.
argv: --arch NAME for another architecture than this machine's, the hull program, the program vsock_tool,
libhull, the example boot_test, the programs serve_tool and default_signals, then names of cases (all
of them by default). HULL_TEST_VMS: how many VMs run at once.
"""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import NATIVE, ROOT, Suite, fetched, put_modules, run, take_target  # noqa: E402
from readme import example  # noqa: E402
from root import make_tree  # noqa: E402

HOST_PROGRAMS = ("script", "e2fsck")
VMS = int(os.environ.get("HULL_TEST_VMS", "6"))  # 20 take an emulated host ten minutes
CASE_SECONDS = max(300, 60 * VMS)  # of a minute or two
HALF = 6

CASES = {
    "statuses": """
. $(dirname $0)/command_case.sh
command 0 --root $ROOT -- true; silent
command 1 --root $ROOT -- false; silent
command 42 --root $ROOT -- sh -c 'echo out; echo err >&2; exit 42'
printed out; [ "$(cat $errors)" = err ] || report "standard error is not as it should be"
command 127 --root $ROOT -- no-such-program; said 'no-such-program: not found, in the guest'
command 126 --root $ROOT -- /etc/passwd; said 'Permission denied'
command 143 --root $ROOT -- sh -c 'kill $$'; silent
command 3 --root $ROOT -- /usr/bin/no-interpreter
""",
    "streams": """
. $(dirname $0)/command_case.sh
head -c 10485760 /dev/urandom >$scratch/random
INPUT=$scratch/random
command 0 --root $ROOT -- cat; silent
cmp $out $INPUT || report "10 MiB came back as something else"
cat $scratch/random | "$HULL" run --timeout 120s $KERNEL --root $ROOT -- md5sum >$out 2>$errors
printed "$(md5sum <$scratch/random)"
INPUT=/dev/null
# Nobody reads on: the command is told, as in a shell.
mkfifo $scratch/fifo
head -n 2 $scratch/fifo >$scratch/head &
"$HULL" run --timeout 120s $KERNEL --root $ROOT -- \\
	sh -c 'yes; echo "yes ended with $?" >&2' >$scratch/fifo 2>$errors
[ "$(wc -l <$scratch/head)" = 2 ] || fail "head did not get its lines"
said 'yes ended with'
# What is closed is closed.
"$HULL" run --timeout 120s $KERNEL --root $ROOT -- sh -c 'cat; echo here' <&- >$out 2>$errors
printed here
# Both streams and a grandchild that keeps them.
command 0 --root $ROOT -- sh -c 'sleep 1000 & seq 20000; seq 20000 >&2'
[ "$(md5sum <$out)" = "$(seq 20000 | md5sum)" ] || report "lines are missing"
[ "$(md5sum <$errors)" = "$(seq 20000 | md5sum)" ] || report "lines are missing"
""",
    "terminal": """
. $(dirname $0)/command_case.sh
tty()
{
	script -qec "stty cols 91 rows 37; '$HULL' run --timeout 120s $KERNEL --root $ROOT $1" \\
		/dev/null >$out 2>$errors
	status=$?
}
keys()
{
	until grep -q "$1" $out 2>/dev/null; do sleep 0.2; done
	printf "$2"
}
mkfifo $scratch/keys
(keys ready '\\003'; keys caught 'line\\n'; sleep 60) >$scratch/keys &
tty "-- sh -c 'stty size; tty; trap \\"echo caught\\" INT; echo ready; sleep 100; read l; echo got \\$l; exit 9'" \\
	<$scratch/keys
[ $status = 9 ] || report "status $status, not 9"
for words in '^37 91' '^/dev/pts/' '^ready' 'caught' '^got line'; do
	tr -d '\\r' <$out | grep -q "$words" || report "no '$words' on the terminal"
done
(keys '[#$] ' 'exit 5\\n'; sleep 60) >$scratch/keys &
: >$out
tty "" <$scratch/keys
[ $status = 5 ] || report "the shell ended with $status, not 5"
""",
    "surroundings": """
. $(dirname $0)/command_case.sh
PASSED=passed command 0 --root $ROOT --cwd /usr --env A='b c' --pass-env PASSED --pass-env NONE \\
	--user 12:34 --hostname guest.test --tmpfs /scratch -- sh -c '
	pwd; echo $A $PASSED $NONE; id -u; id -g; hostname
	echo x >/scratch/file && cat /scratch/file; ls -d /dev/fd /dev/pts /dev/shm /run
	test -w / || echo /; awk "\\$2 == \\"/\\" {print \\$3}" /proc/mounts; ip -o link show lo | grep -o ",UP"'
printed "/usr
b c passed
12
34
guest.test
x
/dev/fd
/dev/pts
/dev/shm
/run
/
overlay
,UP"
command 0 --root $ROOT -- sh -c 'echo lost >/file; dd if=/dev/zero of=/big bs=1M count=400 2>&1 |
	grep -o "No space left"'
printed "No space left"
command 1 --root $ROOT -- cat /file
cp $ROOT $scratch/own 2>/dev/null || cat $ROOT >$scratch/own
command 0 --root $scratch/own,rw -- sh -c 'echo kept >/file; sleep 1000 >/held & mount | head -n 2'
command 0 --root $scratch/own -- cat /file; printed kept
command 0 --root $ROOT -d $scratch/own -- sh -c 'mount /dev/vda /mnt && echo more >/mnt/more'
command 0 --root $scratch/own -- cat /more; printed more
e2fsck -fn $scratch/own >$out 2>&1 || report "the file system is not clean"
! grep recover $out || report "the file system was not unmounted"
command 0 --root $ROOT --transport mmio --rng -- sh -c 'ls /sys/bus/virtio/devices | wc -l'
printed 3
printf '#!/bin/sh\\necho "$# $1 $0"; exit 6\\n' >$scratch/script
command 6 --root $ROOT --script $scratch/script -- "an argument" two
printed "2 an argument /run/hull-script"
command 127 -- /bin/nothing; said "/bin/nothing: not found"
""",
    "ends": """
. $(dirname $0)/command_case.sh
command 119 --root $ROOT -- poweroff -f; said 'powered off before the command ended'
command 120 --root $ROOT -- reboot -f
command 121 --root $ROOT -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
said 'panicked'; said 'sysrq: Trigger a crash'
command 121 --root $ROOT --console-log $scratch/log -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
grep -q 'Trigger a crash' $scratch/log || fail "the console's log has nothing of it"
! grep -q 'Trigger a crash' $errors || report "the console is on standard error, too"
"$HULL" run --timeout 15s $KERNEL --root $ROOT -- sh -c 'f() { f | f & }; f; sleep 1000' \\
	>$out 2>$errors </dev/null
[ $? = 124 ] || report "a fork bomb did not end with --timeout"
for signal in HUP TERM; do # a shell's background ignores SIGINT
	: >$out
	"$HULL" run --timeout 120s $KERNEL --root $ROOT -- \\
		sh -c 'trap "echo caught; exit 7" HUP TERM; echo ready; while :; do sleep 1; done' \\
		>$out 2>$errors </dev/null &
	hull=$!
	until grep -q ready $out; do sleep 0.2; kill -0 $hull || report "it is not ready"; done
	kill -$signal $hull
	wait $hull
	[ $? = 7 ] || report "SIG$signal did not reach the command"
	[ "$(tail -n 1 $out)" = caught ] || report "SIG$signal did not reach the command"
done
# A shell's background ignores it.
: >$out
(until grep -q ready $out; do sleep 0.2; done; kill -INT $(cat $scratch/pid)) &
sh -c 'echo $$ >'$scratch'/pid; exec "$@"' sh $FILES/default_signals "$HULL" run --timeout 120s $KERNEL --root $ROOT -- \\
	sh -c 'trap "echo caught; exit 7" INT; echo ready; while :; do sleep 1; done' \\
	>$out 2>$errors </dev/null
[ $? = 7 ] && [ "$(tail -n 1 $out)" = caught ] || report "SIGINT did not reach the command"
# The command has ended, and nobody reads what it said.
mkfifo $scratch/fifo
sleep 1000 <$scratch/fifo & reader=$!
"$HULL" run --timeout 120s $KERNEL --root $ROOT -- sh -c 'head -c 100000 /dev/zero; echo bye >&2' \\
	>$scratch/fifo 2>$errors </dev/null &
hull=$!
until grep -q bye $errors; do sleep 0.2; kill -0 $hull || report "it did not end"; done
sleep 2
kill -TERM $hull
wait $hull
[ $? = 143 ] || report "SIGTERM did not end it"
kill $reader
mkdir $scratch/none
command 117 --root $FILES/kernel -- true; said $KERNEL_AS_ROOT
command 117 --root $ROOT --modules $scratch/none -- true; said 'neither modules nor'
command 117 --root $ROOT --modules $scratch/missing -- true; said 'No such file'
""",
    "sockets": """
. $(dirname $0)/command_case.sh
TOOL=$FILES/vsock_tool
head -c 8388608 /dev/urandom >$scratch/random
INPUT=$scratch/random
# The guest calls; nobody is at the other port.
$TOOL serve $scratch/vm_5000 & server=$!
command 0 --vsock $scratch/vm --root $ROOT -- sh -c 'vsock_tool connect 5001 2>/dev/null && exit 9
	vsock_tool connect 5000'
cmp $out $INPUT || report "8 MiB came back as something else"
wait $server || fail "the server on the host"
[ ! -e $scratch/vm ] || fail "the socket is left"
# The host calls, the guest has another number; over MMIO, on the other engine.
INPUT=/dev/null
$TOOL dial $scratch/vm 6000 <$scratch/random >$scratch/back 2>$scratch/dialled & dialler=$!
command 0 --vsock $scratch/vm,cid=77 --root $ROOT --transport mmio --io-engine threads -- \\
	vsock_tool echo 6000
wait $dialler || fail "dial: $(cat $scratch/dialled)"
cmp $scratch/back $scratch/random || fail "8 MiB came back as something else"
# The guest ends while its reader is far behind.
head -c 400000 $scratch/random >$scratch/part
$TOOL take $scratch/vm_5002 >$scratch/back & reader=$!
INPUT=$scratch/part
command 0 --vsock $scratch/vm --root $ROOT -- vsock_tool send 5002
INPUT=/dev/null
wait $reader || fail "the slow reader"
cmp $scratch/back $scratch/part || fail "what the guest sent last is lost"
# One that reads nothing holds up the end for seconds only.
$TOOL take $scratch/vm_5003 >/dev/null & reader=$!
until [ -S $scratch/vm_5003 ]; do sleep 0.1; done
sleep 0.3
kill -STOP $reader
command 0 --vsock $scratch/vm --root $ROOT -- sh -c 'vsock_tool send 5003 </dev/zero & sleep 2'
said 'does not read'
kill -KILL $reader
# One who calls a guest that does not listen is told, and so is the second VM.
"$HULL" run --timeout 60s $KERNEL --vsock $scratch/vm --root $ROOT -- sleep 8 2>/dev/null & hull=$!
until [ -S $scratch/vm ]; do sleep 0.1; done
command 117 --vsock $scratch/vm --root $ROOT -- true
! timeout 4 $TOOL dial $scratch/vm 1 </dev/null || fail "somebody answered"
wait $hull || fail "the VM with the socket ended with $?"
""",
    "many": """
. $(dirname $0)/command_case.sh
all=$(seq VMS)
for i in $all; do
	"$HULL" run --timeout LIMITs $KERNEL -m 128M --root $ROOT -- sh -c "echo $i; exit $i" \\
		>$scratch/out$i 2>$scratch/errors$i </dev/null &
	eval pid$i=$!
done
for i in $all; do
	eval wait \\$pid$i
	[ $? = $i ] && [ "$(cat $scratch/out$i)" = $i ] || bad="$bad VM $i: $(cat $scratch/errors$i)"
done
[ -z "$bad" ] || fail "$bad"
""".replace("VMS", str(VMS)).replace("LIMIT", str(CASE_SECONDS - 20)),
    "shares": """
. $(dirname $0)/command_case.sh
mkdir -p $scratch/share/deep/er $scratch/fixed
echo outside >$scratch/secret
echo old >$scratch/share/file
ln -s ../../../../../../$scratch/secret $scratch/share/link
mkfifo $scratch/share/fifo
head -c 3000000 /dev/urandom >$scratch/share/large
echo fixed >$scratch/fixed/file
cat >$scratch/work <<'END'
set -e
cd /mnt/share
[ "$(cat file)" = old ]
echo new >file; echo more >>file
[ "$(cat link 2>/dev/null)" != outside ]
sha256sum <large >large.sum
mkdir -p a/b/c; echo x >a/b/c/x; mv a/b z; [ "$(cat z/c/x)" = x ]
ln file hard; [ "$(stat -c %h file)" = 2 ]
ln -s file soft; [ "$(readlink soft)" = file ]
exec 3<>gone; echo kept >&3; rm gone; [ "$(cat /proc/self/fd/3)" = kept ]; exec 3>&-
chmod 640 file; [ "$(stat -c %a file)" = 640 ]
touch -d @1000000000 file; [ "$(stat -c %Y file)" = 1000000000 ]
truncate -s 12345 sparse; [ "$(stat -c %s sparse)" = 12345 ]
i=0; mkdir many; while [ $i -lt 500 ]; do echo $i >many/$i; i=$((i + 1)); done
[ "$(ls many | wc -l)" = 500 ]
tar -cf many.tar many; mkdir again; tar -xf many.tar -C again; diff -r many again/many
dd if=large of=copy bs=70000 2>/dev/null; cmp large copy
mv -f copy large2; rm -r again z a; rmdir deep/er
! mknod device c 1 3 2>/dev/null
echo ok >done
! echo y >/mnt/fixed/file 2>/dev/null
[ "$(cat /mnt/fixed/file)" = fixed ]
df /mnt/share >/dev/null
END
command 0 --root $ROOT --script $scratch/work --share $scratch/share:/mnt/share --share $scratch/fixed:/mnt/fixed:ro
cd $scratch/share
[ "$(cat file)" = "new
more" ] || report "file is '$(cat file)'"
[ "$(cat large.sum)" = "$(sha256sum <large)" ] || report "the guest read something else"
cmp large large2 || report "the copy differs"
[ "$(find many -type f | wc -l)" = 500 ] && [ "$(cat many/499)" = 499 ] || report "files are missing"
[ -e done ] && [ ! -e gone ] && [ ! -e deep/er ] || report "names are not as the guest left them"
cd /
command 116 --root $ROOT --share /nowhere -- true
command 117 --root $ROOT --share /nowhere:/mnt -- true
command 0 --root $ROOT --transport mmio --io-engine threads --share $scratch/share:/mnt/share -- cat /mnt/share/done
printed ok
""",
    # The host's own root, and a directory as the root.
    "roots": """
. $(dirname $0)/command_case.sh
busybox=$(which busybox)
command 0 -- md5sum $busybox
printed "$(md5sum $busybox)"
command 0 -- sh -c "echo changed >$busybox; rm -rf /bin /usr; exit 0"
[ -x $busybox ] || report "the host has lost its programs"
mkdir -p $scratch/tree/bin
cp $busybox $scratch/tree/bin/busybox
ln -s busybox $scratch/tree/bin/sh
ln -s busybox $scratch/tree/bin/touch
command 0 --root $scratch/tree --user 1000 -- sh -c 'touch /tmp/x; exec echo here'
printed here
command 0 --root $scratch/tree -- touch /kept
[ ! -e $scratch/tree/kept ] || report "it was to be forgotten"
command 0 --root $scratch/tree,rw -- touch /kept
[ -e $scratch/tree/kept ] || report "it was to be kept"
command 127 --root none -- true
""",
    # The README's, as they stand; their system is this one.
    "readme": """
. $(dirname $0)/command_case.sh
system=$scratch/system
mkdir -p $system/modules $scratch/work
ln -s $FILES/kernel $system/vmlinuz
ln -s $ROOT $system/debian.img
ln -s $FILES/modules $system/modules/$(cat $FILES/version)
PATH=$(dirname $HULL):$PATH
cd $scratch/work
cat >$scratch/command <<'END'
""" + example(9) + """END
cat >$scratch/shares <<'END'
""" + example(10) + """END
(. $scratch/command) >$out 2>$errors </dev/null; silent
printed "$(uname -r)
42"
(. $scratch/shares) >$out 2>$errors </dev/null; silent
printed results
""",
    # Commands and files of libhull's in a guest that goes on.
    "serve": """
. $(dirname $0)/command_case.sh
export HULL_BINARY=$HULL LD_LIBRARY_PATH=$FILES
served="/tmp/place --serve --timeout 200s $KERNEL --root $ROOT --console null"
$FILES/serve_tool check $served >$out 2>$errors || report "serve_tool failed"
# Whatever it is doing, nothing is left of a harness that is killed.
$FILES/serve_tool hang $served >$out 2>$errors & harness=$!
until grep -q hangs $out; do sleep 0.2; kill -0 $harness || report "it does not hang"; done
kill -9 $harness
i=0; while ps | grep -v grep | grep -q 'hull run'; do sleep 0.2; i=$((i + 1)); [ $i -lt 100 ] || report "$(ps)"; done
""",
    # libhull's example and the shell's, as they stand.
    "examples": """
. $(dirname $0)/command_case.sh
mkdir -p $scratch/boot $scratch/lib/modules
ln -s $FILES/kernel $scratch/boot/vmlinuz
ln -s $FILES/modules $scratch/lib/modules/$(cat $FILES/version)
export HULL_BINARY=$HULL KERNEL=$scratch/boot/vmlinuz
cd $scratch
ROOT=$ROOT LD_LIBRARY_PATH=$FILES $FILES/boot_test >$out 2>$errors || report "boot_test failed"
[ "$(cat name)" = Linux ] || report "the guest's name is '$(cat name)'"
cd /
ROOT=$ROOT SECONDS_MAX=240 sh $FILES/boot.sh >$out 2>$errors || report "boot.sh failed"
printed "boot.sh: the kernel boots"
""",
}


def make_root(image, scratch, target, vsock_tool):
    tree = scratch / "root"
    make_tree(tree, target, ("scratch", "mnt"))
    shutil.copy(vsock_tool, tree / "bin")
    script = tree / "usr/bin/no-interpreter"
    script.write_text("exit 3\n")
    script.chmod(0o755)
    run(NATIVE.program("mke2fs"), "-q", "-F", "-t", "ext4", "-d", tree, image, "32M")
    shutil.rmtree(tree)


def prepare(files, disks, target, vsock_tool, library, *programs):
    found = fetched("6.1-cloud", target.debian)
    shutil.copy(found["kernel"], files / "kernel")
    put_modules(found["modules"], files / "modules")
    (files / "version").write_text(Path(found["modules"]).name)
    for path in (vsock_tool, *programs, ROOT / "examples/boot.sh"):
        shutil.copy(path, files)
    shutil.copy(library, files / "libhull.so.0")
    make_root(disks / "command-root", files, target, vsock_tool)


def main(*arguments):
    target, (hull, vsock_tool, library, *rest) = take_target(arguments)
    programs, wanted = rest[:3], rest[3:]
    host_programs = [target.program(name) for name in HOST_PROGRAMS]
    return Suite(hull, CASES, HALF, wanted, host_programs, ("ext4",), ("libcmocka.so.0",),
                 case_seconds=CASE_SECONDS, target=target).run(
        lambda files, disks: prepare(files, disks, target, vsock_tool, library, *programs))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
