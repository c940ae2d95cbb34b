#!/usr/bin/env python3
"""Writes the hand-made seeds of the loaders' fuzz targets into corpus/, the same every time.

Seeds are the smallest files that reach each way through a loader; what a fuzzer found later lies
beside them under names of its own and is left alone.
"""
import gzip
import lzma
import pathlib
import struct
import sys

CORPUS = pathlib.Path(__file__).parent / "corpus"
BASE = 0x1000000


def write(target, name, data):
    directory = CORPUS / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)


def patched(data, *patches):
    result = bytearray(data)
    for offset, form, value in patches:
        struct.pack_into("<" + form, result, offset, value)
    return bytes(result)


def bzimage():
    """Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"."""
    return patched(
        bytes(1024) + b"\x90" * 1024,
        (0x1F1, "B", 1),  # setup_sects
        (0x1F4, "I", 64),  # syssize
        (0x1FE, "H", 0xAA55),
        (0x200, "H", 0x6AEB),  # jump
        (0x202, "4s", b"HdrS"),
        (0x206, "H", 0x20F),  # version
        (0x211, "B", 1),  # loadflags
        (0x22C, "I", 0x7FFFFFFF),  # initrd_addr_max
        (0x230, "I", 0x200000),  # kernel_alignment
        (0x234, "B", 1),  # relocatable_kernel
        (0x236, "H", 3),  # xloadflags
        (0x238, "I", 2047),  # cmdline_size
        (0x258, "Q", BASE),  # pref_address
        (0x260, "I", 0x400000),  # init_size
    )


def arm_image():
    """Documentation/arm64/booting.rst, "Call the kernel image"."""
    return patched(
        b"\x90" * 2048,
        (8, "Q", 0),  # text_offset
        (16, "Q", 0x400000),  # image_size
        (24, "Q", 10),  # flags: little-endian, 4 KiB, anywhere
        (56, "4s", b"ARM\x64"),
    )


def kernel_module(info):
    """A relocatable ELF file with a .modinfo section."""
    names = b"\0.modinfo\0.shstrtab\0"
    header = struct.pack(
        "<4s12sHHIQQQIHHHHHH",
        b"\x7fELF", b"\2\1\1", 1, 62, 1, 0, 0, 64, 0, 64, 0, 0, 64, 3, 2)
    sections = bytes(64)
    for name, kind, offset, size in ((1, 1, 256 + len(names), len(info)),
                                     (10, 3, 256, len(names))):
        sections += struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0)
    return header + sections + names + info


