"""Virtual machines inside Python programs: libhull by ctypes. See docs/embedding.md.

    with hull.VM("-k", "vmlinuz", "-i", "initrd", memory="512M") as vm:
        vm.expect("login: $")
        vm.send("root\\n")

Any number of VMs, from any thread; none outlives this process. Times are seconds, None is for ever.
Regular expressions are POSIX extended ones. HULL_LIBRARY names another libhull.so.0, HULL_BINARY
another hull.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import os
import threading
import time
from types import TracebackType
from typing import Any, Callable, Iterable, Optional, Sequence, Type, Union

__all__ = ["HullError", "HullTimeout", "HullEnded", "Result", "VM", "run", "version"]

Option = Union[None, bool, int, str, "os.PathLike[str]", Iterable[Any]]

_SLICE_SECONDS = 0.25  # Ctrl-C is noticed between two slices of a long wait
_STATES = ("starting", "running", "paused", "panicked", "ended")


class HullError(Exception):
    """code: an errno; status: the exit status of hull where its end is the reason, or None."""

    def __init__(self, message: str, code: int, status: Optional[int]) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class HullTimeout(HullError, TimeoutError):
    """It did not happen in time."""


class HullEnded(HullError):
    """The VM has ended, or did not even start."""


@dataclasses.dataclass(frozen=True)
class Result:
    """How a command ended, and what it said."""

    status: int
    stdout: bytes
    stderr: bytes
    signal: Optional[int] = None  # that ended a command of VM.run

    @property
    def text(self) -> str:
        """Standard output as text, without the blanks at its end."""
        return self.stdout.decode(errors="replace").rstrip()

    def check(self) -> "Result":
        """Raises HullError unless the status is 0."""
        if self.status != 0:
            said = self.stderr.decode(errors="replace").strip()
            raise HullError(f"the command ended with status {self.status}: {said}", errno.ECHILD,
                            self.status)
        return self


class _Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("status", ctypes.c_int),
                ("message", ctypes.c_char * 1024)]


class _Match(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("groups", ctypes.POINTER(ctypes.c_char_p))]


class _Result(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int),
                ("output", ctypes.c_void_p), ("output_length", ctypes.c_size_t),
                ("errors", ctypes.c_void_p), ("errors_length", ctypes.c_size_t)]


class _ExecOptions(ctypes.Structure):
    _fields_ = [("environment", ctypes.POINTER(ctypes.c_char_p)), ("directory", ctypes.c_char_p),
                ("has_user", ctypes.c_int), ("user", ctypes.c_uint32), ("group", ctypes.c_uint32),
                ("input", ctypes.c_char_p), ("input_length", ctypes.c_size_t),
                ("output_max", ctypes.c_size_t)]


class _ExecResult(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("signal", ctypes.c_int),
                ("output", ctypes.c_void_p), ("output_length", ctypes.c_size_t),
                ("errors", ctypes.c_void_p), ("errors_length", ctypes.c_size_t)]


_Words = ctypes.POINTER(ctypes.c_char_p)
_VM = ctypes.c_void_p
_TextOut = ctypes.POINTER(ctypes.c_void_p)
_ErrorOut = ctypes.POINTER(_Error)

_SIGNATURES = {
    "vm_start": (_Words, ctypes.c_int, ctypes.POINTER(_VM), _ErrorOut),
    "vm_wait": (_VM, ctypes.c_int, ctypes.POINTER(ctypes.c_int), _ErrorOut),
    "vm_state": (_VM, ctypes.POINTER(ctypes.c_int), _ErrorOut),
    "vm_pause": (_VM, _ErrorOut),
    "vm_resume": (_VM, _ErrorOut),
    "vm_set_link": (_VM, ctypes.c_uint, ctypes.c_int, _ErrorOut),
    "vm_press_power_button": (_VM, _ErrorOut),
    "vm_stop": (_VM, _ErrorOut),
    "vm_kill": (_VM, _ErrorOut),
    "vm_send": (_VM, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, _ErrorOut),
    "vm_expect": (_VM, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Match), _ErrorOut),
    "vm_console": (_VM, _TextOut, _ErrorOut),
    "vm_messages": (_VM, _TextOut, _ErrorOut),
    "vm_wait_ready": (_VM, ctypes.c_int, _ErrorOut),
    "vm_exec": (_VM, _Words, ctypes.POINTER(_ExecOptions), ctypes.c_int,
                ctypes.POINTER(_ExecResult), _ErrorOut),
    "vm_copy_in": (_VM, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, _ErrorOut),
    "vm_copy_out": (_VM, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_int,
                    _ErrorOut),
    "run": (_Words, _Words, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int,
            ctypes.POINTER(_Result), _ErrorOut),
}


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ.get("HULL_LIBRARY", "libhull.so.0"))
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, f"hull_{name}")
        function.argtypes, function.restype = arguments, ctypes.c_int
    library.hull_vm_close.argtypes, library.hull_vm_close.restype = (_VM,), None
    library.hull_match_clear.argtypes = (ctypes.POINTER(_Match),)
    library.hull_match_clear.restype = None
    library.hull_result_clear.argtypes = (ctypes.POINTER(_Result),)
    library.hull_result_clear.restype = None
    library.hull_exec_result_clear.argtypes = (ctypes.POINTER(_ExecResult),)
    library.hull_exec_result_clear.restype = None
    library.hull_free.argtypes, library.hull_free.restype = (ctypes.c_void_p,), None
    library.hull_version.argtypes, library.hull_version.restype = (), ctypes.c_char_p
    return library


_library = _load()


def version() -> str:
    """libhull's."""
    return _library.hull_version().decode()


