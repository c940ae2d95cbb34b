"""Builds Hull with gcc, clang, the sanitizers and for aarch64, runs the test suites and sums up.

Exits with 1 when a build or a test fails. A test that cannot run on this machine says why and is
listed at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

# The quick and telling ones first; a suite which is not named here comes last.
SUITE_ORDER = ("unit", "fuzz", "lint", "cli", "scripts", "guest", "host", "integration")


@dataclass(frozen=True)
class Variant:
    """One way to build Hull. suites: those it runs; None: all."""

    name: str
    directory: str
    compiler: str
    suites: tuple | None
    options: tuple = ()
    machine: str | None = None  # the one to build it on; None: any
    group: str | None = None  # of install-dependencies, that only it needs


VARIANTS = (
    Variant("gcc", "build/hull", "gcc", None),
    Variant("clang", "build/clang", "clang", ("unit", "lint")),
    Variant("asan", "build/asan", "clang", ("unit", "fuzz", "guest"),
            ("-Db_sanitize=address,undefined", "-Db_lundef=false")),
    Variant("tsan", "build/tsan", "clang", ("unit", "guest"),
            ("-Db_sanitize=thread", "-Db_lundef=false")),
    # Its unit tests run by qemu-user, and what boots Linux in an emulated Arm server.
    Variant("aarch64", "build/aarch64", "gcc", ("unit", "fuzz", "integration"),
            ("--cross-file", "meson/aarch64-linux-gnu.ini"), machine="x86_64", group="cross"),
)


@dataclass
class Totals:
    passed: int = 0
    failed: list = field(default_factory=list)  # names
    skipped: list = field(default_factory=list)  # (name, reason)

    def add_log(self, variant, log):
        """Counts what meson's log tells: one JSON object in a line for each test."""
        for line in log.read_text(errors="replace").splitlines():
            test = json.loads(line)
            name = f"{variant}: {test['name']}"
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                self.passed += 1
            elif test["result"] == "SKIP":
                self.skipped.append((name, last_line(test)))
            else:
                self.failed.append(f"{name} ({test['result'].lower()})")


def last_line(test):
    """A test that skips itself says why in its last words."""
    words = (test.get("stdout") or "") + (test.get("stderr") or "")
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it gives no reason"


def say(text):
    print(f"check: {text}", flush=True)


def build(variant):
    """Returns whether it went well; shows the output only if not."""
    commands = [["ninja", "-C", variant.directory]]
    if not Path(variant.directory, "build.ninja").exists():
        commands.insert(0, ["meson", "setup", *variant.options, variant.directory])
    for command in commands:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, text=True, errors="replace", check=False,
                                env={**os.environ, "CC": variant.compiler})
        if result.returncode != 0:
            print("\n".join(result.stdout.splitlines()[-60:]), flush=True)
            return False
    return True


def suites_of(variant):
    """The suites that the variant has, in the order to run them."""
    listing = subprocess.run(["meson", "introspect", "--tests", variant.directory], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    names = {suite.rpartition(":")[2] for test in json.loads(listing) for suite in test["suite"]}
    order = {name: place for place, name in enumerate(SUITE_ORDER)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def run_suite(variant, suite, totals):
    log = Path(variant.directory, "meson-logs", f"check-{suite}.json")
    log.unlink(missing_ok=True)
    subprocess.run(["meson", "test", "-C", variant.directory, "--no-rebuild", "--print-errorlogs",
                    "--logbase", f"check-{suite}", "--suite", suite],
                   stdin=subprocess.DEVNULL, check=False)
    if log.exists():
        totals.add_log(variant.name, log)
    else:
        totals.failed.append(f"{variant.name}: suite {suite} (meson ran no tests)")


def lacks(variant):
    """Why it cannot be built here, once what it needs was to be installed; None: it can be."""
    if not variant.group:
        return None
    installer = ["scripts/install-dependencies"]
    names = subprocess.run([*installer, "--list", variant.group], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    if not names:
        return "this distribution has its packages elsewhere"
    if subprocess.run([*installer, variant.group], check=False).returncode != 0:
        return f"scripts/install-dependencies {variant.group} failed"
    return None


def run_variant(variant, chosen, totals):
    started = time.monotonic()
    if reason := lacks(variant):
        totals.skipped.append((variant.name, reason))
        return
    say(f"building {variant.name} in {variant.directory}")
    if not build(variant):
        totals.failed.append(f"{variant.name}: build")
        return
    say(f"{variant.name} was built in {time.monotonic() - started:.0f} s")
    for suite in suites_of(variant):
        wanted = [chosen] if chosen else variant.suites
        if wanted is None or suite in wanted:
            say(f"{variant.name}: suite {suite}")
            run_suite(variant, suite, totals)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="check", description=__doc__.partition("\n\n")[0],
                                     epilog=__doc__.partition("\n\n")[2])
    parser.add_argument("--quick", action="store_true", help="only gcc and the unit tests")
    parser.add_argument("--suite", metavar="NAME",
                        help="only this suite, in the variants that run it")
    parser.add_argument("--variant", choices=[variant.name for variant in VARIANTS],
                        help="only this variant")
    options = parser.parse_args()
    if options.quick:
        options.variant, options.suite = "gcc", "unit"
    return options


def main():
    options = parse_arguments()
    started = time.monotonic()
    totals = Totals()
    for variant in VARIANTS:
        if variant.machine not in (None, os.uname().machine):
            continue
        if options.variant:
            chosen = variant.name == options.variant
        else:
            chosen = not (options.suite and variant.suites) or options.suite in variant.suites
        if chosen:
            run_variant(variant, options.suite, totals)
    if options.suite and not (totals.passed or totals.failed or totals.skipped):
        totals.failed.append(f"there is no suite '{options.suite}'")
    say(f"took {time.monotonic() - started:.0f} s")
    for name, reason in totals.skipped:
        say(f"skipped: {name}: {reason}")
    for name in totals.failed:
        say(f"failed: {name}")
    print(f"{totals.passed} passed, {len(totals.failed)} failed, {len(totals.skipped)} skipped")
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
