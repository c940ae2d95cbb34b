#!/usr/bin/env python3
"""Writes the hand-made seeds of the loaders' fuzz targets into corpus/, the same every time.

Seeds are the smallest files that reach each way through a loader; what a fuzzer found later lies
beside them under names of its own and is left alone.
"""
import gzip
import lzma
import pathlib
import struct

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


def main():
    good = bzimage()
    write("bzimage", "good", good)
    write("bzimage", "not_relocatable", patched(good, (0x234, "B", 0)))
    write("bzimage", "low_initrd", patched(good, (0x236, "H", 1), (0x22C, "I", 0x17FFFFF)))
    write("bzimage", "four_sectors", patched(good + bytes(1536), (0x1F1, "B", 0)))
    write("bzimage", "old", patched(good, (0x206, "H", 0x20B)))
    write("bzimage", "narrow", patched(good, (0x236, "H", 0)))
    write("bzimage", "short", good[:1500])
    write("bzimage", "large", patched(good, (0x260, "I", 0x2000000)))
    for name, data in elves():
        write("elf", name, data)
    for name, data in multiboots():
        write("multiboot", name, data)
    for name, data in images():
        write("image", name, data)


if __name__ == "__main__":
    main()
