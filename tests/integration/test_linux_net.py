#!/usr/bin/env python3
"""Linux's own driver uses Hull's NICs: on a tap, in a bridge, over sockets, through losses.

On hardware KVM the cases run right here, as root, since they make interfaces; elsewhere in the
emulated KVM host. argv: --arch NAME for another architecture than this machine's, the hull program,
the link_tool, then names of cases (all of them by default).
HULL_TEST_TRANSFER_MIB: what the cases with checksums move in each direction;
tap-all keeps it all in its capture.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "linux"))

from harness import (Suite, TRANSFER_MIB, cannot_make_networks, put_guest,  # noqa: E402
                     take_target)

HALF = 8
GUEST_MODULES = ("virtio_pci", "virtio_mmio", "virtio_net")
GUEST_PROGRAMS = ("iperf3", "ethtool")
HOST_MODULES = ("tun", "bridge", "sch_netem", "vhost_net")
HOST_PROGRAMS = ("ip", "tc", "iperf3", "tcpdump")

PRELUDE = f"""
LIMIT={560 + 3 * TRANSFER_MIB}s
TRANSFER_MIB={TRANSFER_MIB or ''}
""" + """
HOST=192.168.77.1
GUEST="-k $FILES/kernel -i $FILES/initrd -m 512M"
TAP=hulltest0
# Not those of busybox, which a busybox shell would take first.
find_program() { for place in /usr/local/bin /usr/sbin /usr/bin /sbin; do
	[ -x $place/$1 ] && echo $place/$1 && return; done; }
IP=$(find_program ip)
TC=$(find_program tc)
ip() { $IP "$@"; }
tc() { $TC "$@"; }
ip link set lo up
trap 'ip link del $TAP 2>/dev/null; ip link del hullbr0 2>/dev/null; kill $jobs_of_host 2>/dev/null' EXIT
jobs_of_host=

# words TESTS [ADDRESS [PEER]]: for the guest's command line.
words()
{
	echo "quiet net_test=$1 net_own=192.168.77.${2:-2}/24 net_peer=192.168.77.${3:-1} net_megabytes=$(megabytes)"
}

# make_tap OPTION...: as an administrator would, for the user of hull.
make_tap()
{
	ip tuntap add dev $TAP mode tap "$@" || fail "no tap"
	ip addr add $HOST/24 dev $TAP
	ip link set dev $TAP up
}

# serve_sums [WORD...]: takes a transfer, then sends another; keeps neither, but their sums. The words
# stand before each program that uses the network.
serve_sums()
{
	# The nc of busybox ends when the other side ends its sending: nobody does before the last byte.
	mkfifo /tmp/hold.$$ /tmp/copy.$$
	("$@" nc -l -p 5001 <>/tmp/hold.$$ | sha256sum >/tmp/served
	sha256sum </tmp/copy.$$ >/tmp/sent &
	dd if=/dev/urandom bs=64k count=$(($(megabytes) * 16)) 2>/dev/null | tee /tmp/copy.$$ |
		"$@" nc -l -p 5002) &
	jobs_of_host="$jobs_of_host $!"
}
megabytes() { echo "${TRANSFER_MIB:-${MEGABYTES:-4}}"; }

# captured FILTER: the frames of the capture that it matches. Debian's tcpdump wants to become a user.
captured()
{
	[ -e /etc/passwd ] || echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd
	$(find_program tcpdump) -Z root -r /tmp/cap -n "$@" 2>/tmp/tcpdump.log || fail "$(cat /tmp/tcpdump.log)"
}

check_guest()
{
	! grep 'guest: FAIL' "$log" || fail "the guest found something wrong"
	! grep '^guest: warning .*\\(virtio\\|eth0\\|NETDEV\\)' "$log" || fail "a warning"
	grep '^guest: ' "$log"
}

# The kernel has moved the frames.
check_vhost()
{
	grep 'hull: NIC 0: frames are moved by vhost-net' "$log" || fail "not by vhost-net"
	! grep 'hull: NIC 0, queue pair .: [a-z]* [1-9]' "$log" || fail "hull has moved some itself"
}

check_sums()
{
	expect sum $(cut -c1-64 /tmp/served)
	expect received $(cut -c1-64 /tmp/sent)
}