def elf64(segments, entry, body):
    header = struct.pack(
        "<4s12sHHIQQQIHHHHHH",
        b"\x7fELF", b"\2\1\1", 2, 62, 1, entry, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    for kind, offset, address, in_file, in_memory in segments:
        header += struct.pack(
            "<IIQQQQQQ", kind, 7, offset, address, address, in_file, in_memory, 4)
    return header.ljust(256, b"\0") + body


def elf32(segments, entry, body):
    header = struct.pack(
        "<4s12sHHIIIIIHHHHHH",
        b"\x7fELF", b"\1\1\1", 2, 3, 1, entry, 52, 0, 0, 52, 32, len(segments), 0, 0, 0)
    for kind, offset, address, in_file, in_memory in segments:
        header += struct.pack(
            "<IIIIIIII", kind, offset, address, address, in_file, in_memory, 7, 4)
    return header.ljust(256, b"\0") + body


def note(name, kind, data):
    return struct.pack("<III", len(name), len(data), kind) + name + data


def multiboot_header(flags, *addresses):
    words = (0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF) + addresses
    return struct.pack("<%dI" % len(words), *words)


def elves():
    code = b"\x90" * 64
    pvh = note(b"Xen\0", 18, struct.pack("<Q", BASE))
    notes = note(b"GNU\0", 3, bytes(20)) + note(b"Linux\0\0\0", 257, bytes(4)) + pvh
    notes_at = 256 + len(code)
    load = (1, 256, BASE, len(code), 4096)
    yield "pvh64", elf64([load, (4, notes_at, 0, len(notes), len(notes))], BASE, code + notes)
    yield "pvh32", elf32([load, (4, notes_at, 0, len(notes), len(notes))], BASE, code + notes)
    yield "linux64", elf64([load], BASE, code)
    yield "virtual_entry", elf64([load], BASE + 8, code)
    yield "two_segments", elf64([load, (1, 0, 0x200000, 100, 200)], BASE, code)
    yield "bss_only", elf64([load, (1, 0xFFFFFFFF, 0x200000, 0, 4096)], BASE, code)
    yield "low_memory", elf64([(1, 256, 0x10000, 64, 64)], 0x10000, code)
    yield "program", elf64([load, (3, 256, 0, 8, 8)], BASE, code)
    yield "no_way_in", elf32([load], BASE, code)
    yield "arm64", patched(elf64([load], BASE, code), (18, "H", 183))


def multiboots():
    body = b"\x90" * 64
    flat = multiboot_header(0x10003, BASE, BASE, 0, 0, BASE + 32)
    yield "flat", flat + body
    yield "flat_with_ends", (
        bytes(64) + multiboot_header(0x10003, BASE, BASE, BASE + 64, BASE + 4096, BASE + 32) + body)
    yield "elf32", elf32([(1, 256, BASE, 76, 76)], BASE + 16, multiboot_header(3) + body)
    yield "elf64", elf64([(1, 256, BASE, 76, 76)], BASE + 16, multiboot_header(3) + body)
    yield "elf_with_addresses", elf32([(1, 256, BASE, 96, 96)], BASE + 16, flat + body)
    yield "video", multiboot_header(0x10007, BASE, BASE, 0, 0, BASE + 32) + bytes(16) + body
    yield "unknown_requirement", multiboot_header(0x10008, BASE, BASE, 0, 0, BASE + 32) + body
    yield "no_addresses", multiboot_header(3) + body


def images():
    text = b"hello, hull\n"
    # RFC 8878: a frame of one segment with a content size of one byte and one last, raw block.
    zstd = b"\x28\xb5\x2f\xfd\x20" + bytes([len(text)]) + struct.pack(
        "<I", 1 | len(text) << 3)[:3] + text
    gz = gzip.compress(text, mtime=0)
    xz = lzma.compress(text)
    yield "plain", text
    for name, data in ("gzip", gz), ("xz", xz), ("zstd", zstd):
        yield name, data
        yield name + "_twice", data + data
        yield name + "_padded", data + bytes(8)
        yield name + "_junk", data + b"junk"
        yield name + "_short", data[:-3]
    yield "gzip_bomb", gzip.compress(bytes(1 << 20), mtime=0)
    yield "xz_bomb", lzma.compress(bytes(1 << 20))
    # A repeated byte (block type 1) of 2 MiB less one, in a window of 8 MiB.
    yield "zstd_bomb", b"\x28\xb5\x2f\xfd\x00\x68" + b"".join(
        struct.pack("<I", (i == 31) | 1 << 1 | (1 << 17) << 3)[:3] + b"\0" for i in range(32))
    yield "zstd_window", b"\x28\xb5\x2f\xfd\x00\xa8" + struct.pack("<I", 1)[:3]


def block_requests():
    def request(kind, sector, data=b"", room=1, flags=0x56, piece=0, capacity=2048):
        return (struct.pack("<QBHB", capacity, flags, room, piece) +
                struct.pack("<IIQ", kind, 0, sector) + data)

    spot = struct.pack("<QII", 8, 8, 0)
    yield "read", request(0, 8, room=4097)
    yield "read_past_the_end", request(0, 2047, room=1025)
    yield "read_wraps", request(0, (1 << 64) - 1, room=1025)
    yield "write", request(1, 8, bytes(512))
    yield "write_in_bytes", request(1, 8, bytes(512), piece=1)
    yield "write_read_only", request(1, 8, bytes(512), flags=1)
    yield "flush", request(4, 0)
    yield "id", request(8, 0, room=21)
    yield "discard", request(11, 0, spot * 3)
    yield "discard_odd", request(11, 0, spot + spot[:8])
    yield "write_zeroes", request(13, 0, struct.pack("<QII", 8, 8, 1))
    yield "write_zeroes_flags", request(13, 0, struct.pack("<QII", 8, 8, 6))
    yield "unknown", request(14, 0)
    yield "no_status", request(0, 0, room=0)
    yield "short_header", request(0, 0, room=513)[:20]
def console_controls():
    """Operations of fuzz_console_control.c; messages as in VIRTIO 1.2 5.3.6.2."""
    def says(port, event, value, extra=b""):
        message = struct.pack("<IHH", port, event, value) + extra
        return bytes([0, len(message)]) + message

    def plug(port, present):
        return bytes([3 | port << 3 | present << 7])

    def host_open(port, is_open):
        return bytes([4 | port << 3 | is_open << 7])

    ready = says(0xFFFFFFFF, 0, 1)
    say_some, say_all = bytes([6 | 1 << 5]), bytes([6 | 7 << 5])
    size = bytes([5, 80, 24])
    ports = b"".join(says(port, 3, 1) + says(port, 6, 1) for port in range(4))
    yield "probe", ready + say_all + size + host_open(0, 1) + ports + say_all + say_all
    yield "deaf", (ready + ports + size + host_open(1, 1) + host_open(1, 0)) * 4
    yield "plug", ready + say_all + plug(2, 1) + say_some + says(2, 3, 1) + host_open(2, 1) + \
        say_some + plug(2, 0) + plug(2, 1) + say_all + plug(2, 0) + say_all
    yield "not_ready", ready + say_all + ports + says(0, 3, 0) + size + says(1, 6, 0) + say_all
    yield "reset", ready + ports + b"\x87" + ports + say_all + ready + say_all
    yield "malformed", says(4, 3, 1) + says(0x80000000, 6, 1) + says(0, 99, 1) + \
        says(0, 5, 1, b"\1\0\1\0") + says(1, 7, 1, b"name") + ready[:5] + b"\0\0\0\7"
def net_transmissions():
    """Operations of fuzz_net_transmit.c; headers as in VIRTIO 1.2 5.1.6."""
    def frame(length, header=b"", source=bytes(6), piece=255):
        content = header.ljust(12, b"\0") + bytes(6) + source + bytes(64)
        return bytes([0]) + struct.pack(">H", length) + bytes([piece]) + content[:length]

    own = bytes([0x52, 0x54, 0, 0x12, 0x34, 0x56])
    all_features, spoof = bytes([1]), bytes([5])
    yield "frame", all_features + frame(72)
    yield "segments", all_features + frame(4000, bytes([1, 1, 54, 0, 180, 5, 34, 0, 16, 0]))
    yield "no-checksum", bytes([2]) + frame(72, bytes([1]))
    yield "few-features", bytes([0, 0xFF, 0xFF]) + frame(72, bytes([1, 1]))
    yield "gso-kinds", all_features + b"".join(frame(72, bytes([1, kind])) for kind in
                                               (0, 1, 2, 3, 4, 5, 6, 0x7F, 0x80, 0x81, 0xFF))
    yield "lengths", all_features + b"".join(frame(n) for n in (0, 1, 11, 12, 25, 26, 27))
    yield "longest", all_features + frame(0x8007) + frame(0x8008) + frame(0x8009)
    yield "spoofed", spoof + frame(72) + frame(72, source=own)
    yield "answers", all_features + b"".join(bytes([2, answer]) + frame(72) + bytes([3])
                                             for answer in (1, 0, 2, 3, 0x80, 0))
    yield "pieces", all_features + frame(300, piece=0)


def net_receptions():
    """Operations of fuzz_net_receive.c."""
    def buffer(*lengths, shift=0):
        return bytes([0, len(lengths) | shift << 5]) + struct.pack(f">{len(lengths)}H", *lengths)

    def frame(length, more=0):
        return bytes([2]) + struct.pack(">HB", length, more)

    merged, single = bytes([1]), bytes([0])
    yield "frame", merged + buffer(1526) + frame(72)
    yield "single", single + buffer(1526) + frame(72) + buffer(20, 20, 40) + frame(80)
    yield "too-small", single + buffer(60) + frame(72) + frame(60)
    yield "merged", merged + buffer(100) * 5 + frame(480)
    yield "waits", merged + buffer(100) + frame(480) + buffer(100) * 5
    yield "gives-up", merged + buffer(100) + frame(480) + bytes([3]) + frame(90)
    yield "longest", merged + buffer(60000) + frame(65535, 31) + buffer(60000)
    yield "runt", merged + buffer(1526) + frame(20) + frame(26)
    yield "tiny", merged + buffer(1) * 40 + frame(30)
    yield "empty", merged + buffer(0)
    yield "readable-tail", merged + bytes([0, 255]) + bytes(14) + frame(72)
    yield "filtered", bytes([3]) + buffer(1526) + frame(72)
    yield "limited", merged + buffer(1526) + bytes([4]) + frame(72) + bytes([4, 3])


def net_commands():
    """Commands for fuzz_net_control.c: VIRTIO 1.2 5.1.6.5."""
    def says(*content, room=1, piece=255):
        return struct.pack(">HBB", len(content), room, piece) + bytes(content)

    for features, name in ((1, "all"), (3, "antispoof"), (0xFE, "few")):
        yield f"modes-{name}", bytes([features]) + b"".join(says(0, n, 1) for n in range(7))
        yield f"mac-{name}", bytes([features]) + says(1, 1, 2, 0, 0, 0, 0, 1)
        yield f"table-{name}", bytes([features]) + says(1, 0, 1, 0, 0, 0, *range(6), 0, 0, 0, 0)
        yield f"vlan-{name}", bytes([features]) + says(2, 0, 255, 15) + says(2, 1, 255, 15)
        yield f"others-{name}", (bytes([features]) + says(3, 0) + says(4, 0, 2, 0) +
                                 says(5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0))
    yield "cut", bytes([1]) + b"".join(says(*([1, 0] + [255] * n)) for n in range(9))
    yield "huge-table", bytes([1]) + says(1, 0, 70, 0, 0, 0, *([2] * 420), 0, 0, 0, 0)
    yield "pieces", bytes([1]) + says(1, 1, 2, 0, 0, 0, 0, 1, piece=0)
    yield "no-room", bytes([1]) + says(0, 0, 1, room=0)


def access(opcode, offset, size, value=None):
    """A step of fuzz_virtio.h: a read, or a write when there is a value."""
    flags = size.bit_length() - 1
    return struct.pack("<BHB", opcode, offset, flags | (0x80 if value is not None else 0)) + (
        value or 0).to_bytes(size, "little")


DRIVE, USE, RUN, CHANGE, BREAK, RESET = 0x70, 1, 2, 3, 4, 5  # opcodes; DRIVE: three queues


def mmio_scripts():
    """VIRTIO 1.2 4.2.2."""
    def write_register(offset, value):
        return access(6, offset, 4, value)

    live = bytes([DRIVE]) + write_register(0x70, 15)
    yield "identity", b"".join(access(6, offset, 4) for offset in range(0, 0x100, 4))
    yield "live", live + bytes([RUN, USE]) + access(6, 0x60, 4) + write_register(0x64, 1)
    yield "notify", live + b"".join(write_register(0x50, i) for i in range(5)) + bytes([RUN])
    yield "ring_reset", live + write_register(0xC0, 1) + write_register(0x30, 1) + write_register(
        0xC0, 1) + write_register(0x44, 1)
    yield "bad_size", bytes([DRIVE & 0x10]) + write_register(0x30, 2) + write_register(
        0x38, 3) + write_register(0x44, 1) + write_register(0x70, 15)
    yield "broken", live + bytes([BREAK, CHANGE]) + write_register(0x70, 0x4F) + live
    yield "backwards", live + write_register(0x70, 3) + write_register(0x70, 0x8F)
    yield "config", live + access(6, 0x104, 8, 0x1122) + access(6, 0x117, 8) + bytes([RESET])


def pci_scripts():
    """VIRTIO 1.2 4.1.4; PCI 3.0 6.8.2. The capabilities' order is that of pci_transport.c."""
    msix, window, config = 6, 0x84, 9

    def write_common(offset, size, value):
        return access(11, offset, size, value)

    live = bytes([DRIVE]) + write_common(20, 1, 15)
    control = access(config, 0x9A, 2, 0x8000)
    unmask = b"".join(access(msix, 16 * i + 12, 4, 0) for i in range(4))
    yield "capabilities", b"".join(access(config, reg, 4) for reg in range(0, 0x100, 4))
    yield "bars", b"".join(access(config, reg, 4, 0xFFFFFFFF) for reg in range(
        0x10, 0x28, 4)) + access(config, 4, 2, 7) + access(config, 4, 2, 0)
    yield "msix", control + unmask + live + bytes([USE, CHANGE])
    yield "pending", control + live + bytes([USE, CHANGE]) + access(msix, 0x800, 8) + unmask
    yield "function_mask", control + unmask + access(config, 0x9A, 2, 0xC000) + live + bytes(
        [USE]) + control
    yield "intx", live + bytes([USE]) + access(config, 4, 4) + access(13, 0x1000, 1) + bytes(
        [USE]) + access(config, 4, 2, 0x400) + control
    yield "notify", live + access(13, 0x3000, 2, 0) + access(13, 0x3004, 4, 1) + bytes([RUN])
    yield "window", access(config, window + 4, 1, 0) + access(config, window + 8, 4, 20) + access(
        config, window + 12, 4, 1) + access(config, window + 16, 4, 1) + access(
        config, window + 16, 1)
    yield "ring_reset", live + write_common(22, 2, 1) + write_common(58, 2, 1) + write_common(
        28, 2, 1)
    yield "queues", live + b"".join(write_common(22, 2, i) + access(11, 24, 2) + access(
        11, 32, 8) for i in (0, 2, 3, 64, 0xFFFF))
    yield "broken", live + bytes([BREAK, USE]) + write_common(20, 1, 0) + live + bytes([RESET])


def net_frames():
    """A control byte (fuzz_net_frames.c), then frames behind their lengths."""
    sys.path.insert(0, str(CORPUS.parents[1] / "integration/net"))
    import frames

    def stream(control, *contents):
        return bytes([control]) + b"".join(len(c).to_bytes(4, "big") + c for c in contents)

    fragment = frames.ipv4(17, "198.51.100.2", b"\x9c\x40", fragment=0x2000)
    answer = frames.udp("10.0.2.2", 40000, source_port=53)
    yield from {
        "tcp": stream(1, frames.tcp_syn("198.51.100.2", 80), frames.tcp_syn("198.51.100.1", 80)),
        "tcp6": stream(1, frames.tcp_syn("2001:db8::2", 80), frames.tcp_syn("::1", 80)),
        "udp_peers": stream(1, frames.ipv4(17, "10.0.2.15", b"\x9c\x40\x00\x35" + bytes(4),
                                           source="10.0.2.2"), answer),
        "services": stream(1, frames.udp("255.255.255.255", 67), frames.udp("10.0.2.3", 53),
                           frames.ipv6(58, "ff02::2", b"\x85" + bytes(7)),
                           frames.arp_announcement()),
        "own": stream(1, *(frames.udp(a, 9) for a in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "::1"))),
        "fragment": stream(1, fragment, frames.udp("10.0.2.2", 67, options=b"\1" * 40)),
        "open": stream(0, frames.tcp_syn("127.0.0.1", 80), fragment),
        "pieces": stream(3 << 1 | 1, frames.tcp_syn("198.51.100.2", 80), b"", b"\0" * 13),
        "length": stream(1) + b"\x00\x01\x10\x01",
        "cut": stream(1, frames.udp("198.51.100.2", 9))[:-3],
    }.items()


