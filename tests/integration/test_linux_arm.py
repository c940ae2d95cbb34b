#!/usr/bin/env python3
"""Boots stock arm64 kernels and guests without one with hull and looks at how they fare and end.

On an Arm server the cases run right here, but for those of the other version of the interrupt
controller; elsewhere in two emulated servers, of which the second has version 2.
argv: the hull program for aarch64, the directory of the freestanding guests, the program
test_virtq_threads, then names of cases (all of them by default).
"""

import base64
import gzip
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import (ROOT, TARGETS, Suite, fetched, kernel_modules, put_modules, run,  # noqa: E402
                     runs_here)

KEY_MODULES = ("gpio_keys", "evdev")
CASE_SECONDS = 500  # of one or two minutes

# A busy host is no fault of the guest's; one that hangs runs into a limit all the same.
PATIENT = "-p rcupdate.rcu_cpu_stall_suppress=1 -p nosoftlockup"
# What every kernel here says, whoever its host is, and what it says of a busy one.
WARNINGS = "CPU features: kernel page table isolation|hrtimer: interrupt took"

CLEAN = f"""
expect "caches .*Unified "
complaints /tmp/complaints
! grep -vE '{WARNINGS}' /tmp/complaints || fail "the guest's log is not clean"
"""
ONE_CPU = f"""
boot 0 {PATIENT} -k $FILES/kernel -i $FILES/initrd -m 128M -c 1 -p hull_test=poweroff
expect nproc 1; expect clocksource arch_sys_counter; expect "year 20[2-9][0-9]"
memory 80000 131072
""" + CLEAN
PANIC = """
boot 121 -k $FILES/kernel -i $FILES/initrd -m 256M -c 2 -p hull_test=panic
expect nproc 2
grep -q 'Kernel panic - not syncing' "$log" || fail "the panic is not on the console"
grep -q "the guest's kernel panicked" "$log" || fail "no sentence about the panic"
"""
REBOOT = f"""
boot 120 {PATIENT} -k $FILES/kernel.gz -i $FILES/initrd -m 1G -c 4 -p hull_test=reboot
expect nproc 4; memory 950000 1048576
grep -q 'the guest rebooted' "$log" || fail "no sentence about the reboot"
""" + CLEAN


def kernel(name, cpus):
    """One of the other kernels, with all devices that it has drivers for."""
    return f"""
boot 120 {PATIENT} -k $FILES/{name} -i $FILES/initrd -m 512M -c {cpus} -p hull_test=reboot
expect nproc {cpus}
""" + CLEAN


# Messages come by way of the interrupt controller that $messages names. Lines "tree: BASE64" are what
# the guests have as device trees.
COMMANDS = """
. $(dirname $0)/command_case.sh
tree='echo "tree: $(gzip -c /sys/firmware/fdt | base64 | tr -d "\\n")"'
command 0 -c 2 -- sh -c "uname -m; $tree; dmesg"
[ "$(sed -n 1p $out)" = aarch64 ] || report "another machine"
grep '^tree: .' $out || report "no device tree"
grep 'using stolen time PV' $out || report "nobody counts stolen time"
command 42 -- sh -c 'exit 42'; silent
truncate -s 1M $scratch/disk
command 0 -c 2 -d $scratch/disk --rng -- sh -c 'dd if=/dev/vda of=/dev/null 2>/dev/null
	nproc; head -c 8 /dev/hwrng | wc -c; grep -c MESSAGES.*virtio /proc/interrupts'
[ "$(sed -n 1,2p $out | tr "\\n" " ")" = "2 8 " ] || report "no CPUs, or no entropy"
[ "$(sed -n 3p $out)" -ge 6 ] || report "devices have no messages"
command 0 --transport mmio -d $scratch/disk -- sh -c "head -c 4096 /dev/vda | wc -c; $tree"
[ "$(sed -n 1p $out)" = 4096 ] || report "no disk"
grep '^tree: .' $out || report "no device tree"
"""
# All devices there are, of which the NIC hears itself; other processors for what is done to them.
# What is skipped is what the other transport or the other interrupt controller has.
HOSTILE = """
scratch=$(mktemp -d)
truncate -s 64M $scratch/disk $scratch/disk2
mkdir -p $scratch/share/directory $scratch/share/gone
echo outside-the-share >$scratch/secret
for file in file directory/one; do printf inside >$scratch/share/$file; done
ln -s ../secret $scratch/share/link
ln -s .. $scratch/share/up
mkfifo $scratch/share/pipe
LIMIT=450s boot 33 -k $FILES/hostile -m 256M -c 3 --debug-exit --io-threads 1 --transport TRANSPORT \\
	-d $scratch/disk -d $scratch/disk2,ro --rng --hvc null --port=port=null --vsock $scratch/vm \\
	-n socket=$scratch/link,peer=$scratch/link --share $scratch/share:/tag \\
	-p transport=TRANSPORT -p patience=120
grep 'FAIL\\|^hostile: [0-9]' "$log"
for device in 1 2 3 4 19 26; do
	grep -q "^hostile: fact device TRANSPORT $device" "$log" || fail "no device $device"
done
! grep '^hostile: .* skipped:' "$log" | grep -v 'skipped: no \\(REASONS\\)$' ||
	fail "what is skipped could run"
[ "$(cat $scratch/secret)" = outside-the-share ] || fail "the secret has changed"
"""


