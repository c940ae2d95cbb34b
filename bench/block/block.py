#!/usr/bin/env python3
"""Compare virtio-blk of Hull with QEMU's (iothread, io_uring) and with fio on the host, in one run.

The same freestanding guest, disk-bench, drives both VMMs; they take turns. Nothing here passes or
fails: the ratios of one run are what can be compared.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from guest_run import run_twice  # noqa: E402

DISK_MIB = 256
CASES = [  # op, block bytes, depth, queues
    ("randread", 4096, 1, 1),
    ("randread", 4096, 32, 1),
    ("randread", 4096, 32, 2),
    ("randwrite", 4096, 1, 1),
    ("randwrite", 4096, 32, 1),
    ("seqread", 131072, 8, 1),
]


def run_guest(make_command, options, words, *rest):
    """(operations per second, host CPU microseconds per operation), or None."""
    result = run_twice(lambda ms: make_command(options, f"{words} ms={ms}", *rest), "disk-bench",
                       "ops", options.ms)
    return (float(result[0]["iops"]), result[1]) if result else None


def hull_command(options, words, direct, queues):
    disk = f"{options.disk},queues={queues}{',direct' if direct else ''}"
    return [options.hull, "run", "-k", options.guest, "-m", "512", "-d", disk, "--debug-exit",
            "--timeout", "100s", "-p", words]


def qemu_command(options, words, direct, queues):
    cache = "none" if direct else "writeback"
    return [options.qemu, "-M", "q35", "-accel", "kvm", "-m", "512", "-nodefaults",
            "-display", "none", "-serial", "stdio", "-no-reboot", "-device",
            "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", options.guest, "-append", words,
            "-object", "iothread,id=io", "-drive",
            f"file={options.disk},format=raw,if=none,id=d,aio=io_uring,cache={cache}", "-device",
            f"virtio-blk-pci,disable-legacy=on,drive=d,iothread=io,num-queues={queues}"]


def run_fio(options, op, block, depth, direct):
    """The host's own limit: operations per second and CPU microseconds per operation."""
    operation = {"seqread": "read"}.get(op, op)
    result = subprocess.run(
        ["fio", "--name=limit", f"--filename={options.disk}", f"--rw={operation}", f"--bs={block}",
         f"--iodepth={depth}", "--ioengine=io_uring", f"--direct={int(direct)}", "--time_based",
         f"--runtime={options.ms}ms", f"--size={DISK_MIB}m", "--output-format=json",
         "--randrepeat=0"], stdout=subprocess.PIPE, check=True, text=True)
    job = json.loads(result.stdout)["jobs"][0]
    part = job["write" if "write" in op else "read"]
    microseconds = job["job_runtime"] * 1000 * (job["usr_cpu"] + job["sys_cpu"]) / 100
    return part["iops"], microseconds / max(part["total_ios"], 1)


def measure(options, case, direct):
    op, block, depth, queues = case
    words = f"op={op} block={block} depth={depth} queues={queues}"
    peers = {"hull": lambda: run_guest(hull_command, options, words, direct, queues)}
    if shutil.which(options.qemu):
        peers["qemu"] = lambda: run_guest(qemu_command, options, words, direct, queues)
    samples = {name: [] for name in [*peers, "fio"]}
    for index in range(options.rounds):
        # A CPU that was idle, or waited for a disk, is slow for a while, to the next one's loss.
        for name in list(peers) if index % 2 else reversed(peers):
            sample = peers[name]()
            if sample:
                samples[name].append(sample)
    if shutil.which("fio"):
        samples["fio"].append(run_fio(options, op, block, depth, direct))
    return {name: {"iops": round(statistics.median(value[0] for value in values)),
                   "cpu_us": round(statistics.median(value[1] for value in values), 2)}
            for name, values in samples.items() if values}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=Path, help="the build directory")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--ms", type=int, default=1000, help="length of a measurement")
    parser.add_argument("--direct", action="store_true", help="past the host's page cache")
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--directory", help="where the image goes (not a tmpfs for --direct)")
    parser.add_argument("--output", metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    options.hull = str(options.build / "src/cli/hull")
    options.guest = str(options.build / "guest-firmware/x86_64/disk-bench")
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        options.disk = os.path.join(directory, "disk.img")
        with open(options.disk, "wb") as image:
            for _ in range(DISK_MIB):
                image.write(os.urandom(1 << 20))
            image.flush()
            os.fsync(image.fileno())  # or its writing back disturbs who is measured first
        rows = []
        print(f"{'':34} {'hull':>16} {'qemu':>16} {'fio on host':>16}  hull / qemu")
        for case in CASES:
            figures = measure(options, case, options.direct)
            rows.append({"case": case, "direct": options.direct, "figures": figures})
            cells = [f"{figures[name]['iops']:>8} {figures[name]['cpu_us']:>5} us"
                     if name in figures else "absent" for name in ("hull", "qemu", "fio")]
            ratio = (f"{figures['hull']['iops'] / figures['qemu']['iops']:.2f}"
                     if {"hull", "qemu"} <= set(figures) else "")
            label = "{} {} bytes, depth {}, queues {}".format(*case)
            print(f"{label:34} {cells[0]:>16} {cells[1]:>16} {cells[2]:>16}  {ratio}", flush=True)
    if options.output:
        Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
