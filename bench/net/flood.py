#!/usr/bin/env python3
"""What a flood of received frames takes from the disk of the same VM. Needs root, for the taps.

A freestanding guest, net-flooded, reads its disk and takes all frames that come; disk and NIC are on
one I/O thread. Three kinds of runs take turns: without a flood; with the same flood into a tap that
nobody reads, which costs the host as much; and with the flood into the VM's own tap. Nothing here
passes or fails.
"""

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from guest_run import run_once  # noqa: E402

OWN, OTHER = "hullflood0", "hullflood1"
RUNS = {"quiet": None, "flood elsewhere": OTHER, "flood": OWN}


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def flood(options, interface):
    if not interface:
        yield
        return
    sender = subprocess.Popen([options.build / "bench/net/flood_sender", interface])
    try:
        yield
    finally:
        sender.kill()
        sender.wait()


def hold(stack, options, interface):
    """Keeps the tap open without ever reading it: the kernel takes no frame for one that is not."""
    holder = subprocess.Popen([options.build / "bench/net/tap_stream", "0", interface],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stack.callback(holder.wait)
    stack.callback(holder.kill)
    holder.stdout.readline()
    holder.send_signal(signal.SIGSTOP)


def measure(options, image, more):
    command = [options.build / "src/cli/hull", "run", "-k",
               options.build / "guest-firmware/x86_64/net-flooded", "-m", "512", "-d", image, "-n",
               f"tap={OWN}{more}", "--debug-exit", "--timeout", "100s", "-p", f"ms={options.ms}"]
    samples = {name: [] for name in RUNS}
    for _ in range(options.rounds):
        for name, interface in RUNS.items():
            with flood(options, interface):
                result = run_once([str(word) for word in command], "net-flooded")
            if result:
                samples[name].append({key: int(value) for key, value in result[0].items()})
    return {name: {key: round(statistics.median(sample[key] for sample in values))
                   for key in ("reads-per-s", "longest-us", "frames-per-s")}
            for name, values in samples.items() if values}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path, help="the build directory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ms", type=int, default=1000, help="length of a measurement")
    parser.add_argument("--output", metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    rows = {}
    with contextlib.ExitStack() as stack:
        for name in (OWN, OTHER):
            ip("tuntap", "add", "dev", name, "mode", "tap")
            stack.callback(ip, "link", "del", name)
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
            ip("link", "set", name, "up")
        hold(stack, options, OTHER)
        image = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "image"
        image.write_bytes(bytes(64 << 20))
        print(f"{'':34} {'reads/s':>9} {'longest us':>11} {'frames/s':>9}")
        for label, more in (("", ""), (", rx-rate=4M", ",rx-rate=4M")):
            rows[label] = measure(options, image, more)
            for name, values in rows[label].items():
                print(f"{name + label:34} {values['reads-per-s']:>9} {values['longest-us']:>11}"
                      f" {values['frames-per-s']:>9}", flush=True)
    if options.output:
        Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