def hostile(transport, *reasons):
    return (HOSTILE.replace("TRANSPORT", transport)
            .replace("REASONS", "\\|".join(reasons)))


WITHOUT_PCI = ("pci", "msix", "window")
WITHOUT_GICV3 = ("GIC of version 3", "ITS")
WITHOUT_GICV2 = ("GIC of version 2", "GICv2m frame")
# The probe checks the machine; the facts are compared with what was asked for.
PROBE = """
boot 33 -k $FILES/probe -i $FILES/initrd -m MEMORYM -c CPUS --debug-exit -p word=here
grep 'FAIL\\|^probe: [0-9]' "$log"
for fact in "entry image" "ram-bytes $((MEMORY << 20))" "cpus CPUS" "online CPUS" "gic VERSION" \\
	"initrd-bytes $(wc -c <$FILES/initrd)" "command-line .*word=here"; do
	grep -q "^probe: fact $fact" "$log" || fail "no fact '$fact'"
done
"""


def probe(version, cpus, memory):
    return (PROBE.replace("VERSION", str(version)).replace("CPUS", str(cpus))
            .replace("MEMORY", str(memory)))


def power_key(limit, options, ready):
    """Presses the power key, by a signal, when the guest has said that it is ready."""
    return f"""
"$HULL" run --timeout {limit} {options} >"$log" 2>"$log.words" </dev/null &
hull=$!
until grep -q '{ready}' "$log" || ! kill -0 $hull 2>/dev/null; do sleep 1; done
kill -TERM $hull
wait $hull
status=$?
cat "$log.words" >>"$log"
[ $status = 143 ] || fail "exit status $status, not 143"
"""


