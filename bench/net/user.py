#!/usr/bin/env python3
"""Compare the rootless network of Hull with QEMU's (-netdev user) and with passt, in one run.

No VM: a Linux in a network namespace of its own speaks Ethernet to each, by a tap and a stream of
frames, to a peer in another namespace. Both are there for Hull's and QEMU's device as well, so what
is compared is the network process. Nothing here passes or fails.

usage: user.py BUILD_DIRECTORY [--seconds N] [--rounds N] [--output FILE]. As root, or where users may
make namespaces.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration/net"))

import lab as laboratory  # noqa: E402

CASES = {  # iperf3's words, from the guest
    "TCP, guest sends": [],
    "TCP, guest receives": ["-R"],
    "TCP, 8 connections": ["-P", "8"],
    "UDP, guest sends 1400 bytes": ["-u", "-b", "0", "-l", "1400"],
}
ROUND_TRIPS = "TCP round trips"


class Peer:
    """A network process, and a guest on it."""

    def __init__(self, lab, build, name, mtu):
        self.name, self.lab = name, lab
        self.stream, theirs = socket.socketpair()
        self.process = self.start(theirs, mtu)
        theirs.close()
        self.guest = lab.namespace()
        lab.start([str(build / "bench/net/tap_stream"), str(self.stream.fileno()), "net0"],
                  self.guest, pass_fds=[self.stream.fileno()])
        address, gateway = self.addresses()
        laboratory.sh(f"""nsenter -t {self.guest} -n sh -ec '
        ip link set lo up
        ip link set net0 address {laboratory.MAC} mtu {mtu} up
        ip address add {address}/24 dev net0
        ip route add default via {gateway}'""")

    def addresses(self):
        return "10.0.2.15", "10.0.2.2"

    def spawn(self, words, theirs):
        process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.lab.processes.append(process)
        return process.pid

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def inside(self, words):
        return subprocess.run(["nsenter", "-t", str(self.guest), "-n", *words], text=True,
                              capture_output=True, check=True).stdout


class Hull(Peer):
    def start(self, theirs, mtu):
        helper = laboratory.Helper(self.lab, f"user,mtu={mtu}")
        self.stream.close()
        self.stream = helper.stream
        return helper.process.pid


class Qemu(Peer):
    def start(self, theirs, mtu):
        return self.spawn(
            ["qemu-system-x86_64", "-machine", "none", "-display", "none", "-nodefaults",
             "-netdev", "user,id=user", "-netdev", "hubport,id=left,hubid=0,netdev=user",
             "-netdev", f"stream,id=stream,server=off,addr.type=fd,addr.str={theirs.fileno()}",
             "-netdev", "hubport,id=right,hubid=0,netdev=stream"], theirs)


class Passt(Peer):
    def start(self, theirs, mtu):
        return self.spawn(["passt", "--quiet", "--foreground", "--fd", str(theirs.fileno()),
                           "--mtu", str(mtu), "--no-map-gw"], theirs)

    def addresses(self):
        return laboratory.HOST, laboratory.OUTSIDE


class Server:
    """iperf3 in the outside, for one test: connections of an earlier one may still linger."""

    def __init__(self, lab):
        self.process = subprocess.Popen(["nsenter", "-t", str(lab.outside), "-n", "iperf3", "-s"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sockets = Path(f"/proc/{self.process.pid}/net/tcp6")
        laboratory.wait_for(lambda: " 0A " in "".join(
            line for line in sockets.read_text().splitlines() if ":1451 " in line))  # 5201

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def measure(peer, words, seconds):
    """(MiB per second as the receiver saw them, CPU seconds of the process per GiB)."""
    with Server(peer.lab):
        before = peer.cpu_seconds()
        report = json.loads(peer.inside(["iperf3", "-c", laboratory.OUTSIDE, "-t", str(seconds),
                                         "-J", *words]))
        used = peer.cpu_seconds() - before
    if "error" in report:
        raise SystemExit(f"{peer.name}: iperf3 {words}: {report['error']}")
    end = report["end"]
    moved = end["sum_received"]["bytes"] if "sum_received" in end else end["sum"]["bytes"]
    if "-u" in words:
        moved *= 1 - end["sum"]["lost_percent"] / 100
    return moved / seconds / (1 << 20), used / (moved / (1 << 30)) if moved else 0


def round_trips(peer, seconds):
    """(round trips per second, CPU microseconds of the process for each)."""
    before = peer.cpu_seconds()
    count = int(peer.inside([laboratory.PYTHON, str(ROOT / "tests/integration/net/peers.py"),
                             "tcp_round_trips", laboratory.OUTSIDE, "5202", str(seconds)]))
    used = peer.cpu_seconds() - before
    return count / seconds, used / count * 1e6


def run(options, lab):
    build = options.build.resolve()
    lab.serve("tcp_echo", laboratory.OUTSIDE, 5202, namespace=lab.outside)
    peers = [Hull(lab, build, "hull", 65520), Hull(lab, build, "hull, MTU 1500", 1500)]
    for program, kind, name, mtu in (("qemu-system-x86_64", Qemu, "qemu", 1500),
                                     ("passt", Passt, "passt", 65520)):
        if shutil.which(program):
            peers.append(kind(lab, build, name, mtu))
        else:
            print(f"{program} is not installed")
    time.sleep(2)  # QEMU says nothing when it is ready
    results = {}
    for _ in range(options.rounds):
        for peer in peers:
            for case, words in CASES.items():
                results.setdefault((case, peer.name), []).append(
                    measure(peer, words, options.seconds))
            results.setdefault((ROUND_TRIPS, peer.name), []).append(
                round_trips(peer, options.seconds))
    return results


def show(results):
    summary = {}
    print(f"{'':28} {'':16} {'median':>9}          {'CPU':>7}")
    for (case, name), samples in sorted(results.items()):
        rate = statistics.median(sample[0] for sample in samples)
        cost = statistics.median(sample[1] for sample in samples)
        units = ("per s", "us each") if case == ROUND_TRIPS else ("MiB/s", "s/GiB")
        print(f"{case:28} {name:16} {rate:9.0f} {units[0]:7} {cost:7.2f} {units[1]}")
        summary.setdefault(case, {})[name] = {"rate": rate, "cpu": cost}
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    laboratory.enter_host()
    lab = laboratory.Lab(options.build / "src/cli/hull")
    try:
        summary = show(run(options, lab))
    finally:
        lab.close()
    if options.output:
        options.output.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
