#!/usr/bin/env python3
"""Nanoseconds that the virtqueue core takes for one chain: pop, push and its share of the flush.

Runs virtq_timer and prints medians. Build with --buildtype=release; nothing here passes or fails.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "startup"))

from startup import describe_host, percentile, write_json  # noqa: E402

FORMAT = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", help="the build directory")
    parser.add_argument("--rounds", type=int, default=20, help="samples of each case (20)")
    parser.add_argument("--output", metavar="FILE", help="write samples and summary as JSON")
    return parser.parse_args()


def summarise(samples):
    cases = {}
    for sample in samples:
        key = f"{sample['ring']}, {sample['chain']}, batch {sample['batch']}"
        cases.setdefault(key, []).append(sample["ns"])
    return {key: {"samples": len(values), "median_ns": statistics.median(values),
                  "min_ns": min(values), "p90_ns": percentile(values, 90)}
            for key, values in cases.items()}


def print_table(summary):
    width = max(len(key) for key in summary)
    print(f"{'ns a chain':{width}}  median     min     p90")
    for key, entry in summary.items():
        print(f"{key:{width}}  {entry['median_ns']:6.1f}  {entry['min_ns']:6.1f}  "
              f"{entry['p90_ns']:6.1f}")


def main():
    arguments = parse_arguments()
    command = [os.path.join(arguments.build, "bench", "virtq", "virtq_timer"),
               str(arguments.rounds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    samples = [json.loads(line) for line in output.splitlines()]
    summary = summarise(samples)
    print_table(summary)
    if arguments.output:
        write_json(arguments.output, {"format": FORMAT, "benchmark": "virtq",
                                      "host": describe_host(), "summary": summary,
                                      "samples": samples})


if __name__ == "__main__":
    main()
