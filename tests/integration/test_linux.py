#!/usr/bin/env python3
"""Boots stock distribution kernels with hull and looks at how they fare.

On hardware KVM the cases run right here; elsewhere in the emulated KVM host, all in one boot of it.
The freestanding guests run there too, so that they see a hardware-like KVM.

argv: the hull program, the directory of the freestanding guests, the guest runner, then names of
cases (all of them by default).
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "scripts/lib"), str(HERE / "linux")]

import kernel_modules  # noqa: E402
from harness import Suite, fetched, run  # noqa: E402

UUID = "6f1a1e0c-7d7a-4c3e-9d52-9a3f0f0c1b2d"
BUTTON_MODULES = ("button", "evdev", "pvpanic", "pvpanic_mmio")

# Pairs of choices, not the full product: kernel, format, CPUs, memory, end. The first HALF of them
# runs in one emulated host, the others in a second one at the same time.
HALF = 4
CASES = {
    "cloud-1cpu-128M-poweroff": f"""
boot 0 -k $FILES/6.1-cloud -i $FILES/initrd -m 128M -c 1 --uuid {UUID} -p hull_test=poweroff
expect nproc 1; expect uuid {UUID}; expect vendor Hull; expect clocksource kvm-clock
expect "year 20[2-9][0-9]"; memory 70000 131072
complaints /tmp/complaints.hull
""",
    # The same kernel under QEMU on the same host: what it complains about there too is not ours.
    "no-complaints-of-our-own": """
"$QEMU" -L /usr/share/seabios -L /usr/share/qemu -M q35 -accel kvm -cpu host -m 128 -smp 1 -nodefaults -no-user-config -display none \\
	-serial stdio -no-reboot -kernel $FILES/6.1-cloud -initrd $FILES/initrd \\
	-append "console=ttyS0 panic=-1 quiet hull_test=poweroff" >"$log" 2>&1 </dev/null
expect up
complaints /tmp/complaints.qemu
[ -s /tmp/complaints.hull ] || [ -e /tmp/complaints.hull ] || fail "the first case left no list"
echo "hull: $(wc -l </tmp/complaints.hull) warnings, QEMU: $(wc -l </tmp/complaints.qemu)"
# Addresses, sizes and counts differ between runs.
for list in hull qemu; do
	sed 's/0x[0-9a-f]*/N/g; s/[0-9a-f]\\{8,\\}/N/g; s/[0-9][0-9]*/N/g' /tmp/complaints.$list |
		sort -u >/tmp/normal.$list
done
ours=$(comm -23 /tmp/normal.hull /tmp/normal.qemu)
cat /tmp/complaints.hull
[ -z "$ours" ] || fail "only under Hull: $ours"
! grep -iE 'ACPI (Error|Warning|BIOS)|Firmware Bug|BIOS bug|MP-BIOS' /tmp/complaints.hull ||
	fail "a complaint about the firmware"
""",
    "vmlinux-4cpu-1G-reboot": """
boot 120 -k $FILES/6.1-cloud-vmlinux -i $FILES/initrd -m 1G -c 4 -p hull_test=reboot
expect nproc 4; memory 950000 1048576
grep -q 'the guest rebooted' "$log" || fail "no sentence about the reboot"
""",
    "generic-4cpu-5G-panic": """
boot 121 -k $FILES/6.1-generic -i $FILES/initrd -m 5G -c 4 -p hull_test=panic
expect nproc 4; memory 4900000 5242880
grep -q 'Kernel panic - not syncing' "$log" || fail "the panic is not on the console"
grep -q "the guest's kernel panicked" "$log" || fail "no sentence about the panic"
""",
    "6.12-2cpu-button": """
"$HULL" run --timeout 240s -p quiet -k $FILES/6.12-cloud -i $FILES/initrd-modules -m 512M -c 2 \\
	-p hull_test=button >"$log" 2>&1 </dev/null &
hull=$!
tries=0
until grep -q '^guest: listening' "$log" || ! kill -0 $hull 2>/dev/null; do sleep 1; done
kill -TERM $hull
wait $hull
status=$?
[ $status = 143 ] || fail "exit status $status, not 143"
expect nproc 2
grep -q 'reboot: Power down' "$log" || fail "the guest did not power itself off"
""",
    "6.12-pvh-8cpu-reset-and-input": """
. $(dirname $0)/reset_case.sh
reset_and_input -k $FILES/6.12-cloud-vmlinux.gz -m 1G -c 8
expect nproc 8
""",
    "pvpanic": """
boot 121 -k $FILES/6.1-cloud -i $FILES/initrd-modules -m 256M -p "hull_test=pvpanic panic=0"
grep -q 'Kernel panic - not syncing' "$log" || fail "the panic is not on the console"
""",
    # Not the group threads: in emulation three of its attacks on a NIC hear nothing for ten seconds.
    "freestanding-guests": """
status=0
for group in machine ends console signals virtio; do
	"$FILES/guest_runner" --patience=120 "$HULL" "$FILES/firmware" $group 2>&1 || status=1
done
exit $status
""",
    # Without a paravirtual clock and a deadline timer the kernel turns to the PIT and the PM timer.
    "legacy-clocks": """
boot 0 -k $FILES/6.1-cloud -i $FILES/initrd -m 256M -c 2 --cpu=-kvmclock,-tsc_deadline_timer \\
	-p hull_test=poweroff
expect nproc 2; expect clocksource "(tsc|acpi_pm|tsc-early)"
""",
    "triple-fault": """
boot 122 -k $FILES/6.1-cloud -i $FILES/initrd -m 256M -p "hull_test=reboot reboot=t"
""",
}


def prepare_files(files, firmware, runner):
    """Kernels as packaged and extracted, and the guests' initrds."""
    kernels = {flavour: fetched(flavour) for flavour in ("6.1-cloud", "6.1-generic", "6.12-cloud")}
    for flavour, found in kernels.items():
        shutil.copy(found["kernel"], files / flavour)
    for flavour in ("6.1-cloud", "6.12-cloud"):
        run(ROOT / "scripts/extract-vmlinux", files / flavour, files / f"{flavour}-vmlinux")
    run("gzip", "-1", files / "6.12-cloud-vmlinux")
    shutil.copy(runner, files / "guest_runner")
    (files / "firmware").mkdir()
    for path in Path(firmware).iterdir():
        if path.is_file() and path.suffix not in (".a", ".build"):
            shutil.copy(path, files / "firmware")
    init = HERE / "linux/guest-init"
    run(ROOT / "scripts/make-initrd", "--init", init, files / "initrd")
    # One initrd serves both kernels: modules of another version are refused by the kernel.
    modules = files / "modules"
    modules.mkdir()
    for order, flavour in enumerate(("6.1-cloud", "6.12-cloud")):
        found = kernel_modules.Modules(kernels[flavour]["modules"])
        for index, (name, content) in enumerate(found.with_dependencies(BUTTON_MODULES)):
            (modules / f"{order}{index}-{name}").write_bytes(content)
    run(ROOT / "scripts/make-initrd", "--init", init, "--add", f"{modules}:/modules",
        files / "initrd-modules")
    shutil.rmtree(modules)


def main(hull, firmware, runner, *wanted):
    suite = Suite(hull, CASES, HALF, wanted)
    return suite.run(lambda files, _: prepare_files(files, firmware, runner))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
