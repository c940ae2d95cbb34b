"""Runs of freestanding guests that end with a line of results, and what they cost."""

import re
import resource
import subprocess


def _cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_once(command, guest):
    """(the fields of the guest's line, host CPU seconds of it all), or None."""
    before = _cpu_seconds()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, errors="replace", timeout=120,
                            check=False)
    used = _cpu_seconds() - before
    line = re.search(f"{guest}: result (.*)", result.stdout)
    if not line:
        print(f"no result: {result.stdout[-300:]}{result.stderr[-300:]}")
        return None
    return dict(word.partition("=")[::2] for word in line.group(1).split()), used


def run_twice(make_command, guest, count_field, milliseconds):
    """(the fields of a long run, host CPU microseconds per counted thing), or None.

    make_command(milliseconds) is the command of a run. A long and a short one: what they differ by
    is the things' own, without start-up.
    """
    short = run_once(make_command(milliseconds // 4), guest)
    long = run_once(make_command(milliseconds), guest)
    if not short or not long:
        return None
    things = float(long[0][count_field]) - float(short[0][count_field])
    if things <= 0:
        return None
    return long[0], max(long[1] - short[1], 0) * 1e6 / things
