"""Where the output of the commands goes: straight through, or into a log each with TAP lines.

TAP is the Test Anything Protocol, version 13, which meson and many others read.
"""

import json
import os
import select
import sys
import time

SKIPPED = 77  # the exit status by which a test says so, as in Automake and meson
SHOWN_LOG_LINES = 20


class OutputClosed(Exception):
    """Nobody reads our output any more."""


class PassThrough:
    """One command: its output is ours, byte for byte, and so is its status."""

    def __init__(self, deadline):
        self.status = None
        self._deadline = deadline

    def begin(self, index):
        pass

    def output(self, index, stream, data):
        descriptor = {"stdout": 1, "stderr": 2}[stream]
        view = memoryview(data)
        while view:
            # A reader who does not read must not keep us beyond the time limit.
            left = max(self._deadline - time.monotonic(), 0)
            if not select.select([], [descriptor], [], left)[1]:
                raise OutputClosed()
            try:
                view = view[os.write(descriptor, view[:select.PIPE_BUF]):]
            except BrokenPipeError:
                raise OutputClosed() from None

    def end(self, index, status):
        self.status = status


class Results:
    """A list of tests: a TAP line for each, logs in NAME.stdout and NAME.stderr, results.json."""

    def __init__(self, directory, commands):
        self._directory = directory
        self._commands = commands
        self._logs = {}
        self._started = {}  # index: time
        self._records = []
        directory.mkdir(parents=True, exist_ok=True)
        print("TAP version 13", f"1..{len(commands)}", sep="\n", flush=True)

    def begin(self, index):
        self._started[index] = time.monotonic()

    def _log_path(self, index, stream):
        return self._directory / f"{self._commands[index].name}.{stream}"

    def output(self, index, stream, data):
        key = (index, stream)
        if key not in self._logs:
            self._logs[key] = open(self._log_path(index, stream), "wb", buffering=0)
        self._logs[key].write(data)

    def end(self, index, status):
        seconds = time.monotonic() - self._started[index]
        command = self._commands[index]
        for stream in ("stdout", "stderr"):
            self.output(index, stream, b"")
            self._logs.pop((index, stream)).close()
        if status == 0:
            result, reason = "passed", None
        elif status == SKIPPED:
            lines = self._tail(index)
            result, reason = "skipped", lines[-1] if lines else "it gives no reason"
        elif status == 128 + 9 and command.limit_seconds and seconds >= command.limit_seconds:
            result, reason = "failed", f"its time limit of {command.limit_seconds} s is over"
        else:
            result, reason = "failed", f"exit status {status}"
        self._record(index, result, reason, status, seconds)

    def _record(self, index, result, reason, status, seconds):
        name = self._commands[index].name
        self._records.append({"name": name, "result": result, "reason": reason, "status": status,
                              "seconds": round(seconds, 3)})
        line = f"{'not ok' if result == 'failed' else 'ok'} {index + 1} - {name}"
        if result == "skipped":
            line += f" # SKIP {reason}"
        print(line, flush=True)
        print(f"# {name}: {seconds:.1f} s" + (f", {reason}" if result == "failed" else ""),
              flush=True)
        if result == "failed":
            for text in self._tail(index):
                print(f"#   {text}", flush=True)

    def _tail(self, index):
        lines = []
        for stream in ("stdout", "stderr"):
            path = self._log_path(index, stream)
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:]
        return [line for line in lines if line.strip()]

    def close(self, failure):
        """Accounts for the tests which did not come to an end and writes results.json. Returns
        whether all is well."""
        for index in range(len(self._records), len(self._commands)):
            began = index in self._started
            reason = str(failure) if began else "not run: the host is gone"
            seconds = time.monotonic() - self._started[index] if began else 0.0
            self._record(index, "failed", reason, None, seconds)
        for log in self._logs.values():
            log.close()
        (self._directory / "results.json").write_text(json.dumps({
            "host": str(failure) if failure else None,
            "tests": self._records,
        }, indent=1) + "\n")
        sys.stdout.flush()
        return all(record["result"] != "failed" for record in self._records)