# The second guest, which has served the first: what each has sent is what the other has got.
check_second()
{
	wait $second && grep "guest: served $(sum_after sum "$log")" /tmp/second &&
		grep "guest: sent $(sum_after received "$log")" /tmp/second ||
		fail "the second guest: $(cat /tmp/second)"
}
sum_after() { sed -n "s/^guest: $1 \\([0-9a-f]\\{64\\}\\).*/\\1/p" "$2" | grep . || echo no sum; }
"""

CASES = {
    "tap-all": """
make_tap
# TCP makes segments as long as a millisecond of its pace: few are long on a slow host, unless asked.
segments=/proc/sys/net/ipv4/tcp_min_tso_segs
echo 44 >$segments
iperf3 -s -D >/dev/null 2>&1
serve_sums
boot 0 $GUEST -c 2 -n tap=$TAP,mac=52:54:00:ab:cd:01,pcap=/tmp/cap -p "$(words up,ping_peer,properties,speed,checksums)" --transport pci
check_guest; check_sums
expect driver virtio_net; expect mac 52:54:00:ab:cd:01; expect mtu 1500; expect ping 3
expect feature tx-checksumming: on; expect feature tcp-segmentation-offload: on
expect feature rx-checksumming: on '.*'; expect channels Combined: 1
for test in properties speed checksums; do expect done $test; done
# Segments of more than 32 KiB went both ways, in one piece.
captured "greater 32768 and src host $HOST" | grep -m 1 . || fail "none in"
captured "greater 32768 and dst host $HOST" | grep -m 1 . || fail "none out"
rm /tmp/cap
echo 2 >$segments
""",
    "two-pairs": """