def _call(name: str, *arguments: Any) -> None:
    error = _Error()
    if getattr(_library, f"hull_{name}")(*arguments, ctypes.byref(error)) == 0:
        return
    code = -error.code
    kind: Type[HullError] = HullError
    if code == errno.ETIMEDOUT:
        kind = HullTimeout
    elif error.status >= 0 or code == errno.ESRCH:
        kind = HullEnded
    raise kind(error.message.decode(errors="replace"), code,
               error.status if error.status >= 0 else None)


def _milliseconds(seconds: Optional[float]) -> int:
    return -1 if seconds is None else min(max(0, round(seconds * 1000)), 2**31 - 1)


def _words(words: Sequence[Any]) -> Any:
    encoded = [os.fsencode(word if isinstance(word, (str, bytes)) else
                           os.fspath(word) if hasattr(word, "__fspath__") else str(word))
               for word in words]
    if any(b"\0" in word for word in encoded):
        raise ValueError("a word holds a NUL")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _options(positional: Sequence[Any], named: "dict[str, Option]") -> "list[Any]":
    """memory="1G" is --memory=1G, debug_exit=True --debug-exit, disk=[A, B] two --disk."""
    words = list(positional)
    for name, value in named.items():
        option = "--" + name.replace("_", "-")
        values: Any = [value]
        if isinstance(value, (list, tuple)):
            values = value
        for one in values:
            if one is True:
                words.append(option)
            elif one is not None and one is not False:
                words.append(f"{option}={os.fspath(one) if hasattr(one, '__fspath__') else one}")
    return words


def _in_slices(wait: Callable[[Optional[float]], None], timeout: Optional[float]) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        rest = None if deadline is None else deadline - time.monotonic()
        if rest is not None and rest <= _SLICE_SECONDS:
            wait(max(0.0, rest))
            return
        try:
            wait(_SLICE_SECONDS)
            return
        except HullTimeout:
            pass


