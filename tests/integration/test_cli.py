#!/usr/bin/env python3
"""The built program as scripts see it: one line and status 116 for every wrong word, output that
cannot be written is noticed, missing standard descriptors do no harm, a dry run reads back.

usage: test_cli.py HULL
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HULL = sys.argv.pop(1)
USAGE, INPUT, NO_KVM, FAILED = 116, 117, 118, 125

BAD_USAGE = [
    [],
    [""],
    ["rum"],
    ["kernel"],
    ["-k", "x"],
    ["--bogus"],
    ["run"],
    ["run", ""],
    ["run", "a", "b"],
    ["run", "-k", "a", "b"],
    ["run", "-k"],
    ["run", "-k", ""],
    ["run", "--kernal", "x"],
    ["run", "-kernel", "x"],
    ["run", "x", "-d", ""],
    ["run", "x", "-d", ",ro"],
    ["run", "x", "-d", "disk,qcow2"],
    ["run", "x", "-d", "disk,ro,ephemeral"],
    ["run", "x", "-d", "disk,cache=none"],
    ["run", "x", "-d", "disk,queues=0"],
    ["run", "x", "-d", "disk,serial=" + "x" * 21],
    ["run", "x", "-d", "disk,rate=fast"],
    ["run", "x", "-n", "bridge"],
    ["run", "x", "-n", "tap,mac=1"],
    ["run", "x", "-n", "none", "-n", "user"],
    ["run", "x", "--ip", "10.0.0.1"],
    ["run", "x", "--transport", "isa"],
    ["run", "x", "--io-threads", "0"],
    ["run", "x", "--io-engine", "aio"],
    ["run", "x", "--io-poll", "1ms"],
    ["run", "x", "--io-poll", "10001"],
    ["run", "-n", "x"],
    ["run", "--json", "x"],
    ["run", "x", "-m", "0"],
    ["run", "x", "-m", "1E"],
    ["run", "x", "-m", "17T"],
    ["run", "x", "-m", "-1"],
    ["run", "x", "-m", ""],
    ["run", "x", "-m", "1\n2"],
    ["run", "x", "-m", "9" * 100000],
    ["run", "x", "-c", "0"],
    ["run", "x", "-c", "9999"],
    ["run", "x", "--cpu", "avx"],
    ["run", "x", "--console", "tty"],
    ["run", "x", "--console", "file"],
    ["run", "x", "--console", "file="],
    ["run", "x", "--name", "a b"],
    ["run", "x", "--name", "\033[31m"],
    ["run", "x", "--uuid", "0"],
    ["run", "x", "--timeout", "soon"],
    ["run", "x", "--grace", "-1s"],
    ["run", "x", "--on-reboot", "halt"],
    ["run", "x", "--on-panic", "halt"],
    ["run", "x", "--timing=yes"],
    ["run", "x", "--hugepages", "-m", "1M"],
    ["run", "x", "--config"],
    ["run", "x", "--"],
    ["version", "--", "true"],
    ["run", "x", "--env", "A=b"],
    ["run", "--" + "x" * 100000],
    ["doctor", "x"],
    ["doctor", "-m", "1G"],
    ["version", "x"],
    ["help", "x"],
    ["help", "run", "x"],
    ["completion", "fish"],
    ["man", "x"],
]


def hull(*words, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        [HULL, *words], stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
        timeout=60, check=False, **options)


def close(*fds):
    def closer():
        for fd in fds:
            os.close(fd)
    return closer


class Cli(unittest.TestCase):
    def assert_one_line(self, stderr):
        self.assertRegex(stderr, rb"\Ahull: [^\n]+\n\Z")
        self.assertFalse([byte for byte in stderr[:-1] if byte < 32 or byte == 127])

    def test_bad_usage(self):
        for words in BAD_USAGE:
            with self.subTest(words=[word[:40] for word in words]):
                result = hull(*words)
                self.assertEqual(result.returncode, USAGE)
                self.assertEqual(result.stdout, b"")
                self.assert_one_line(result.stderr)

    def test_bad_files(self):
        cases = [
            (b"memory 0\n", USAGE, b":1: memory: '0' is not a size"),
            (b"\nmemry 1G\n", USAGE, b":2: unknown option 'memry': did you mean 'memory'?"),
            (b"config x\n", USAGE, b":1: config is for the command line only"),
            (b"kernel a\0b\n", USAGE, b":1: a NUL byte"),
            (b"append " + b"x" * 9000, USAGE, b":1: longer than 8192 bytes"),
            (b"#\n" * 40000, INPUT, b": a configuration file has at most 65536 bytes"),
        ]
        for contents, status, sentence in cases:
            with self.subTest(contents=contents[:40]), tempfile.NamedTemporaryFile() as file:
                file.write(contents)
                file.flush()
                result = hull("run", "x", "--dry-run", "--config", file.name)
                self.assertEqual(result.returncode, status)
                self.assertIn(sentence, result.stderr)
                self.assert_one_line(result.stderr)
        result = hull("run", "--config", "/nonexistent/file")
        self.assertEqual(result.returncode, INPUT)
        self.assert_one_line(result.stderr)

    def test_dry_run_reads_back(self):
        first = hull("run", "no such kernel", "-p", 'a="b c" # d', "-m", "96", "--timing",
                     "--dry-run", "--cpu=-avx", "--console=file=/no/such")
        self.assertEqual((first.returncode, first.stderr), (0, b""))
        self.assertIn(b'kernel "no such kernel"\n', first.stdout)
        self.assertIn(b"memory 96M\n", first.stdout)
        self.assertRegex(first.stdout, rb'# cmdline: [^\n]*a="b c" # d\n\Z')
        second = hull("run", "--config", "/dev/stdin", "--dry-run", stdin=None,
                      input=first.stdout)
        self.assertEqual((second.returncode, second.stderr), (0, b""))
        self.assertEqual(first.stdout, second.stdout)

    def test_words_without_a_command(self):
        self.assertRegex(hull("--version").stdout, rb"\Ahull \d+\.\d+\.\d+\n\Z")
        self.assertEqual(hull("--version").stdout, hull("version").stdout)
        self.assertEqual(hull("-h").stdout, hull("help").stdout)
        self.assertEqual(hull("run", "--help").stdout, hull("help", "run").stdout)
        self.assertEqual(hull("-h").returncode, 0)

    def test_output_that_cannot_be_written(self):
        for words in (["help"], ["help", "run"], ["version"], ["completion"], ["man"],
                      ["run", "x", "--dry-run"], ["doctor"]):
            with self.subTest(words=words):
                with open("/dev/full", "wb") as full:
                    result = hull(*words, stdout=full)
                self.assertEqual(result.returncode, FAILED)
                self.assert_one_line(result.stderr)
                result = hull(*words, stdout=None, preexec_fn=close(1))
                self.assertEqual(result.returncode, FAILED)
                self.assert_one_line(result.stderr)

    def test_reader_that_has_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = hull("help", stdout=writer)
        os.close(writer)
        self.assertEqual((result.returncode, result.stderr), (128 + 13, b""))

    def test_missing_descriptors(self):
        self.assertEqual(hull("version", preexec_fn=close(0)).returncode, 0)
        self.assertEqual(hull("version", preexec_fn=close(2)).returncode, 0)
        self.assertEqual(hull("run", preexec_fn=close(2)).returncode, USAGE)
        self.assertEqual(hull("run", preexec_fn=close(0, 1, 2)).returncode, USAGE)
        result = hull("run", "--config", "/nonexistent/file", preexec_fn=close(0, 1))
        self.assertEqual(result.returncode, INPUT)

    def test_doctor(self):
        result = hull("doctor")
        self.assertIn(result.returncode, (0, NO_KVM))
        self.assertEqual(result.stderr, b"")
        self.assertNotIn(b"\033", result.stdout)
        self.assertRegex(result.stdout, rb"(?m)^io_uring +(ok|limited|missing) ")
        self.assertTrue(all(len(line) < 80 for line in result.stdout.splitlines()))
        report = json.loads(hull("doctor", "--json").stdout)
        self.assertEqual(report["usable"], result.returncode == 0)
        findings = {finding["name"]: finding for finding in report["findings"]}
        self.assertEqual(findings["kvm"]["state"] == "missing", "kvm needed" not in findings)
        for finding in report["findings"]:
            self.assertIn(finding["state"], ("ok", "limited", "missing"))
            self.assertTrue(finding["detail"])


if __name__ == "__main__":
    unittest.main()