make_tap multi_queue
iperf3 -s -D >/dev/null 2>&1
# The pairs are on a thread each: each thread's processor time, while the host can still be asked.
watch_threads()
{
	while ! grep -q 'guest: done parallel' $log; do sleep 0.5
		for task in /proc/[0-9]*/task/*; do case "$(cat $task/comm 2>/dev/null)" in
			io[01]) echo "$(cat $task/comm) $(cut -d' ' -f14,15 $task/stat)" ;; esac; done
	done >/tmp/threads 2>/dev/null
}
watch_threads &
jobs_of_host="$jobs_of_host $!"
boot 0 $GUEST -c 2 --io-threads 2 -n tap=$TAP,queues=2 \
	-p "$(words up,ping_peer,properties,channels,parallel,switching)"
check_guest
expect channels Combined: 2; expect done parallel; expect done switching
for pair in 0 1; do for way in sent received; do
	grep -E "hull: NIC 0, queue pair $pair: $way [1-9]" "$log" || fail "pair $pair has not $way"
done; done
for thread in io0 io1; do
	ticks=$(grep "^$thread" /tmp/threads | tail -n 1 | cut -d' ' -f3)
	echo "$thread: $ticks ticks in the kernel"
	[ "${ticks:-0}" -gt 20 ] || fail "$thread was idle: $(tail -n 4 /tmp/threads)"
done
! grep 'the link of' "$log" || fail "a link was lost"
""",
    "vhost": """
make_tap
iperf3 -s -D >/dev/null 2>&1
(for word in reboot on; do echo $word | nc -l -p 5003; done) &
jobs_of_host="$jobs_of_host $!"
nc -l -p 5004 >/dev/null &
jobs_of_host="$jobs_of_host $!"
serve_sums
boot 0 $GUEST -c 2 --on-reboot reset -n tap=$TAP,vhost=on -p "$(words up,ping_peer,again,speed,checksums)" --transport pci
check_guest; check_sums
expect reboots; expect done speed; expect done checksums
check_vhost
""",
    "vhost-pairs": """
make_tap multi_queue
iperf3 -s -D >/dev/null 2>&1
boot 0 $GUEST -c 2 --io-threads 2 -n tap=$TAP,queues=2,vhost=on \
	-p "$(words up,ping_peer,channels,parallel,switching)"
check_guest
expect channels Combined: 2; expect done parallel; expect done switching
check_vhost
! grep 'the link of' "$log" || fail "a link was lost"
""",
    "vhost-mmio": """
make_tap
serve_sums
boot 0 $GUEST -n tap=$TAP,vhost=auto -p "$(words up,ping_peer,checksums)" --transport mmio --io-engine threads
check_guest; check_sums
check_vhost
""",
    "vhost-vanishes": """
make_tap
boot_later() { while ! grep -q 'guest: ready' $log; do sleep 0.2; done; ip link del $TAP; }
boot_later &
boot 0 $GUEST -n tap=$TAP,vhost=on -p "$(words up,ping_peer,loses_link)"
check_guest
expect lost; expect alive 1
[ $(grep -c "hull: .*the link of tap '$TAP' is down" "$log") = 1 ] || fail "not one line about it"
""",
    "jumbo-frames": """
make_tap
ip link set dev $TAP mtu 9000
boot 0 $GUEST -n tap=$TAP,pcap=/tmp/cap -p "$(words up,ping_peer,ping_large)"
check_guest
expect mtu 9000; expect large ping 3
[ $(captured "icmp and greater 9014" | wc -l) -ge 6 ] || fail "no frame of 9014 bytes"
""",
    "losses": """
make_tap
tc qdisc add dev $TAP root netem loss 2% delay 1ms || fail "no netem"
MEGABYTES=2
serve_sums
boot 0 $GUEST -n tap=$TAP -p "$(words up,ping_peer,checksums)"
check_guest; check_sums
""",
    "mmio-threads": """
make_tap
serve_sums
boot 0 $GUEST -c 2 -n tap=$TAP -p "$(words up,ping_peer,checksums)" --transport mmio --io-engine threads
check_guest; check_sums
expect done checksums
""",
    "tap-vanishes": """
make_tap
boot_later() { while ! grep -q 'guest: ready' $log; do sleep 0.2; done; ip link del $TAP; }
boot_later &
boot 0 $GUEST -n tap=$TAP -p "$(words up,ping_peer,loses_link)"
check_guest
expect lost; expect alive 1
[ $(grep -c "hull: .*the link of tap '$TAP' is down" "$log") = 1 ] || fail "not one line about it"
""",
    "pulled-cable": """
make_tap
HULL_BINARY=$HULL "$FILES/link_tool" --timeout $LIMIT $GUEST -n tap=$TAP,pcap=/tmp/cap \
	-p "$(words up,ping_peer,pulled)" >"$log" 2>&1 || fail "status $?"
check_guest
expect pulled; expect plugged
# Linux announces itself when it is asked to, after the cable is back.
captured "arp and src host 192.168.77.2 and dst host 192.168.77.2" | grep . ||
	fail "no announcement"
""",
    "bridge": """
ip link add hullbr0 type bridge || fail "no bridge"
ip link set dev hullbr0 up
"$HULL" run --timeout $LIMIT --console file=/tmp/second $GUEST -n tap,bridge=hullbr0 \\
	-p "$(words up,ping_peer,serve 3 2)" &
second=$!
boot 0 $GUEST -n tap,bridge=hullbr0 -p "$(words up,ping_peer,checksums 2 3)"
check_guest; check_second
""",
    "stream-link": """
"$HULL" run --timeout $LIMIT --console file=/tmp/second $GUEST -n socket=/tmp/link,listen \\
	-p "$(words up,ping_peer,serve 3 2)" &
second=$!
until [ -S /tmp/link ]; do sleep 0.2; done
boot 0 $GUEST -n socket=/tmp/link -p "$(words up,ping_peer,checksums 2 3)"
check_guest; check_second
[ ! -e /tmp/link ] || fail "the socket is left"
""",
    "datagram-link": """
"$HULL" run --timeout $LIMIT --console file=/tmp/second $GUEST -n socket=/tmp/left,peer=/tmp/right \\
	-p "$(words up,ping_peer,serve 3 2)" &
second=$!
boot 0 $GUEST -n socket=/tmp/right,peer=/tmp/left -p "$(words up,ping_peer,checksums 2 3)"
check_guest; check_second
""",
    "none": """
boot 0 $GUEST -n none -p "$(words absent)"
expect "interfaces lo "
boot 0 $GUEST -p "$(words absent)"
expect "interfaces lo "
""",
}


def prepare(files, target):
    options = ["--with-libs"]
    for program in GUEST_PROGRAMS:
        options += ["--add", f"{target.program(program)}:/usr/bin/{program}"]
    put_guest(files, HERE / "linux/net-guest", GUEST_MODULES, *options, target=target)


def main(*arguments):
    target, (hull, link_tool, *wanted) = take_target(arguments)
    if cannot_make_networks({*GUEST_PROGRAMS, *HOST_PROGRAMS}, target=target):
        return 77
    cases = {name: PRELUDE + body for name, body in CASES.items()}
    host_programs = [target.program(program) for program in HOST_PROGRAMS]

    def prepare_all(files, _):
        shutil.copy(link_tool, files / "link_tool")
        prepare(files, target)

    return Suite(hull, cases, HALF, wanted, host_programs, HOST_MODULES,
                 target=target).run(prepare_all)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
