#!/usr/bin/env python3
"""Is every record that disk-writer saw acknowledged in the image, whole?

    check_records.py CONSOLE_LOG IMAGE

Reads what the guest printed (guest-firmware/disk/disk_writer.c has the format) up to where it was
cut off, and then the image. Prints one line; status 0 when nothing acknowledged is missing, 1 when
something is, 2 when the log says nothing about any record. Records behind the last acknowledged one
may be there or not, or torn.
"""
import argparse
import re
import struct
import sys

MAGIC = 0x314345524C4C5548
MASK = (1 << 64) - 1
START = re.compile(rb"disk-writer: start run (\d+) first (\d+) record (\d+) capacity (\d+)\n")
ACK = re.compile(rb"disk-writer: ack (\d+)\n")
EXAMPLES = 5


def problem_of(data, number, run, record):
    """What is wrong with the record's bytes, or None."""
    if len(data) != record:
        return "the image ends in it"
    words = struct.unpack(f"<{record // 8}Q", data)
    if words[0] != MAGIC:
        return "not there" if not any(words) else "no magic number"
    if words[1:4] != (number, run, record):
        return "it is number %d of run %d, %d bytes" % words[1:4]
    if sum(words[:-1]) & MASK != words[-1]:
        return "torn"
    return None


def check(image, first, last, run, record):
    """Pairs of number and problem for all bad ones of the records first to last."""
    bad = []
    for number in range(first, last + 1):
        image.seek(number * record)
        problem = problem_of(image.read(record), number, run, record)
        if problem:
            bad.append((number, problem))
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", help="what the guest wrote to its console")
    parser.add_argument("image", help="the disk it wrote to")
    arguments = parser.parse_args()
    with open(arguments.log, "rb") as file:
        log = file.read()
    start = START.search(log)
    if not start:
        print("check_records: the guest never started to write")
        return 2
    run, first, record, capacity = (int(value) for value in start.groups())
    acknowledged = [int(value) for value in ACK.findall(log, start.end())]
    last = max(acknowledged, default=first - 1)
    if last >= capacity:
        print(f"check_records: record {last} cannot be on a disk of {capacity}")
        return 1
    with open(arguments.image, "rb") as image:
        bad = check(image, first, last, run, record)
    print(f"check_records: run {run}, {last + 1 - first} acknowledged, {len(bad)} missing or torn")
    for number, problem in bad[:EXAMPLES]:
        print(f"check_records: record {number}: {problem}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
