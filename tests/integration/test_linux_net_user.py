#!/usr/bin/env python3
"""Linux uses Hull's rootless network: hull runs as nobody, and reaches an outside that is another
network namespace of the same machine.

On hardware KVM the cases run right here, as root, since they make interfaces; elsewhere in the
emulated KVM host. argv: --arch NAME for another architecture than this machine's, the hull program,
then names of cases (all of them by default).
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "linux")]

from harness import Suite, cannot_make_networks, take_target  # noqa: E402
from test_linux_net import PRELUDE as NET_PRELUDE, prepare  # noqa: E402
import programs  # noqa: E402

HALF = 3
HOST_MODULES = ("veth", "sch_netem")
HOST_PROGRAMS = ("ip", "tc", "setpriv", "iperf3")
HOST_LIBRARIES = ("libslirp.so.0",)

PRELUDE = NET_PRELUDE + """
chmod 666 /dev/kvm 2>/dev/null
MEGABYTES=16
trap 'ip netns del outside 2>/dev/null; ip link del wan0 2>/dev/null; kill $jobs_of_host 2>/dev/null' EXIT
ip netns add outside && ip link add wan0 type veth peer name out0 netns outside || fail "no outside"
ip addr add 198.51.100.1/24 dev wan0
ip link set wan0 up
ip route add default via 198.51.100.2
outside() { ip netns exec outside "$@"; }
outside $IP link set lo up
outside $IP addr add 198.51.100.2/24 dev out0
outside $IP link set out0 up

# boot_nobody STATUS OPTION...: without any capability, and with nothing that nobody may not use.
boot_nobody()
{
	chmod a+r $FILES/*
	program=$HULL
	printf '#!/bin/sh\\nexec %s --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \\
		--inh-caps=-all --no-new-privs %s "$@"\\n' "$(find_program setpriv)" "$program" >/tmp/nobody
	chmod a+rx /tmp/nobody
	HULL=/tmp/nobody
	boot "$@"
	HULL=$program
}
words() { echo "quiet net_test=$1 net_peer=198.51.100.2 net_megabytes=$(megabytes)"; }
"""

CASES = {
    "transfers": """
outside iperf3 -s -D >/dev/null 2>&1
serve_sums outside
boot_nobody 0 $GUEST -c 2 -n user,mac=52:54:00:ab:cd:01 -p "$(words dhcp,ipv6,speed,checksums)"
check_guest; check_sums
expect lease 10.0.2.15/24 router 10.0.2.2 dns 10.0.2.3; expect mtu 65520
expect ipv6 fd00::5054:ff:feab:cd01/64; expect gateways 4; expect done speed
""",
    "losses": """
outside $TC qdisc add dev out0 root netem loss 2% || fail "no netem"
MEGABYTES=4
serve_sums outside
boot_nobody 0 $GUEST -n user,mtu=1500 -p "$(words dhcp,checksums)"
check_guest; check_sums
expect mtu 1500
""",
    # A few MiB: on a host as slow as an emulated one, passt gives a connection up that has waited long.
    "passt": """
MEGABYTES=2
serve_sums outside
boot_nobody 0 $GUEST -n passt,publish=8080:81 -p "$(words dhcp,checksums)"
check_guest; check_sums
expect lease 198.51.100.1/24 router 198.51.100.2 '.*'
! pidof passt passt.avx2 || fail "passt is left"
""",
    "publish": """
fetch()
{
	until grep -q '^guest: web' "$log"; do sleep 0.5; done
	sleep 1
	wget -q -O - http://127.0.0.1:8080/file | sha256sum | cut -c1-64 >/tmp/fetched
	wget -q -O /dev/null http://198.51.100.1:8080/file && echo elsewhere >>/tmp/fetched
	wget -q -O /dev/null http://127.0.0.1:8082/file && echo unpublished >>/tmp/fetched
	until echo | nc 127.0.0.1 8081; do sleep 0.5; done
}
fetch &
boot_nobody 0 $GUEST -n user,publish=8080:80,publish=8081:81 -p "$(words dhcp,web)"
check_guest
expect web $(cat /tmp/fetched)
""",
    "host-is-out-of-reach": """
serve() { while :; do echo "I am the host" | nc -l -p 5003 >/dev/null 2>&1; done; }
serve &
jobs_of_host=$!
boot_nobody 0 $GUEST -n user -p "$(words dhcp,host_says)"
check_guest
expect "10.0.2.2 says ''"; expect "198.51.100.1 says ''"
boot_nobody 0 $GUEST -n user,restrict=off -p "$(words dhcp,host_says)"
check_guest
expect "10.0.2.2 says 'I am the host'"; expect "198.51.100.1 says 'I am the host'"
""",
    "process-is-killed": """
kill_later()
{
	until grep -q 'guest: ready' "$log"; do sleep 0.2; done
	for process in /proc/[0-9]*; do
		[ "$(cat $process/comm 2>/dev/null)" != hull-net ] || kill -9 ${process#/proc/}
	done
}
kill_later &
boot_nobody 0 $GUEST -n user -p "$(words dhcp,loses_link)"
check_guest
expect lost; expect alive 1
[ $(grep -c "hull: NIC 0: the link of user is down" "$log") = 1 ] || fail "not one line about it"
""",
}


def main(*arguments):
    target, (hull, *wanted) = take_target(arguments)
    if cannot_make_networks(HOST_PROGRAMS, HOST_LIBRARIES, target):
        return 77
    cases = {name: PRELUDE + body for name, body in CASES.items()}
    host_programs = [target.program(program) for program in HOST_PROGRAMS]
    passt = programs.find("passt", target.debian)
    if passt:
        host_programs.append(passt)
    else:
        print("# passt is left out: it is not installed")
        del cases["passt"]
    return Suite(hull, cases, HALF, wanted, host_programs, HOST_MODULES, HOST_LIBRARIES,
                 target=target).run(lambda files, _: prepare(files, target))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
