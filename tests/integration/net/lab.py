"""A laboratory of network namespaces on one machine: nothing leaves it.

The test's own process becomes the host: it has the interface `wan0`, addresses of its own and a
resolver's configuration of its own. A cable leads to the outside, another namespace. The guest is a
third one, whose only interface is a tap that bridge.py joins to a stream of frames.
"""

import ctypes
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
NOBODY = 65534
SKIPPED = 77

HOST, HOST6 = "198.51.100.1", "2001:db8:1::1"
OUTSIDE, OUTSIDE6 = "198.51.100.2", "2001:db8:1::2"
HOST_OTHER = "203.0.113.7"  # an address of the host's on no interface that leads anywhere
RESOLVER = "127.0.0.153"
MAC = "52:54:00:12:34:56"
GUEST6 = "fd00::5054:ff:fe12:3456"  # what follows from MAC

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_REC, MS_PRIVATE, MS_BIND = 16384, 1 << 18, 4096
libc = ctypes.CDLL(None, use_errno=True)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def said(process):
    """What the process has printed since it was ready, without waiting for more."""
    readable, _, _ = select.select([process.stdout], [], [], 0)
    return os.read(process.stdout.fileno(), 4096).decode() if readable else ""


def wait_for(condition):
    """What it returns once that is true: a loaded machine takes as long as it takes."""
    end = time.monotonic() + 60
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError("it does not happen")
        time.sleep(0.02)
    return found


def enter_host():
    """This process gets a network, mounts and, unless it is root, users of its own."""
    root = os.geteuid() == 0
    flags = CLONE_NEWNET | CLONE_NEWNS | (0 if root else CLONE_NEWUSER)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(flags) != 0:
        skip("no namespaces of its own: " + os.strerror(ctypes.get_errno()))
    if not root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        skip("/dev/net/tun cannot be used")
    for program in ("ip", "nsenter", "unshare", "setpriv", "busybox"):
        if not shutil.which(program):
            skip(f"{program} is not installed")


class Lab:
    """The host's side and the outside; guests come and go."""

    def __init__(self, hull):
        self.processes = []
        while os.open("/dev/null", os.O_RDONLY) < 4:
            pass  # 3 and 4 are a helper's: nothing that Popen opens may stand there
        self.folder = tempfile.TemporaryDirectory(prefix="hull-net-")
        os.chmod(self.folder.name, 0o755)
        self.hull = shutil.copy(hull, self.folder.name)  # where nobody can read it, too
        self.privileged = Path("/proc/self/uid_map").read_text().split()[2] != "1"
        resolver = Path(self.folder.name, "resolv.conf")
        resolver.write_text(f"nameserver {RESOLVER}\n")
        if libc.mount(os.fsencode(resolver), b"/etc/resolv.conf", None, MS_BIND, None) != 0:
            skip("/etc/resolv.conf cannot be covered")
        self.outside = self.namespace()
        sh(f"""set -e
        ip link set lo up
        ip link add wan0 type veth peer name out0 netns {self.outside}
        ip address add {HOST}/24 dev wan0
        ip address add {HOST6}/64 dev wan0 nodad
        ip address add {HOST_OTHER}/32 dev lo
        ip link set wan0 up
        ip route add default via {OUTSIDE}
        ip -6 route add default via {OUTSIDE6}
        nsenter -t {self.outside} -n ip link set lo up
        nsenter -t {self.outside} -n ip address add {OUTSIDE}/24 dev out0
        nsenter -t {self.outside} -n ip address add {OUTSIDE6}/64 dev out0 nodad
        nsenter -t {self.outside} -n ip link set out0 up""")

    def close(self, first=0):
        """Ends what was started, from the first-th process on."""
        ending = self.processes[first:]
        del self.processes[first:]
        for process in reversed(ending):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()

    def start(self, words, namespace=None, **options):
        """A process that is ended with the laboratory; waits for the line that it is ready."""
        if namespace:
            words = ["nsenter", "-t", str(namespace), "-n", *words]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **options)
        self.processes.append(process)
        assert process.stdout.readline().strip() == "ready", words
        return process

    def namespace(self):
        """A network namespace, by the number of a process in it."""
        return self.start(["unshare", "-n", "sh", "-c", "echo ready; exec cat"],
                          stdin=subprocess.PIPE).pid

    def serve(self, what, *words, namespace=None):
        return self.start([PYTHON, str(HERE / "peers.py"), what, *map(str, words)], namespace)

    def ask(self, what, *words, namespace=None):
        """What a client prints; a failed one prints nothing, or why."""
        command = [PYTHON, str(HERE / "peers.py"), what, *map(str, words)]
        if namespace:
            command = ["nsenter", "-t", str(namespace), "-n", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    def unprivileged(self, words):
        """The words of a command without any capability, and as nobody where this can be."""
        change = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        if self.privileged:
            change += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return ["setpriv", *change, *words]

    def join_guest(self, stream, mtu, loss=0):
        """A guest at the end of the stream: its namespace. One in loss frames is lost; 0: none."""
        guest = self.namespace()
        self.start([PYTHON, str(HERE / "bridge.py"), str(stream.fileno()), "net0", MAC, str(mtu),
                    str(loss)],
                   guest, pass_fds=[stream.fileno()])
        return guest


class Helper:
    """hull's network process, started as hull run starts it."""

    def __init__(self, lab, nic, unprivileged=True):
        ours, theirs = socket.socketpair()
        status, status_end = os.pipe()
        words = [lab.hull, "net-helper", nic]
        if unprivileged:
            words = lab.unprivileged(words)

        def arrange():
            high = [os.dup2(fd, 100 + fd) for fd in (theirs.fileno(), status_end)]
            for fd, wanted in zip(high, (3, 4)):
                os.dup2(fd, wanted)

        # A sanitizer cannot look for leaks in a process that nobody may look into.
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        self.process = subprocess.Popen(words, preexec_fn=arrange, close_fds=False,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env=environment)
        theirs.close()
        os.close(status_end)
        with os.fdopen(status) as pipe:
            self.status = pipe.read()
        self.stream = ours

    def send(self, frame):
        self.stream.sendall(len(frame).to_bytes(4, "big") + frame)

    def close(self):
        if self.stream.fileno() >= 0:
            self.stream.shutdown(socket.SHUT_RDWR)  # a guest's bridge may have it, too
        self.stream.close()
        self.process.wait(60)
        self.process.stderr.close()