def socket_scripts():
    """Operations of fuzz_vsock.c."""
    def packet(op, ports, payload=b"", more=b"", shut=0, buffer=0x1000, forwarded=0):
        flags = op | (0x10 if payload else 0)
        head = bytes([1, flags, ports]) + (len(payload).to_bytes(2, "big") if payload else b"")
        return (head + more + bytes([shut]) + buffer.to_bytes(2, "big")
                + forwarded.to_bytes(2, "big") + (bytes([255]) + payload if payload else b""))

    buffers, look, late = bytes([0, 200]) * 8, bytes([6]), bytes([7, 255]) * 2
    client, port = bytes([3, 0x80]), 0x80 | 4 * 4
    served = buffers + packet(1, 0)
    yield "refused", buffers + packet(1, 4)
    yield "served", served + packet(5, 0, b"hello") + bytes([5, 0, 4, 0, 5]) + b"world" + look
    yield "shut", served + packet(4, 0, shut=3) + look + packet(3, 0)
    yield "host_leaves", served + bytes([5, 0x80]) + look + packet(5, 0, b"late") + look
    yield "draining", served + b"".join(packet(5, 0, bytes(8000)) for _ in range(8)) + packet(
        4, 0, shut=3) + packet(3, 0) + late
    yield "client", buffers + client + look + packet(2, port) + bytes([4, 0, 3]) + b"abc" + look
    yield "client_is_late", buffers + bytes([3, 0]) + late + client + look + late
    yield "no_buffers", b"".join(packet(1, 4) for _ in range(50)) + buffers
    yield "small_buffers", bytes([0, 0, 0, 40, 0, 57]) + packet(1, 4)
    yield "no_credit", buffers + packet(1, 0, buffer=0) + bytes([4, 0, 3]) + b"abc" + look + packet(
        6, 0)


