#!/usr/bin/env python3
"""Compare the start-up time and the private memory of Hull with the floor and with its peers.

Runs startup_timer (which does the timing) and prints medians, percentiles and ratios. Nothing here
passes or fails: the numbers of two hosts cannot be compared, the ratios of one run can.
"""

import argparse
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.json")
FORMAT = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", help="the build directory")
    parser.add_argument("--rounds", type=int, default=50, help="samples of each peer (50)")
    parser.add_argument("--hull", help="the hull to measure (BUILD/src/cli/hull)")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="the QEMU to compare with")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="a further peer; {guest} and {memory} are filled in")
    parser.add_argument("--samples", metavar="FILE",
                        help="evaluate lines that startup_timer printed elsewhere")
    parser.add_argument("--output", metavar="FILE", help="write samples and summary as JSON")
    parser.add_argument("--baseline", default=BASELINE, metavar="FILE", help="compare with this")
    parser.add_argument("--write-baseline", action="store_true",
                        help="store this run's summary as the baseline")
    arguments = parser.parse_args()
    if not arguments.build and not arguments.samples:
        parser.error("name a build directory, or --samples")
    return arguments


MEMORY_MIB = 512  # floor.c has the same


def peer_commands(arguments):
    """name -> command, or None where the program is not there."""
    build = arguments.build
    guest = os.path.join(build, "guest-firmware", "x86_64", "first-byte")
    memory = str(MEMORY_MIB)
    commands = {
        "floor": [os.path.join(build, "bench", "startup", "floor")],
        "hull": [arguments.hull or os.path.join(build, "src", "cli", "hull"), "run",
                 "-k", guest, "-m", memory],
        "qemu-microvm": [arguments.qemu, "-M", "microvm,acpi=off,rtc=off,pit=off,pic=off",
                         "-nodefaults", "-no-user-config", "-accel", "kvm", "-m", memory,
                         "-kernel", guest, "-display", "none", "-serial", "stdio"],
    }
    for peer in arguments.peer:
        name, _, command = peer.partition("=")
        commands[name] = [word.format(guest=guest, memory=memory) for word in command.split()]
    for name, command in commands.items():
        program = shutil.which(command[0])
        commands[name] = [program] + command[1:] if program else None
    return commands


def run_timer(arguments, commands):
    command = [os.path.join(arguments.build, "bench", "startup", "startup_timer"),
               str(arguments.rounds), str(MEMORY_MIB)]
    for name, words in commands.items():
        if words:
            command += ["--", name] + words
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def read_samples(path):
    """The lines may stand among others, as on a console."""
    samples = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = line.strip()
            if line.startswith('{"peer"'):
                samples.append(json.loads(line))
    return samples


def percentile(values, percent):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summarise(samples):
    summary = {}
    for name in dict.fromkeys(sample["peer"] for sample in samples):
        good = [s for s in samples if s["peer"] == name and "problem" not in s]
        problems = [s["problem"] for s in samples if s["peer"] == name and "problem" in s]
        entry = {"samples": len(good), "problems": sorted(set(problems))}
        if good:
            times = [s["first_byte_ns"] / 1e6 for s in good]
            entry["first_byte_ms"] = {
                "median": statistics.median(times), "min": min(times),
                "p10": percentile(times, 10), "p90": percentile(times, 90),
                "p99": percentile(times, 99), "max": max(times)}
            entry["gone_ms"] = statistics.median(s["gone_ns"] / 1e6 for s in good)
            entry["own_anonymous_kib"] = statistics.median(
                s["anonymous_kib"] - s["guest_anonymous_kib"] for s in good)
            entry["guest_anonymous_kib"] = statistics.median(
                s["guest_anonymous_kib"] for s in good)
            entry["file_kib"] = statistics.median(s["file_kib"] for s in good)
        summary[name] = entry
    return summary


