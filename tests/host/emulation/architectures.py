"""The architectures whose KVM hosts can be emulated, one row each."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Architecture:
    debian: str  # Debian's name of the architecture
    qemu: str
    qemu_package: str
    machine: tuple  # QEMU's options for a machine with virtualization
    console: str  # the kernel's name of the first serial port
    kernel_words: tuple
    kvm_modules: tuple  # the last one is the one which takes options
    supported: bool


ARCHITECTURES = {
    # QEMU's "max" has AMD SVM with nested paging. A guest's XCR0 does not reach KVM there: a Linux
    # guest finds its XSAVE inconsistent, or dies of its first signal. So the host has no XSAVE, and
    # nothing that builds on it. Five-level paging only costs time.
    "x86_64": Architecture(
        debian="amd64",
        qemu="qemu-system-x86_64",
        qemu_package="qemu-system-x86",
        machine=("-machine", "q35", "-cpu",
                 "max,la57=off,xsave=off,avx=off,avx2=off,f16c=off,fma=off,pku=off,mpx=off"),
        console="ttyS0",
        kernel_words=("reboot=t",),
        kvm_modules=("kvm-amd",),
        supported=True,
    ),
    # KVM is built into Debian's kernels; its guests run at EL1 below a host at EL2. "max" has SVE and
    # pointer authentication; a cipher of QEMU's own for that is many times faster than Arm's.
    "aarch64": Architecture(
        debian="arm64",
        qemu="qemu-system-aarch64",
        qemu_package="qemu-system-arm",
        machine=("-machine", "virt,virtualization=on,gic-version=3",
                 "-cpu", "max,pauth-impdef=on"),
        console="ttyAMA0",
        kernel_words=(),
        kvm_modules=(),
        supported=True,
    ),
}

# An older host: its interrupt controller, which its guests then have as well, and its processor.
ARCHITECTURES["aarch64-gicv2"] = replace(
    ARCHITECTURES["aarch64"],
    machine=("-machine", "virt,virtualization=on,gic-version=2", "-cpu", "cortex-a57"))
