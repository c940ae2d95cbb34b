#!/usr/bin/env python3
"""The completion script, in bash: what it offers for beginnings of words.

usage: test_completion.py HULL
"""
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77

# The words as bash splits them (a word break at `=`), and what is offered for the last one.
CASES = [
    (["hull", "ru"], {"run"}),
    (["hull", ""], {"run", "doctor", "completion", "version", "help", "--help", "--version"}),
    (["hull", "ma"], set()),
    (["hull", "help", "doc"], {"doctor"}),
    (["hull", "completion", ""], {"bash"}),
    (["hull", "doctor", "--j"], {"--json"}),
    (["hull", "run", "--json"], set()),
    (["hull", "run", "--ker"], {"--kernel"}),
    (["hull", "run", "--on-"], {"--on-reboot", "--on-panic"}),
    (["hull", "run", "--mem"], {"--memory", "--mem"}),
    (["hull", "run", "--on-reboot", ""], {"exit", "reset"}),
    (["hull", "run", "--on-panic", "=", "p"], {"pause"}),
    (["hull", "run", "--on-panic", "="], {"exit", "pause"}),
    (["hull", "run", "--console", "s"], {"stdio", "socket="}),
    (["hull", "run", "--console", "=", "f"], {"file="}),
    (["hull", "run", "--console", "file", "=", "vm"], {"vmlinuz", "vm image"}),
    (["hull", "run", "--console", "=", "file", "=", "vml"], {"vmlinuz"}),
    (["hull", "run", "--kernel", "vm"], {"vmlinuz", "vm image"}),
    (["hull", "run", "-k", "vml"], {"vmlinuz"}),
    (["hull", "run", "vml"], {"vmlinuz"}),
    (["hull", "run", "--memory", ""], set()),
    (["hull", "run", "-m", "1G", "--ti"], {"--timeout", "--timing"}),
]


def complete(script, words, directory):
    program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE=""; '
               'for word; do [[ $word == = || ${COMP_LINE: -1} == = ]] || COMP_LINE+=" "; '
               'COMP_LINE+=$word; done; _hull; '
               '((${#COMPREPLY[@]})) && printf "%s\\n" "${COMPREPLY[@]}"; exit 0')
    result = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", script, *words], cwd=directory, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    assert not result.stderr, result.stderr.decode()
    return set(result.stdout.decode().splitlines())


def main():
    if not shutil.which("bash"):
        print("skipped: there is no bash")
        return SKIPPED
    with tempfile.TemporaryDirectory() as directory:
        script = os.path.join(directory, "script")
        for name in ("vmlinuz", "vm image"):
            with open(os.path.join(directory, name), "wb"):
                pass
        with open(script, "wb") as file:
            subprocess.run([sys.argv[1], "completion", "bash"], stdout=file, check=True)
        for words, expected in CASES:
            offered = complete(script, words, directory)
            assert offered == expected, (words, offered, expected)
    return 0


sys.exit(main())
