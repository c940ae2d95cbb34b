#!/usr/bin/env python3
"""The network's process of --net user, as a user without privileges runs it: what a guest gets, what
it cannot reach, what is published, how it is confined and how it ends. All in network namespaces.

usage: test_net_user.py HULL [NAME]...
"""

import hashlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "net"))

import frames  # noqa: E402
import lab as laboratory  # noqa: E402
import peers  # noqa: E402
from lab import (GUEST6, HOST, HOST6, HOST_OTHER, OUTSIDE, OUTSIDE6, RESOLVER, sh,  # noqa: E402
                 wait_for)

HULL = os.path.abspath(sys.argv.pop(1))
GATEWAY, DNS, GATEWAY6 = "10.0.2.2", "10.0.2.3", "fd00::2"
MTU = 65520
BYTES = 64 << 20
PORT = 9000


def digest(seed, total):
    value = hashlib.sha256()
    for block in peers.pseudo_random(seed, total):
        value.update(block)
    return value.hexdigest()


class Case(unittest.TestCase):
    def setUp(self):
        self.helpers = []
        self.addCleanup(LAB.close, len(LAB.processes))

    def tearDown(self):
        for helper in self.helpers:
            helper.close()

    def helper(self, words="", **options):
        helper = laboratory.Helper(LAB, f"user,mac={laboratory.MAC}{words}", **options)
        self.helpers.append(helper)
        return helper

    def ready_helper(self, words="", **options):
        helper = self.helper(words, **options)
        self.assertEqual(helper.status, "ready")
        return helper

    def guest(self, words="", mtu=MTU, loss=0):
        """A guest with the addresses that the network gave it: its namespace."""
        helper = self.ready_helper(words)
        guest = LAB.join_guest(helper.stream, mtu, loss)
        self.lease = self.dhcp(guest)
        sh(f"nsenter -t {guest} -n sh -ec '"
           f"ip address add {self.lease['ip']}/{self.lease['mask']} dev net0; "
           f"ip route add default via {self.lease['router']}'")
        return guest

    def dhcp(self, guest):
        script = Path(LAB.folder.name, "dhcp-script")
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && env >"$LEASE"\nexit 0\n')
        script.chmod(0o755)
        lease = Path(LAB.folder.name, "lease")
        subprocess.run(["nsenter", "-t", str(guest), "-n", "busybox", "udhcpc", "-i", "net0", "-n",
                        "-q", "-f", "-t", "20", "-T", "1", "-s", str(script)],
                       env={**os.environ, "LEASE": str(lease)}, check=True, capture_output=True)
        return dict(line.split("=", 1) for line in lease.read_text().splitlines() if "=" in line)

    def has_ipv6(self, guest):
        show = f"nsenter -t {guest} -n ip -6 address show dev net0 scope global -tentative"
        return wait_for(lambda: GUEST6 in subprocess.run(
            show.split(), capture_output=True, text=True, check=True).stdout)

    def ping(self, guest, address):
        return subprocess.run(["nsenter", "-t", str(guest), "-n", "busybox", "ping", "-c", "1",
                               "-W", "20", address], stdout=subprocess.DEVNULL,
                              check=False).returncode == 0


class Guest(Case):
    """What a guest gets."""

    def test_lease(self):
        self.guest()
        self.assertEqual((self.lease["ip"], self.lease["mask"], self.lease["router"],
                          self.lease["dns"]), ("10.0.2.15", "24", GATEWAY, DNS))

    def test_ipv6_address_and_gateways(self):
        guest = self.guest()
        self.assertTrue(self.has_ipv6(guest))
        self.assertTrue(self.ping(guest, GATEWAY))
        self.assertTrue(self.ping(guest, GATEWAY6))

    def test_tcp_both_ways(self):
        LAB.serve("tcp_serve", OUTSIDE, PORT, namespace=LAB.outside)
        for mtu in (1500, MTU):
            guest = self.guest(f",mtu={mtu}", mtu)
            for what, seed in (("tcp_fetch", 1), ("tcp_give", 2)):
                self.assertEqual(LAB.ask(what, OUTSIDE, PORT, seed, BYTES, namespace=guest),
                                 digest(seed, BYTES))

    def test_tcp_through_losses(self):
        """Between the guest and the network's process, each of which sends again."""
        LAB.serve("tcp_serve", OUTSIDE, PORT, namespace=LAB.outside)
        guest = self.guest(",mtu=1500", 1500, loss=100)
        for what, seed in (("tcp_fetch", 7), ("tcp_give", 8)):
            self.assertEqual(LAB.ask(what, OUTSIDE, PORT, seed, 4 << 20, namespace=guest),
                             digest(seed, 4 << 20))

    def test_tcp_over_ipv6(self):
        LAB.serve("tcp_serve", OUTSIDE6, PORT, namespace=LAB.outside)
        guest = self.guest()
        self.assertTrue(self.has_ipv6(guest))
        for what, seed in (("tcp_fetch", 3), ("tcp_give", 4)):
            self.assertEqual(LAB.ask(what, OUTSIDE6, PORT, seed, 1 << 20, namespace=guest),
                             digest(seed, 1 << 20))

    def test_udp(self):
        for address in (OUTSIDE, OUTSIDE6):
            LAB.serve("udp_serve", address, PORT, namespace=LAB.outside)
        guest = self.guest()
        self.assertTrue(self.has_ipv6(guest))
        for address in (OUTSIDE, OUTSIDE6):
            for size in (1, 1400, 8000, 60000):
                self.assertEqual(LAB.ask("udp_ask", address, PORT, size, namespace=guest), "same")

    def test_dns_of_a_resolver_on_the_hosts_loopback(self):
        LAB.serve("dns_serve", RESOLVER, 53, "192.0.2.77")
        guest = self.guest()
        self.assertEqual(LAB.ask("dns_ask", DNS, "www.example.test", namespace=guest),
                         "192.0.2.77")