def _aside(work: Callable[[], Any], give_up: Callable[[], None]) -> Any:
    """Works in a thread of its own, so that Ctrl-C gets through; give_up makes the work end."""
    outcome: "list[Any]" = []

    def run_it() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # pylint: disable=broad-except
            outcome.append(error)

    thread = threading.Thread(target=run_it, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_SLICE_SECONDS)
    except BaseException:
        give_up()
        raise
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class VM:
    """A VM; ended by close(), which a with statement calls, and when it is forgotten."""

    def __init__(self, *options: Any, start_timeout: Optional[float] = 60, **named: Option) -> None:
        self._vm: Optional[ctypes.c_void_p] = None
        self._process = os.getpid()
        vm = _VM()
        _call("vm_start", _words(_options(options, named)), _milliseconds(start_timeout),
              ctypes.byref(vm))
        self._vm = vm

    def _handle(self) -> ctypes.c_void_p:
        if self._vm is None:
            raise HullError("the VM is closed", errno.EBADF, None)
        if self._process != os.getpid():
            raise HullError("the VM is another process's", errno.EPERM, None)
        return self._vm

    def __enter__(self) -> "VM":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Ends the VM if it still runs. No thread may be using it."""
        vm, self._vm = getattr(self, "_vm", None), None
        if vm is not None and self._process == os.getpid():
            _library.hull_vm_close(vm)

    def expect(self, expression: str, timeout: Optional[float] = 60) -> "list[Optional[str]]":
        """Waits until the console has said it since the last match: the match and its groups."""
        match = _Match()

        def wait(seconds: Optional[float]) -> None:
            _call("vm_expect", self._handle(), os.fsencode(expression), _milliseconds(seconds),
                  ctypes.byref(match))

        _in_slices(wait, timeout)
        try:
            groups = [match.groups[i] for i in range(match.count)]
            return [None if group is None else group.decode(errors="replace") for group in groups]
        finally:
            _library.hull_match_clear(ctypes.byref(match))

    def send(self, words: Union[str, bytes], timeout: Optional[float] = 60) -> None:
        """To the console."""
        data = words.encode() if isinstance(words, str) else words
        _call("vm_send", self._handle(), data, len(data), _milliseconds(timeout))

    def wait(self, timeout: Optional[float] = None) -> int:
        """The VM's exit status, when it has ended."""
        status = ctypes.c_int()
        _in_slices(lambda seconds: _call("vm_wait", self._handle(), _milliseconds(seconds),
                                         ctypes.byref(status)), timeout)
        return status.value

    def wait_ready(self, timeout: Optional[float] = 60) -> None:
        """Waits until the guest takes commands (serve=True); the calls below do so themselves."""
        _in_slices(lambda seconds: _call("vm_wait_ready", self._handle(), _milliseconds(seconds)),
                   timeout)

    def _in_guest(self, name: str, *arguments: Any) -> None:
        handle = self._handle()
        done = threading.Event()

        def work() -> None:
            try:
                _call(name, handle, *arguments)
            finally:
                done.set()

        def give_up() -> None:
            _library.hull_vm_kill(handle, None)
            done.wait()

        _aside(work, give_up)

    def run(self, command: Sequence[Any], input: Optional[bytes] = None,
            env: "Optional[dict[str, str]]" = None, cwd: Optional[str] = None,
            user: "Union[None, int, tuple[int, int]]" = None,
            timeout: Optional[float] = 60, output_max: int = 0) -> Result:
        """Runs a command in the guest, found by PATH, and waits for its end.

        user is a UID or (UID, GID); output_max is in bytes of each stream, 0 for 64 MiB. When the
        time is over the command is killed. Ctrl-C ends the VM.
        """
        ids = (user, user) if isinstance(user, int) else user or (0, 0)
        options = _ExecOptions(
            _words([f"{name}={value}" for name, value in (env or {}).items()]),
            None if cwd is None else _words([cwd])[0], user is not None, ids[0], ids[1], input,
            len(input or b""), output_max)
        result = _ExecResult()
        self._in_guest("vm_exec", _words(command), ctypes.byref(options), _milliseconds(timeout),
                       ctypes.byref(result))
        try:
            return Result(result.status, ctypes.string_at(result.output, result.output_length),
                          ctypes.string_at(result.errors, result.errors_length),
                          result.signal or None)
        finally:
            _library.hull_exec_result_clear(ctypes.byref(result))

    def copy_in(self, host_path: "Union[str, os.PathLike[str]]", guest_path: str,
                timeout: Optional[float] = 60) -> None:
        """A regular file of the host's, with its permissions, to that name in the guest."""
        names = _words([host_path, guest_path])
        self._in_guest("vm_copy_in", names[0], names[1], _milliseconds(timeout))

    def copy_out(self, guest_path: str, host_path: "Union[str, os.PathLike[str]]",
                 timeout: Optional[float] = 60, bytes_max: int = 0) -> None:
        """The other way; bytes_max: 0 for 4 GiB."""
        names = _words([guest_path, host_path])
        self._in_guest("vm_copy_out", names[0], names[1], bytes_max, _milliseconds(timeout))

    @property
    def state(self) -> str:
        """starting, running, paused, panicked or ended."""
        state = ctypes.c_int()
        _call("vm_state", self._handle(), ctypes.byref(state))
        return _STATES[state.value]

    def pause(self) -> None:
        """Stops the vCPUs."""
        _call("vm_pause", self._handle())

    def resume(self) -> None:
        """Lets the vCPUs go on."""
        _call("vm_resume", self._handle())

    def set_link(self, nic: int, up: bool) -> None:
        """Plugs the cable of a NIC in, or pulls it; they count from 0."""
        _call("vm_set_link", self._handle(), nic, int(up))

    def press_power_button(self) -> None:
        """Asks the guest to power off; HullError if nobody in it listens."""
        _call("vm_press_power_button", self._handle())

    def stop(self) -> None:
        """Asks the guest to power off and ends it when --grace is over, as SIGTERM does to hull."""
        _call("vm_stop", self._handle())

    def kill(self) -> None:
        """Ends the VM at once."""
        _call("vm_kill", self._handle())

    def _text(self, name: str) -> str:
        text = ctypes.c_void_p()
        _call(name, self._handle(), ctypes.byref(text))
        try:
            return ctypes.string_at(text.value or 0).decode(errors="replace")
        finally:
            _library.hull_free(text)

    @property
    def console(self) -> str:
        """What the console said, at most the last MiB."""
        return self._text("vm_console")

    @property
    def messages(self) -> str:
        """What hull said on its standard error."""
        return self._text("vm_messages")


def _run(options: Sequence[Any], command: Sequence[Any], data: Optional[bytes],
         timeout: Optional[float]) -> Result:
    result = _Result()
    _call("run", _words(options), _words(command), data, len(data or b""), _milliseconds(timeout),
          ctypes.byref(result))
    try:
        return Result(result.status, ctypes.string_at(result.output, result.output_length),
                      ctypes.string_at(result.errors, result.errors_length))
    finally:
        _library.hull_result_clear(ctypes.byref(result))


def run(command: Sequence[Any], *options: Any, input: Optional[bytes] = None,
        timeout: Optional[float] = None, **named: Option) -> Result:
    """Runs a command in a VM of its own: hull run OPTION... -- COMMAND..."""
    # After Ctrl-C the VM ends with this process.
    return _aside(lambda: _run(_options(options, named), command, input, timeout), lambda: None)