def add_ratios(summary):
    """Hull's median against each other peer's."""
    hull = summary.get("hull", {}).get("first_byte_ms")
    return {name: hull["median"] / entry["first_byte_ms"]["median"]
            for name, entry in summary.items()
            if hull and name != "hull" and "first_byte_ms" in entry}


def describe_host():
    model, flags = "unknown", []
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    model = value.strip()
                elif key.strip() == "flags":
                    flags = value.split()
    except OSError:
        pass
    virtualisation = [flag for flag in ("vmx", "svm") if flag in flags]
    release = re.match(r"\d+(\.\d+)*", platform.release())
    return {"kernel": release.group(0) if release else "unknown", "cpu": model, "cpus": os.cpu_count(),
            "kvm": virtualisation[0] if virtualisation else "software",
            "load": round(os.getloadavg()[0], 2)}


def print_table(summary, ratios, absent):
    columns = ("peer", "n", "median", "p10", "p90", "p99", "hull is", "destroy", "own anon",
               "guest anon", "file")
    units = ("", "", "ms", "ms", "ms", "ms", "x", "ms", "KiB", "KiB", "KiB")
    rows = [columns, units]
    for name, entry in summary.items():
        if "first_byte_ms" not in entry:
            rows.append((name, "0") + ("-",) * (len(columns) - 2))
            continue
        times = entry["first_byte_ms"]
        rows.append((name, str(entry["samples"]), *(f"{times[key]:.2f}" for key in
                     ("median", "p10", "p90", "p99")),
                     f"{ratios[name]:.2f}" if name in ratios else "",
                     f"{entry['gone_ms']:.1f}", f"{entry['own_anonymous_kib']:.0f}",
                     f"{entry['guest_anonymous_kib']:.0f}", f"{entry['file_kib']:.0f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))))
    for name, entry in summary.items():
        for problem in entry["problems"]:
            print(f"{name}: {problem}")
    for name in absent:
        print(f"{name}: absent")


def compare(baseline_path, summary, ratios):
    try:
        with open(baseline_path, encoding="utf-8") as file:
            baseline = json.load(file)
    except FileNotFoundError:
        print(f"no baseline at {baseline_path}")
        return
    if baseline.get("format") != FORMAT:
        print(f"{baseline_path} has another format")
        return
    host = baseline["host"]
    print(f"\nagainst the baseline ({host['cpu']}, {host['kvm']}, kernel {host['kernel']}):")
    for name, before in baseline["ratios"].items():
        if name in ratios:
            print(f"  hull / {name}: {ratios[name]:.2f}, was {before:.2f} "
                  f"({(ratios[name] / before - 1) * 100:+.0f} %)")
    before = baseline["summary"].get("hull", {}).get("own_anonymous_kib")
    now = summary.get("hull", {}).get("own_anonymous_kib")
    if before is not None and now is not None:
        print(f"  hull's own anonymous memory: {now:.0f} KiB, was {before:.0f} KiB")


def rounded(value):
    """Three digits behind the point say more than the measurement does."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def write_json(path, document):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rounded(document), file, indent=1)
        file.write("\n")


def main():
    arguments = parse_arguments()
    absent = []
    if arguments.samples:
        samples = read_samples(arguments.samples)
    else:
        commands = peer_commands(arguments)
        absent = [name for name, command in commands.items() if not command]
        if len(absent) == len(commands):
            sys.exit("none of the peers is there: " + ", ".join(absent))
        samples = run_timer(arguments, commands)
    summary = summarise(samples)
    ratios = add_ratios(summary)
    document = {"format": FORMAT, "benchmark": "startup", "memory_mib": MEMORY_MIB,
                "host": describe_host(), "ratios": ratios, "summary": summary}
    print_table(summary, ratios, absent)
    compare(arguments.baseline, summary, ratios)
    if arguments.output:
        write_json(arguments.output, document | {"absent": absent, "samples": samples})
    if arguments.write_baseline:
        write_json(arguments.baseline, document)


if __name__ == "__main__":
    main()