class Restrict(Case):
    """The host's own addresses, by clients and by frames that no client would send."""

    def test_on(self):
        later = "203.0.113.9"
        guest = self.guest()
        self.assertTrue(self.has_ipv6(guest))
        sh(f"ip address add {later}/32 dev lo")
        self.addCleanup(sh, f"ip address delete {later}/32 dev lo")
        servers = [LAB.serve(what, address, port)
                   for what, port in (("tcp_serve", PORT), ("udp_serve", PORT + 1))
                   for address in ("::", "0.0.0.0")]
        LAB.serve("tcp_serve", OUTSIDE, PORT, namespace=LAB.outside)
        clients = []
        for address in (GATEWAY, DNS, HOST, HOST_OTHER, later, GATEWAY6, "fd00::3", HOST6):
            clients += [(address, self.brief("tcp_ask", address, PORT, "hello", guest)),
                        (address, self.brief("udp_ask", address, PORT + 1, 10, guest))]
        for address, client in clients:
            self.assertNotIn(client.communicate()[0].split()[:1], (["echo"], ["same"]), address)
        self.assertEqual(LAB.ask("tcp_ask", OUTSIDE, PORT, "hello", namespace=guest), "echo hello")
        self.assert_untouched(servers)

    def brief(self, *words):
        """A client that does not wait long for what is dropped: the servers are asked afterwards,
        too."""
        words, guest = words[:-1], words[-1]
        command = ["timeout", "3", "nsenter", "-t", str(guest), "-n", laboratory.PYTHON,
                   str(HERE / "net/peers.py"), *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def assert_untouched(self, servers):
        for server in servers:
            self.assertEqual(laboratory.said(server), "")

    def test_frames(self):
        helper = self.ready_helper()
        servers = [LAB.serve(what, address, port)
                   for what, port in (("tcp_serve", PORT), ("udp_serve", PORT + 1))
                   for address in ("::", "0.0.0.0")]
        outside = LAB.serve("udp_serve", OUTSIDE, PORT, namespace=LAB.outside)
        helper.send(frames.arp_announcement())
        for address in ("127.0.0.1", "127.1.2.3", "0.0.0.0", GATEWAY, DNS, "10.0.2.7", "10.0.2.255",
                        HOST, HOST_OTHER, "255.255.255.255", "224.0.0.1", "::1", "::", GATEWAY6,
                        "fd00::3", "fd00::9", HOST6, "ff02::1", "::ffff:127.0.0.1",
                        f"::ffff:{HOST}", "::127.0.0.1", "fe80::2", "fe80::1"):
            helper.send(frames.tcp_syn(address, PORT))
            helper.send(frames.udp(address, PORT + 1))
            if ":" not in address:
                helper.send(frames.udp(address, PORT + 1, options=b"\1\1\1\0"))
                helper.send(frames.tcp_syn(address, PORT, options=b"\x83\x03\x04\0"))
                # In two fragments, the first of which is too short for the port.
                helper.send(frames.ipv4(17, address, b"\x9c\x40", fragment=0x2000))
        # What came before this one was looked at when this one arrives.
        helper.send(frames.udp(OUTSIDE, PORT))
        self.assertEqual(outside.stdout.readline().split()[0], "from")
        self.assert_untouched(servers)

    def test_off(self):
        LAB.serve("tcp_serve", "127.0.0.1", PORT)
        LAB.serve("tcp_serve", HOST, PORT)
        guest = self.guest(",restrict=off")
        for address in (GATEWAY, HOST):
            self.assertEqual(LAB.ask("tcp_ask", address, PORT, "hello", namespace=guest),
                             "echo hello")


class Publish(Case):
    """Ports of the host that lead into the guest."""

    def published(self, words, address="0.0.0.0", what="tcp_serve"):
        guest = self.guest(words)
        if ":" in address:
            self.assertTrue(self.has_ipv6(guest))
        LAB.serve(what, address, 80, namespace=guest)
        return guest

    def test_loopback_only(self):
        self.published(",publish=18080:80")
        self.assertEqual(LAB.ask("tcp_ask", "127.0.0.1", 18080, "hello"), "echo hello")
        for address, namespace in ((HOST, None), (HOST, LAB.outside)):
            self.assertIn("refused", LAB.ask("tcp_ask", address, 18080, "x", namespace=namespace))
        self.assertIn("refused", LAB.ask("tcp_ask", "127.0.0.1", 18081, "x"))

    def test_large_transfers(self):
        self.published(",publish=18082:80")
        for what, seed in (("tcp_fetch", 5), ("tcp_give", 6)):
            self.assertEqual(LAB.ask(what, "127.0.0.1", 18082, seed, BYTES), digest(seed, BYTES))

    def test_everywhere(self):
        self.published(",publish=0.0.0.0:18083:80")
        for address, namespace in (("127.0.0.1", None), (HOST, None), (HOST_OTHER, None),
                                   (HOST, LAB.outside)):
            self.assertEqual(LAB.ask("tcp_ask", address, 18083, "x", namespace=namespace), "echo x")

    def test_ipv6(self):
        self.published(",publish=[::1]:18084:80", "::")
        self.assertEqual(LAB.ask("tcp_ask", "::1", 18084, "hello"), "echo hello")

    def test_udp(self):
        self.published(",publish=0.0.0.0:18085:80/udp", what="udp_serve")
        for address, namespace in (("127.0.0.1", None), (HOST, LAB.outside), (HOST, None)):
            self.assertEqual(LAB.ask("udp_ask", address, 18085, 500, namespace=namespace), "same")

    def test_udp_answers_open_no_other_port(self):
        helper = self.ready_helper(",publish=18086:80/udp")
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.bind(("127.0.0.1", 0))
        client.settimeout(20)
        other = LAB.serve("udp_serve", "127.0.0.1", 18087)
        helper.send(frames.arp_announcement())
        client.sendto(b"hello", ("127.0.0.1", 18086))
        stream = helper.stream.makefile("rb")
        while b"hello" not in stream.read(int.from_bytes(stream.read(4), "big")):
            pass
        port = client.getsockname()[1]
        helper.send(frames.udp(GATEWAY, 18087, source_port=80))
        helper.send(frames.udp(GATEWAY, port, b"elsewhere", source_port=81))
        helper.send(frames.udp(GATEWAY, port, b"answer", source_port=80))
        self.assertEqual(client.recvfrom(100), (b"answer", ("127.0.0.1", 18086)))
        self.assertEqual(laboratory.said(other), "")

    def test_busy(self):
        LAB.serve("tcp_serve", "127.0.0.1", 18088)
        helper = self.helper(",publish=18088:80")
        self.assertEqual(helper.status, "publish: 127.0.0.1:18088 of the host cannot be had: "
                                        "Address already in use")
        self.assertNotEqual(helper.process.wait(20), 0)

    def test_privileged_port(self):
        self.assertIn("127.0.0.1:81/udp of the host cannot be had: Permission denied",
                      self.helper(",publish=81:80/udp").status)


class Process(Case):
    """Confined, and gone with its VM."""

    def status(self, helper):
        lines = Path(f"/proc/{helper.process.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def assert_confined(self, helper):
        status = self.status(helper)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual((status["NoNewPrivs"], status["Name"], status["Threads"]),
                         ("1", "hull-net", "1"))
        if status["Seccomp"] != "2":
            self.assertIn(b"__asan", Path(HULL).read_bytes())
        if LAB.privileged:
            self.assertEqual(status["Uid"].split(), ["65534"] * 4)
            self.assertEqual(status["Gid"].split(), ["65534"] * 4)
            folder = Path(f"/proc/{helper.process.pid}/fd")
            links = sorted((int(link.name), os.readlink(link)) for link in folder.iterdir())
            self.assertEqual([target for _, target in links[:3]], ["/dev/null"] * 3)
            self.assertEqual(links[3][0], 3)
            self.assertTrue(all(target.startswith("socket:") for _, target in links[3:]), links)

    def test_confined(self):
        self.assert_confined(self.ready_helper(",publish=18089:80"))

    def test_confined_when_started_by_root(self):
        if LAB.privileged:
            self.assert_confined(self.ready_helper(",publish=82:80", unprivileged=False))

    def test_ends_with_the_stream(self):
        helper = self.ready_helper()
        helper.stream.close()
        self.assertEqual(helper.process.wait(20), 0)
        self.assertEqual(helper.process.stderr.read(), "")

    def test_killed(self):
        helper = self.ready_helper()
        helper.process.kill()
        self.assertEqual(helper.stream.recv(1), b"")

    def test_ends_with_its_parent(self):
        """Even when someone else holds the stream."""
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            helper = laboratory.Helper(LAB, "user")
            os.write(write_end, f"{helper.process.pid} {helper.stream.fileno()}".encode())
            signal.pause()
        helper, fd = map(int, os.read(read_end, 100).split())
        os.close(read_end)
        os.close(write_end)
        pidfd = os.pidfd_open(child)
        stream = laboratory.libc.syscall(438, pidfd, fd, 0)  # pidfd_getfd
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.assertTrue(wait_for(lambda: self.gone(helper)))
        os.close(pidfd)
        os.close(stream)

    def gone(self, pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def test_by_hand(self):
        done = subprocess.run([HULL, "net-helper", "user"], capture_output=True, text=True,
                              close_fds=True, check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_length_that_cannot_be(self):
        helper = self.ready_helper()
        helper.stream.sendall(b"\xff\xff\xff\xff")
        self.assertNotEqual(helper.process.wait(20), 0)

    def test_noise(self):
        """Frames of every length and any content, in pieces of any size."""
        for restrict in ("", ",restrict=off"):
            helper = self.ready_helper(restrict)
            helper.stream.settimeout(60)
            generator = random.Random(1)
            stream = b""
            heads = [frames.tcp_syn(OUTSIDE, 1), frames.udp(OUTSIDE6, 1), frames.udp(GATEWAY, 67),
                     frames.udp(DNS, 53), frames.ipv6(58, "ff02::2", bytes(40)),
                     frames.arp_announcement(), frames.ipv4(1, GATEWAY, b"\x08" + bytes(30)), b""]
            for _ in range(5000):
                frame = bytearray(generator.choice(heads) + generator.randbytes(
                    generator.choice((0, 1, 20, 60, 1500))))
                for _ in range(generator.randrange(4)):
                    if frame:
                        frame[generator.randrange(len(frame))] = generator.randrange(256)
                stream += len(frame).to_bytes(4, "big") + frame
            while stream:
                part = generator.choice((1, 3, 100, 5000, 100000))
                helper.stream.sendall(stream[:part])
                stream = stream[part:]
                while select.select([helper.stream], [], [], 0)[0]:
                    self.assertTrue(helper.stream.recv(1 << 20), "the process has ended")
            helper.send(frames.ethernet(0x0806, bytes.fromhex("0001080006040001") +
                                        frames.GUEST_MAC + socket.inet_aton(frames.GUEST) +
                                        bytes(6) + socket.inet_aton(GATEWAY)))
            answer = b""
            while bytes.fromhex("00010800060400025255") not in answer:
                block = helper.stream.recv(1 << 20)
                self.assertTrue(block, "the process has ended")
                answer = answer[-100:] + block

    def test_guest_that_does_not_read(self):
        """What the outside sends waits outside: the process does not grow."""
        LAB.serve("tcp_serve", OUTSIDE, PORT, namespace=LAB.outside)
        helper = self.ready_helper()
        guest = LAB.join_guest(helper.stream, MTU)
        bridge = LAB.processes[-1]
        self.dhcp(guest)
        sh(f"nsenter -t {guest} -n sh -ec 'ip address add 10.0.2.15/24 dev net0; "
           "ip route add default via 10.0.2.2'")
        client = subprocess.Popen(
            ["nsenter", "-t", str(guest), "-n", laboratory.PYTHON, str(HERE / "net/peers.py"),
             "tcp_fetch", OUTSIDE, str(PORT), "9", str(BYTES)], stdout=subprocess.PIPE,
            text=True)
        for _ in range(5):
            bridge.send_signal(signal.SIGSTOP)
            for _ in range(10):
                self.assertLess(int(self.status(helper)["VmRSS"].split()[0]), 400 << 10)
                time.sleep(0.02)
            bridge.send_signal(signal.SIGCONT)
            time.sleep(0.1)
        self.assertEqual(client.communicate(timeout=300)[0].strip(), digest(9, BYTES))


if __name__ == "__main__":
    laboratory.enter_host()
    LAB = laboratory.Lab(HULL)
    try:
        program = unittest.main(exit=False, verbosity=2)
    finally:
        LAB.close()
    sys.exit(not program.result.wasSuccessful())
