#!/usr/bin/env python3
"""Compare virtio-net of Hull with QEMU's on the same tap (vhost=off), in one run. Needs root.

The same freestanding guest, net-bench, drives both VMMs; they take turns. Nothing here passes or
fails: the ratios of one run are what can be compared.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from guest_run import run_twice  # noqa: E402

TAP = "hullbench0"
CASES = [  # label, the guest's words
    ("send 60 bytes", "op=send bytes=60"),
    ("send 1514 bytes", "op=send bytes=1514"),
    ("send 64 KiB segments", "op=send bytes=65549 segment=1448"),
    ("echo 60 bytes, one at a time", "op=echo bytes=60 depth=1"),
    ("echo 60 bytes", "op=echo bytes=60"),
    ("echo 1514 bytes", "op=echo bytes=1514"),
]


def run_guest(make_command, options, words):
    """(frames per second, MiB per second, host CPU microseconds per frame), or None."""
    result = run_twice(lambda ms: make_command(options, f"{words} ms={ms}"), "net-bench", "frames",
                       options.ms)
    if not result:
        return None
    fields, cpu_us = result
    return float(fields["frames-per-s"]), float(fields["mib-per-s"]), cpu_us


def hull_command(options, words):
    return [options.hull, "run", "-k", options.guest, "-m", "512", "-n", f"tap={TAP}",
            "--debug-exit", "--timeout", "100s", "-p", words]


def qemu_command(options, words):
    return [options.qemu, "-M", "q35", "-accel", "kvm", "-m", "512", "-nodefaults",
            "-display", "none", "-serial", "stdio", "-no-reboot", "-device",
            "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", options.guest, "-append", words,
            "-netdev", f"tap,id=n,ifname={TAP},script=no,downscript=no,vhost=off", "-device",
            "virtio-net-pci,disable-legacy=on,netdev=n,romfile="]


def measure(options, words):
    peers = {"hull": lambda: run_guest(hull_command, options, words)}
    if shutil.which(options.qemu):
        peers["qemu"] = lambda: run_guest(qemu_command, options, words)
    samples = {name: [] for name in peers}
    for index in range(options.rounds):
        # A CPU that was idle is slow for a while, to the next one's loss.
        for name in list(peers) if index % 2 else reversed(peers):
            sample = peers[name]()
            if sample:
                samples[name].append(sample)
    return {name: {"frames_per_s": round(statistics.median(value[0] for value in values)),
                   "mib_per_s": round(statistics.median(value[1] for value in values)),
                   "cpu_us": round(statistics.median(value[2] for value in values), 2)}
            for name, values in samples.items() if values}


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=Path, help="the build directory")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--ms", type=int, default=1000, help="length of a measurement")
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--output", metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    options.hull = str(options.build / "src/cli/hull")
    options.guest = str(options.build / "guest-firmware/x86_64/net-bench")
    ip("tuntap", "add", "dev", TAP, "mode", "tap")
    rows = []
    try:
        # The guest answers no ARP, and the host is to say nothing by itself.
        Path(f"/proc/sys/net/ipv6/conf/{TAP}/disable_ipv6").write_text("1")
        ip("addr", "add", "10.99.0.1/24", "dev", TAP)
        ip("link", "set", TAP, "up")
        ip("neigh", "add", "10.99.0.2", "lladdr", "02:01:02:03:04:05", "dev", TAP)
        mac = Path(f"/sys/class/net/{TAP}/address").read_text().strip().replace(":", "")
        print(f"{'':30} {'hull':>20} {'qemu':>20}  hull / qemu: frames, CPU a frame")
        for label, words in CASES:
            if "echo" in words:
                words += f" mac=0x{mac}"
            figures = measure(options, words)
            rows.append({"case": label, "figures": figures})
            cells = [f"{figures[name]['frames_per_s']:>8}/s {figures[name]['cpu_us']:>6} us"
                     if name in figures else "absent" for name in ("hull", "qemu")]
            ratio = ""
            if {"hull", "qemu"} <= set(figures):
                ratio = (f"{figures['hull']['frames_per_s'] / figures['qemu']['frames_per_s']:.2f}"
                         f" {figures['hull']['cpu_us'] / max(figures['qemu']['cpu_us'], .01):.2f}")
            print(f"{label:30} {cells[0]:>20} {cells[1]:>20}  {ratio}", flush=True)
    finally:
        ip("link", "del", TAP)
    if options.output:
        Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