def file_system_scripts():
    """Requests of fuzz_fs.c."""
    def request(opcode, arguments=b"", node=0x40, handle=None, room=None):
        flags = (2 if room is not None else 0) | (16 if handle is not None else 0)
        length = len(arguments) + (8 if handle is not None else 0)
        return (bytes([1, opcode, node, flags, handle or 0, length])
                + (struct.pack(">H", room) if room is not None else b"")
                + (bytes([255]) + arguments if arguments else b""))

    init = b"\0" + request(26, struct.pack("<IIII", 7, 38, 0, 0xFFFFFFFF))
    create = request(35, struct.pack("<IIII", 2, 0o644, 0, 0) + b"f\0")
    fields = struct.pack("<QIIQII", 0, 100, 0, 0, 0, 0)  # offset, size and the rest
    yield "init", init
    yield "create_write_read", init + create + request(
        16, struct.pack("<QIIQII", 0, 5, 0, 0, 0, 0) + b"hello", 1, 2) + request(
        15, fields, 1, 2) + request(18, bytes(16), 1, 2)
    yield "names", init + create + b"".join(request(1, name + b"\0") for name in (
        b"f", b"..", b".", b"", b"a/b", b"n" * 100)) + request(1, b"unended")
    yield "directory", init + request(9, struct.pack("<II", 0o755, 0) + b"d\0") + request(
        27, bytes(8)) + request(28, fields, 0x40, 2) + request(44, fields, 0x40, 2)
    yield "links", init + create + request(6, b"l\0../secret\0") + request(1, b"l\0") + request(
        5, node=3) + request(14, bytes(8), 3) + request(13, b"h\0", 0x40, 1)
    yield "rename", init + create + request(12, struct.pack("<Q", 1) + b"f\0g\0") + request(
        45, struct.pack("<QII", 1, 2, 0) + b"g\0g\0") + request(10, b"g\0")
    yield "devices", init + b"".join(request(8, struct.pack("<IIII", kind | 0o666, 0x103, 0, 0)
                                             + b"n\0") for kind in (0x2000, 0x6000, 0x1000))
    yield "attributes", init + create + request(4, struct.pack(
        "<IIQQQQQQIIIIIIII", 0x3F, 0, 0, 99, 0, 1, 2, 3, 0, 0, 0, 0o600, 0, 0, 0, 0), 1) + request(
        21, struct.pack("<II", 3, 0) + b"user.a\0xyz", 1) + request(
        22, struct.pack("<II", 10, 0) + b"user.a\0", 1) + request(23, bytes(8), 1)
    yield "no_room", init + request(1, b"x\0", room=0) + request(3, room=20)
    yield "read_only", b"\1" + init[1:] + create


