"""Frames by hand, for what no honest guest would send."""

import socket
import struct

GATEWAY_MAC = bytes.fromhex("52550a000202")
GUEST_MAC = bytes.fromhex("525400123456")
GUEST = "10.0.2.15"
GUEST6 = "fd00::5054:ff:fe12:3456"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind, packet, destination=GATEWAY_MAC):
    return destination + GUEST_MAC + struct.pack("!H", kind) + packet


def ipv4(protocol, destination, payload, fragment=0, options=b"", source=GUEST):
    length = 20 + len(options)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | length // 4, 0, length + len(payload), 7, fragment,
                         64, protocol, 0, socket.inet_aton(source), socket.inet_aton(destination))
    header += options
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ethernet(0x0800, header + payload)


def ipv6(protocol, destination, payload, source=GUEST6):
    header = struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64,
                         socket.inet_pton(socket.AF_INET6, source),
                         socket.inet_pton(socket.AF_INET6, destination))
    return ethernet(0x86DD, header + payload)


def with_checksum(segment, protocol, destination, at):
    """The segment with its checksum over the pseudo-header, for either family."""
    if ":" in destination:
        pseudo = (socket.inet_pton(socket.AF_INET6, GUEST6) +
                  socket.inet_pton(socket.AF_INET6, destination) +
                  struct.pack("!II", len(segment), protocol))
    else:
        pseudo = (socket.inet_aton(GUEST) + socket.inet_aton(destination) +
                  struct.pack("!HH", protocol, len(segment)))
    return segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2:]


def ip(protocol, destination, payload, **options):
    make = ipv6 if ":" in destination else ipv4
    return make(protocol, destination, payload, **options)


def tcp_syn(destination, port, source_port=40000, **options):
    segment = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 5 << 4, 2, 65535, 0, 0)
    return ip(6, destination, with_checksum(segment, 6, destination, 16), **options)


def udp(destination, port, data=b"x", source_port=40000, **options):
    segment = struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data
    return ip(17, destination, with_checksum(segment, 17, destination, 6), **options)


def arp_announcement():
    """So that the network knows the guest's address without asking."""
    return ethernet(0x0806, bytes.fromhex("0001080006040001") + GUEST_MAC +
                    socket.inet_aton(GUEST) + b"\0" * 6 + socket.inet_aton("10.0.2.2"),
                    b"\xff" * 6)