# How a guest without an operating system ends.
PROBE_ENDS = """
end()
{
	LIMIT=$3 boot "$1" -k $FILES/probe -m 64M -c 2 --debug-exit -p probe.only=smp -p "$2"
	grep -q '^probe: 1 passed, 0 failed' "$log" || fail "the processors did not start"
}
end 33 end=debug-exit
end 11 exit-value=5
end 0 end=poweroff
end 120 end=reset
end 121 end=reset-warm
end 121 end=pvpanic
end 37 end=exception
end 37 end=bad-instruction
for way in bad-access bad-store; do
	end 123 end=$way
	grep -q 'an access to a device, at 0x9000000, by an instruction' "$log" || fail "no sentence"
done
end 124 end=spin 10s
end 124 end=halt 10s
end 124 end=hang-uart 10s
end 124 end=crash-loaded 10s
end 124 end=bad-tables 10s
end 124 end=cpus-off 10s
grep -q 'the last processor goes' "$log" || fail "another did not"
"""
CASES = {
    "gicv3-1cpu-poweroff": ONE_CPU,
    "gicv3-2cpu-panic": PANIC,
    "gicv3-4cpu-1G-reboot": REBOOT,
    "gicv3-commands": COMMANDS.replace("MESSAGES", "ITS"),
    "6.12-4cpu": kernel("6.12-cloud.efi", 4),
    "generic-4cpu": kernel("6.1-generic", 4),
    "generic-pmu-poweroff": f"""
boot 0 {PATIENT} -k $FILES/6.1-generic -i $FILES/initrd -m 512M --cpu=+pmu -p hull_test=poweroff
expect nproc 1; expect "pmu .*armv8.*"
""" + CLEAN,
    "gicv3-4cpu-probe": probe(3, 4, 512),
    "gicv3-200G-probe": probe(3, 2, 200 << 10),
    "gicv3-hostile-pci": hostile("pci", "mmio", *WITHOUT_GICV2),
    # A signal presses the power key, which cloud kernels have no driver for.
    "generic-2cpu-button": power_key(
        "400s", "-p quiet -k $FILES/6.1-generic -i $FILES/initrd-keys -m 512M -c 2 -p hull_test=button",
        "^guest: listening") + """
grep -q 'reboot: Power down' "$log" || fail "the guest did not power itself off"
""",
    # The guest sleeps until its clock's alarm, and so does its vCPU.
    "gicv3-2cpu-sleep": """
LIMIT=200s boot 0 -k $FILES/kernel -i $FILES/initrd -m 256M -c 2 --verbose -p hull_test=sleep
expect slept 1
grep 'system event' "$log"
""",
    # What the host's processor has and KVM can hand on, its guests have unless told otherwise.
    "gicv3-features": """
. $(dirname $0)/command_case.sh
for words in "" --cpu=-sve,-pauth; do
	command 0 $words -- grep -m 1 Features /proc/cpuinfo
	for feature in sve sve2 paca pacg; do
		[ ! "$words" ] && grep -qw $feature /proc/cpuinfo && wanted=yes || wanted=no
		grep -qw $feature $out && has=yes || has=no
		[ $has = $wanted ] || report "$feature with '$words': $has"
		echo "$feature with '$words': $has"
	done
	grep -qw asimd $out || report "no features: $(cat $out)"
done
""",
    # Of 16 KiB, which the processor of this host has and that of the older one has not. What is read
    # directly does not stay in the page cache: dd would take that when it is refused.
    "gicv3-16k-pages": """
. $(dirname $0)/command_case.sh
KERNEL="-k $FILES/6.12-16k --modules $FILES/modules-16k -m 512M"
mkdir $scratch/share
head -c 9000000 /dev/urandom >$scratch/share/data
head -c 1000448 /dev/urandom >$scratch/disk
command 0 -d $scratch/disk --share $scratch/share:/share -- sh -c '
	cached() { sed -n "s/^Cached: *\\([0-9]*\\) kB/\\1/p" /proc/meminfo; }
	uname -m
	grep -m 1 KernelPageSize /proc/self/smaps | tr -d " "
	sha256sum </dev/vda
	before=$(cached)
	for size in 2097152 8388608; do
		dd if=/share/data iflag=direct bs=$size count=1 2>/dev/null | sha256sum
	done
	more=$(($(cached) - before))
	[ $more -lt 4096 ] && echo direct || echo "cached: $more KiB"
	head -c 3000000 /share/data >/share/copy'
{
	echo aarch64
	echo KernelPageSize:16kB
	sha256sum <$scratch/disk
	for size in 2097152 8388608; do head -c $size $scratch/share/data | sha256sum; done
	echo direct
} >$scratch/wanted
diff $scratch/wanted $out || report "something else than files and page size"
head -c 3000000 $scratch/share/data | cmp - $scratch/share/copy || report "another copy"
""",
    # Two threads on real rings: the order of words that x86 keeps by itself.
    "virtq-threads": """
HULL_TEST_VIRTQ_OPERATIONS=170000 test_virtq_threads >"$log" 2>&1 || fail "status $?"
grep operations "$log"
""",
    "doctor-and-features": """
"$HULL" doctor >"$log" 2>&1 || fail "doctor is not content"
cat "$log"
grep -q 'Arm virtualization' "$log" || fail "the kind of KVM is not told"
if ! grep -qw sve /proc/cpuinfo; then
	boot 125 -k $FILES/kernel --cpu=+sve
	grep -q "does not offer 'sve'" "$log" || fail "no sentence about what the processor has not"
fi
boot 116 -k $FILES/kernel --cpu=-avx2
grep -q "there are sve, pauth and pmu" "$log" || fail "no sentence about an unknown feature"
""",
    "timeout": """
LIMIT=5s boot 124 -k $FILES/kernel -i $FILES/initrd -m 256M
""",
    "probe-echo": """
for way in echo echo=poll; do
	echo "to and fro q" | "$HULL" run --timeout 100s -k $FILES/probe -m 64M --debug-exit \\
		-p probe.only=none -p $way >"$log" 2>&1
	status=$?
	[ $status = 33 ] || fail "exit status $status, not 33"
	grep -q '^to and fro ' "$log" || fail "input did not come back"
	grep '^probe: echo ended' "$log"
done
""",
    "probe-button": power_key(
        "100s", "-k $FILES/probe -m 64M -c 2 -p probe.only=none -p power-button",
        "waiting for the power button") + """
grep -q '^probe: power button, lines 0x08, 1 interrupts' "$log" || fail "no press was seen"
""",
    "probe-flood": """
boot 33 -k $FILES/probe -m 64M --debug-exit -p probe.only=none -p flood=8
awk '/^flood / { if (length != 63 || $2 "" != sprintf("%08d", count++)) exit 1 }
	END { exit count != 128 }' "$log" || fail "lines are lost or out of place"
""",
    "reset-and-input": """
. $(dirname $0)/reset_case.sh
reset_and_input -k $FILES/kernel -m 256M -c 2
""",
    # The process behind a rootless network confines itself by system calls' numbers of its own.
    "user-network": """
. $(dirname $0)/command_case.sh
command 0 -n user -- sh -c 'ip link set eth0 up
	udhcpc -i eth0 -n -q -f -s /bin/true 2>&1 | grep -c "lease of 10.0.2"'
printed 1
""",
    "gicv2-1cpu-poweroff": ONE_CPU,
    "gicv2-2cpu-panic": PANIC,
    "gicv2-4cpu-1G-reboot": REBOOT,
    "gicv2-commands": COMMANDS.replace("MESSAGES", "MSI"),
    "gicv2-6.12-1cpu": kernel("6.12-cloud.efi", 1),
    "gicv2-generic-4cpu": kernel("6.1-generic", 4),
    "gicv2-2cpu-probe": probe(2, 2, 256),
    "probe-ends": PROBE_ENDS,
    "gicv2-hostile-pci": hostile("pci", "mmio", *WITHOUT_GICV3),
    "gicv2-hostile-mmio": hostile("mmio", *WITHOUT_PCI, *WITHOUT_GICV3),
    "gicv2-16k-pages": """
boot 117 -k $FILES/6.12-16k -m 256M
grep -q "pages of 16K, which this host's processors do not have" "$log" || fail "no sentence"
""",
    "gicv2-9cpu": """
boot 125 -k $FILES/kernel -i $FILES/initrd -m 256M -c 9
grep -q 'GICv2 only' "$log" || fail "no sentence about the interrupt controller"
""",
}
HALF = list(CASES).index("doctor-and-features")  # from there on the older host's


