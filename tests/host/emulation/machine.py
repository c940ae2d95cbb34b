"""Runs QEMU with an emulated host in it, passes on what the host says, and ends it in time.

All waiting is done in one place, Machine.run, and always until a deadline: whatever QEMU or the
host does, the run ends. QEMU is in a process group of its own and dies with this process.
"""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter

from .failure import HOST_ENDED, NOT_BOOTED, NOT_PREPARED, TIME_LIMIT, HostFailure

PR_SET_PDEATHSIG = 1
COMMAND_GRACE_SECONDS = 30  # for the host to end a command by itself, once its own limit is over
GET_GRACE_SECONDS = 120
SILENCE_SECONDS = 120  # many times what the host needs to say that it is alive; then it has frozen
STREAMS = ("stdout", "stderr")


class Splitter:
    """Takes one port's bytes apart into a command's output and the words of the host's init."""

    def __init__(self, mark):
        self._mark = mark
        self._buffer = b""

    def feed(self, data):
        """Yields (output, None) and (None, words) in order. Output is never held back, except
        for a few bytes which can be the beginning of a mark."""
        self._buffer += data
        while True:
            at = self._buffer.find(self._mark)
            output_end = at if at >= 0 else len(self._buffer) - self._partial_mark()
            if output_end > 0:
                yield self._buffer[:output_end], None
                self._buffer = self._buffer[output_end:]
            end = self._buffer.find(b"\n") if at >= 0 else -1
            if end < 0:
                return
            words = self._buffer[len(self._mark):end].decode(errors="replace").split()
            self._buffer = self._buffer[end + 1:]
            yield None, words

    def _partial_mark(self):
        for length in range(min(len(self._mark) - 1, len(self._buffer)), 0, -1):
            if self._buffer.endswith(self._mark[:length]):
                return length
        return 0


def command_line(architecture, options, kernel, initramfs, console_log, disks, ports):
    """The words that start QEMU. disks: {serial: (path, QEMU's way to open it)};
    ports: file descriptors."""
    qemu = shutil.which(architecture.qemu)
    if not qemu:
        raise HostFailure(NOT_PREPARED, f"there is no {architecture.qemu}: install the package "
                                        f"{architecture.qemu_package}")
    words = [f"console={architecture.console}", "quiet", "panic=-1", *architecture.kernel_words]
    line = [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            *architecture.machine, "-accel", "tcg,thread=multi",
            "-smp", str(options.cpus), "-m", options.memory,
            "-kernel", str(kernel), "-initrd", str(initramfs),
            "-append", " ".join([*words, *options.append]),
            "-chardev", f"file,id=console,path={_escape(console_log)}",
            "-serial", "chardev:console",
            "-device", "virtio-serial-pci"]
    for number, (stream, port) in enumerate(zip(STREAMS, ports), start=1):
        line += ["-chardev", f"socket,id={stream},fd={port}",
                 "-device", f"virtserialport,chardev={stream},nr={number},name={stream}"]
    for serial, (path, way) in disks.items():
        line += ["-drive", f"if=none,id={serial},format=raw,cache=unsafe,{way},"
                           f"file={_escape(path)}",
                 "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
    return line


def _escape(path):
    return str(path).replace(",", ",,")


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """One run of one host. sink: begin(index), output(index, stream, bytes), end(index, status)."""

    def __init__(self, mark, commands, sink, boot_seconds, total_seconds,
                 silence_seconds=SILENCE_SECONDS):
        self._silence_seconds = silence_seconds
        self._splitters = {stream: Splitter(mark.encode()) for stream in STREAMS}
        self._commands = commands
        self._sink = sink
        self._boot_seconds = boot_seconds
        self._total_seconds = total_seconds
        self._running = {stream: None for stream in STREAMS}  # index of the command
        self._seen = Counter()  # (verb, index): by how many streams
        self._finished = set()
        self._ready = False

    def run(self, make_command_line, error_log):
        """Returns when the host has run all commands; raises HostFailure otherwise."""
        pairs = [socket.socketpair() for _ in STREAMS]
        ours = {pair[0]: stream for pair, stream in zip(pairs, STREAMS)}
        theirs = [pair[1] for pair in pairs]
        numbers = [end.fileno() for end in theirs]
        with open(error_log, "wb") as errors:
            process = subprocess.Popen(
                make_command_line(numbers), stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors, pass_fds=numbers, start_new_session=True,
                preexec_fn=_die_with_parent)
        for end in theirs:
            end.close()
        try:
            self._follow(ours)
        finally:
            _kill(process)
            for end in ours:
                end.close()

    def _follow(self, ours):
        start = time.monotonic()
        self._total_deadline = start + self._total_seconds
        self._deadline = min(self._total_deadline, start + self._boot_seconds)
        heard = start
        open_ends = dict(ours)
        while len(self._finished) < len(STREAMS):
            if not open_ends:
                raise self._ended_early()
            now = time.monotonic()
            silent = heard + self._silence_seconds if self._ready else self._deadline
            left = min(self._deadline, silent) - now
            if left <= 0:
                raise self._too_late(now)
            readable = select.select(open_ends, [], [], left)[0]
            for end in readable:
                data = end.recv(1 << 16)
                heard = time.monotonic()
                if not data:
                    del open_ends[end]
                    continue
                for output, words in self._splitters[open_ends[end]].feed(data):
                    self._take(open_ends[end], output, words)

    def _take(self, stream, output, words):
        if output is not None:
            if self._running[stream] is not None:
                self._sink.output(self._running[stream], stream, output)
            return
        verb = words[0]
        if verb == "begin":
            self._running[stream] = int(words[1])
            if self._by_all(verb, words[1]):
                self._begin(int(words[1]))
        elif verb == "end":
            self._running[stream] = None
            if self._by_all(verb, words[1]):
                self._deadline = min(self._total_deadline, time.monotonic() + GET_GRACE_SECONDS)
                self._sink.end(int(words[1]), int(words[2]))
        elif verb == "ready":
            self._ready = True
        elif verb == "finished":
            self._finished.add(stream)
        elif verb == "fail":
            raise HostFailure(NOT_BOOTED, "the host is not usable: " + " ".join(words[1:]))

    def _by_all(self, verb, index):
        """Counts the streams which have said this. One stream can be ahead of the other, but both
        have ended a command before both have begun the next."""
        self._seen[verb, index] += 1
        return self._seen[verb, index] == len(STREAMS)

    def _begin(self, index):
        limit = self._commands[index].limit_seconds
        self._deadline = self._total_deadline
        if limit:
            own = time.monotonic() + limit + COMMAND_GRACE_SECONDS
            self._deadline = min(self._deadline, own)
        self._sink.begin(index)

    def _too_late(self, now):
        if now >= self._deadline == self._total_deadline:
            seconds = self._total_seconds
            return HostFailure(TIME_LIMIT, f"the time limit of {seconds} s is over")
        if not self._ready:
            seconds = self._boot_seconds
            return HostFailure(NOT_BOOTED, f"the host did not boot within {seconds} s")
        return HostFailure(TIME_LIMIT, "the host no longer answers")

    def _ended_early(self):
        if not self._ready:
            return HostFailure(NOT_BOOTED, "the host ended before it had booted")
        return HostFailure(HOST_ENDED, "the host ended while the command ran")


def _kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        pass  # it cannot run any more, and whoever waits for us shall not wait for it