def main():
    good = bzimage()
    for name, info in (("module", b"license=GPL\0depends=virtio,virtio_ring\0name=x\0"),
                       ("module_empty", b""), ("module_without_end", b"depends=x")):
        write("module_info", name, kernel_module(info))
    write("module_info", "cut_off", kernel_module(b"depends=x\0")[:-4])
    write("bzimage", "good", good)
    write("bzimage", "not_relocatable", patched(good, (0x234, "B", 0)))
    write("bzimage", "low_initrd", patched(good, (0x236, "H", 1), (0x22C, "I", 0x17FFFFF)))
    write("bzimage", "four_sectors", patched(good + bytes(1536), (0x1F1, "B", 0)))
    write("bzimage", "old", patched(good, (0x206, "H", 0x20B)))
    write("bzimage", "narrow", patched(good, (0x236, "H", 0)))
    write("bzimage", "short", good[:1500])
    write("bzimage", "large", patched(good, (0x260, "I", 0x2000000)))
    image = arm_image()
    for name, data in (
            ("good", image), ("short", image[:63]), ("big_endian", patched(image, (24, "Q", 11))),
            ("near_the_bottom", patched(image, (8, "Q", 0x80000), (24, "Q", 2))),
            ("old", patched(image, (16, "Q", 0))), ("large", patched(image, (16, "Q", 31 << 20))),
            ("wraps", patched(image, (8, "Q", (1 << 64) - 4096))),
            ("elf", b"\x7fELF" + image[4:])):
        write("arm_image", name, data)
    for name, data in elves():
        write("elf", name, data)
    for name, data in multiboots():
        write("multiboot", name, data)
    for name, data in images():
        write("image", name, data)
    for name, data in block_requests():
        write("blk_request", name, data)
    for name, data in console_controls():
        write("console_control", name, data)
    for name, data in net_transmissions():
        write("net_transmit", name, data)
    for name, data in net_receptions():
        write("net_receive", name, data)
    for name, data in net_commands():
        write("net_control", name, data)
    for name, data in mmio_scripts():
        write("virtio_mmio", name, data)
    for name, data in pci_scripts():
        write("virtio_pci", name, data)
    for name, data in net_frames():
        write("net_frames", name, data)
    for name, data in file_system_scripts():
        write("fs", name, data)
    for name, data in socket_scripts():
        write("vsock", name, data)


if __name__ == "__main__":
    main()