def put_initrd(path, modules=None, names=()):
    """The guest's, with these modules of a kernel's and what they depend on."""
    with tempfile.TemporaryDirectory() as directory:
        needed = kernel_modules.Modules(modules).with_dependencies(names) if names else ()
        for index, (name, content) in enumerate(needed):
            (Path(directory) / f"{index:02}-{name}").write_bytes(content)
        run(ROOT / "scripts/make-initrd", "--arch", "arm64", "--init", HERE / "linux/guest-init",
            "--add", f"{directory}:/modules", path)


def wrap(kernel, path):
    """As an EFI program that unpacks itself, which some distributions ship: Linux
    drivers/firmware/efi/libstub/zboot-header.S."""
    packed = subprocess.run(["zstd", "-q", "-3", "-c", kernel], check=True,
                            stdout=subprocess.PIPE).stdout
    header = struct.pack("<4s4sII8x32s", b"MZ\0\0", b"zimg", 512, len(packed), b"zstd")
    path.write_bytes(header.ljust(512, b"\0") + packed + struct.pack("<I", kernel.stat().st_size))


def prepare(files, firmware):
    for guest in ("hostile", "probe"):
        shutil.copy(Path(firmware) / guest, files)
    found = fetched("6.1-cloud", "arm64")
    shutil.copy(found["kernel"], files / "kernel")
    run("gzip", "-1k", files / "kernel")
    shutil.copy(fetched("6.1-generic", "arm64")["kernel"], files / "6.1-generic")
    wrap(Path(fetched("6.12-cloud", "arm64")["kernel"]), files / "6.12-cloud.efi")
    put_modules(found["modules"], files / "modules")
    found = fetched("6.12-16k", "arm64")
    shutil.copy(found["kernel"], files / "6.12-16k")
    put_modules(found["modules"], files / "modules-16k")
    put_initrd(files / "initrd-keys", fetched("6.1-generic", "arm64")["modules"], KEY_MODULES)
    put_initrd(files / "initrd")


def examine_trees(output):
    """What dtc says about the device trees in a case's output."""
    found = []
    for packed in re.findall(r"^tree: (\S+)", output, re.M):
        done = subprocess.run(["dtc", "-I", "dtb", "-O", "null"], capture_output=True, check=False,
                              input=gzip.decompress(base64.b64decode(packed)))
        found.append(done.stderr.decode() or done.returncode and f"dtc: {done.returncode}" or "")
    return "".join(found)


def cases_of_this_server():
    """A KVM with a GICv3 may offer a GICv2 besides; hull takes the newer one then."""
    other = "gicv2-" if "GICv3" in Path("/proc/interrupts").read_text() else "gicv3-"
    return [name for name in CASES if not name.startswith(other)]


def main(hull, firmware, virtq_threads, *wanted):
    if not wanted and runs_here(TARGETS["aarch64"]):
        wanted = cases_of_this_server()
    return Suite(hull, CASES, HALF, wanted, [virtq_threads],
                 libraries=("libslirp.so.0", "liblzma.so.5", "libzstd.so.1"),
                 case_seconds=CASE_SECONDS, target=TARGETS["aarch64"], examine=examine_trees,
                 ).run(lambda files, _: prepare(files, firmware))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
