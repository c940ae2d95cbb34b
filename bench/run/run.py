#!/usr/bin/env python3
"""What `hull run -- true` costs above the kernel's own boot, and virtme-ng's approach beside it.

A stock Debian kernel runs on hardware KVM, or in the emulated KVM host where there is none. Nothing
here passes or fails: the ratios of one run are what can be compared.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tests/integration/linux"))
sys.path.insert(0, str(ROOT / "scripts/lib"))

import cpio  # noqa: E402
import harness  # noqa: E402

PEER_MODULES = ("virtio_pci", "virtiofs", "virtio_console", "overlay")
VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")
IMAGE_DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp")


def make_floor(build, path):
    archive = cpio.Archive()
    archive.add_bytes("init", (build / "bench/run/floor-init").read_bytes(), 0o755)
    archive.add_directory("dev")
    archive.add_character_device("dev/console", 5, 1)
    with open(path, "wb") as file:
        archive.write(file)


def make_image(path, scratch):
    tree = scratch / "tree"
    for directory in IMAGE_DIRECTORIES:
        (tree / directory).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    for applet in ("sh", "true"):
        (tree / "bin" / applet).symlink_to("busybox")
    harness.run(shutil.which("mke2fs", path="/usr/sbin:/sbin"), "-q", "-F", "-t", "ext4", "-d",
                tree, path, "16M")


def prepare(build, files, scratch):
    harness.put_guest(files, HERE / "peer-init", PEER_MODULES)
    (files / "initrd").rename(files / "peer.cpio")
    harness.put_modules(harness.fetched("6.1-cloud")["modules"], files / "modules")
    make_floor(build, files / "floor.cpio")


def run_here(script, variables):
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    return ["sh", "-c", f"{lines}. {script}"]


def run_emulated(script, variables, files, image, options, scratch):
    text = scratch / "script"
    inside = {**variables, "HULL": "/usr/local/bin/hull", "FILES": "/files",
              "IMAGE": "/dev/disk/image"}
    if options.virtiofsd:
        inside |= {"QEMU": f"/usr/local/bin/{Path(options.qemu).name}",
                   "VIRTIOFSD": f"/usr/local/bin/{Path(options.virtiofsd).name}"}
    text.write_text("".join(f"{name}={value}\n" for name, value in inside.items()) +
                    Path(script).read_text())
    command = [ROOT / "tests/host/emulated-host", "--memory", "3G", "--timeout", "3500",
               "--put-exec", options.hull, "--put", f"{files}:/files", "--disk", f"image:{image}",
               "--module", "ext4", "--script", text]
    if options.virtiofsd:
        command += ["--put-exec", options.qemu, "--put-exec", options.virtiofsd,
                    "--put", "/usr/share/seabios:/usr/share/seabios",
                    "--put", "/usr/share/qemu:/usr/share/qemu"]
    return [str(word) for word in command]


def report(output):
    samples = {}
    for name, seconds in re.findall(r"^sample (\S+) ([0-9.]+)", output, re.M):
        samples.setdefault(name, []).append(float(seconds))
    floor = statistics.median(samples["floor"]) if "floor" in samples else None
    for name, values in samples.items():
        median = statistics.median(values)
        above = f"{(median - floor) * 1000:8.0f} ms above the floor" if floor else ""
        print(f"{name:14} {median:7.2f} s of {len(values)} {above if name != 'floor' else ''}")
    for line in re.findall(r"^(?:failed|timing) .*", output, re.M):
        print(line)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path, help="the build directory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--qemu", default=shutil.which("qemu-system-x86_64"))
    parser.add_argument("--virtiofsd", help="the daemon of the QEMU peer",
                        default=next((path for path in VIRTIOFSD if Path(path).exists()), None))
    parser.add_argument("--output", metavar="FILE", help="write the samples as JSON")
    options = parser.parse_args()
    options.hull = options.build / "src/cli/hull"
    if not options.qemu or not options.virtiofsd:
        print("# no QEMU or no virtiofsd here: Hull alone")
        options.virtiofsd = None
    with tempfile.TemporaryDirectory(prefix="hull-bench-") as directory:
        scratch = Path(directory)
        files, image = scratch / "files", scratch / "image"
        files.mkdir()
        prepare(options.build, files, scratch)
        make_image(image, scratch)
        variables = {"ROUNDS": options.rounds}
        if harness.hardware_kvm():
            variables |= {"HULL": options.hull, "FILES": files, "IMAGE": image}
            if options.virtiofsd:
                variables |= {"QEMU": options.qemu, "VIRTIOFSD": options.virtiofsd}
            command = run_here(HERE / "run.sh", variables)
        else:
            command = run_emulated(HERE / "run.sh", variables, files, image, options, scratch)
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               check=False, text=True, errors="replace")
    samples = report(ended.stdout)
    if ended.returncode != 0 or not samples:
        sys.exit(f"run.py: status {ended.returncode}: {ended.stdout[-2000:]}")
    if options.output:
        Path(options.output).write_text(json.dumps(samples, indent=1) + "\n")


if __name__ == "__main__":
    main()
