/*
 * Names what people pass as a kernel by mistake, so that the refusal tells them what to do. The
 * file's first 8 KiB are all that is looked at.
 */
#include "boot_work.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#define EM_LOONGARCH_NUMBER 258 /* newer than some elf.h */

struct machine {
	unsigned int number;
	const char *name;
};

/* gABI e_machine. */
static const struct machine elf_machines[] = {
	{EM_386, "32-bit x86"},
	{EM_X86_64, "x86-64"},
	{EM_AARCH64, "arm64"},
	{EM_ARM, "32-bit Arm"},
	{EM_RISCV, "RISC-V"},
	{EM_PPC, "PowerPC"},
	{EM_PPC64, "64-bit PowerPC"},
	{EM_S390, "s390"},
	{EM_MIPS, "MIPS"},
	{EM_SPARC, "SPARC"},
	{EM_SPARCV9, "64-bit SPARC"},
	{EM_68K, "m68k"},
	{EM_LOONGARCH_NUMBER, "LoongArch"},
};

/* PE format, "Machine Types". */
static const struct machine pe_machines[] = {
	{0x014c, "32-bit x86"},
	{0x8664, "x86-64"},
	{0xaa64, "arm64"},
	{0x01c0, "32-bit Arm"},
	{0x01c2, "32-bit Arm"},
	{0x01c4, "32-bit Arm"},
	{0x5032, "32-bit RISC-V"},
	{0x5064, "RISC-V"},
	{0x6264, "LoongArch"},
};

/* U-Boot include/image.h, IH_ARCH_*. */
static const struct machine uimage_machines[] = {
	{2, "32-bit Arm"},
	{3, "x86"},
	{5, "MIPS"},
	{7, "PowerPC"},
	{22, "arm64"},
	{24, "x86-64"},
	{26, "RISC-V"},
};

struct signature {
	size_t offset;
	const char *bytes;
	size_t length;
	const char *what;
};

#define SIGNATURE(offset, bytes, what)                 \
	{                                              \
		offset, bytes, sizeof(bytes) - 1, what \
	}

/* The more telling first: an arm64 Image may also be a PE file. */
static const struct signature signatures[] = {
	SIGNATURE(0x38, "ARM\x64", "an arm64 Image; this machine is x86-64"),
	SIGNATURE(0x38, "RSC\x05", "a RISC-V Image; this machine is x86-64"),
	SIGNATURE(0x24, "\x18\x28\x6f\x01", "a 32-bit Arm zImage; this machine is x86-64"),
	SIGNATURE(0x04, "zimg",
		"a compressed EFI image (zboot) for another machine; this machine is x86-64"),
	SIGNATURE(0x202, "HdrS", "a Linux kernel whose boot sector lacks its signature"),
	SIGNATURE(0, "\x1f\x8b", "compressed with gzip; unpack it first (gunzip)"),
	SIGNATURE(0,
		"\xfd"
		"7zXZ",
		"compressed with xz; unpack it first (unxz)"),
	SIGNATURE(0, "\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first (unzstd)"),
	SIGNATURE(0, "BZh", "compressed with bzip2; unpack it first (bunzip2)"),
	SIGNATURE(0, "\x02\x21\x4c\x18", "compressed with lz4; unpack it first (unlz4)"),
	SIGNATURE(0, "\x04\x22\x4d\x18", "compressed with lz4; unpack it first (unlz4)"),
	SIGNATURE(0, "\x89LZO", "compressed with lzop; unpack it first (lzop -d)"),
	SIGNATURE(0, "\x5d\x00\x00", "compressed with lzma; unpack it first (unlzma)"),
	SIGNATURE(0, "\xd0\x0d\xfe\xed", "a U-Boot FIT image or a device tree, not a kernel"),
	SIGNATURE(0, "07070", "an initramfs (cpio archive); give it as the initrd"),
	SIGNATURE(0, "QFI\xfb", "a qcow2 disk image, not a kernel"),
	SIGNATURE(0, "KDMV", "a VMDK disk image, not a kernel"),
	SIGNATURE(0, "hsqs", "a squashfs image, not a kernel"),
	SIGNATURE(0x438, "\x53\xef", "an ext2, ext3 or ext4 file system, not a kernel"),
	SIGNATURE(0, "PK\x03\x04", "a zip archive, not a kernel"),
	SIGNATURE(0x101, "ustar", "a tar archive, not a kernel"),
	SIGNATURE(0, "#!", "a script, not a kernel"),
	SIGNATURE(0, "\xcf\xfa\xed\xfe", "a Mach-O program, not a kernel"),
	SIGNATURE(0x1fe, "\x55\xaa", "a disk image or a boot sector, not a kernel"),
};

static const char *machine_name(
	const struct machine *machines, size_t count, unsigned int number, const char *unknown)
{
	for (size_t i = 0; i < count; i++) {
		if (machines[i].number == number)
			return machines[i].name;
	}
	return unknown;
}

const char *boot_machine_name(unsigned int machine)
{
	return machine_name(elf_machines, array_size(elf_machines), machine, NULL);
}

/* A PE file's machine number, or 0: "MZ", the offset of "PE\0\0" at 0x3c, the machine behind. */
static unsigned int pe_machine(const struct boot_work *work)
{
	uint32_t offset;
	uint16_t machine;

	memcpy(&offset, work->head + 0x3c, sizeof(offset));
	offset = le32toh(offset);
	if (memcmp(work->head, "MZ", 2) != 0 || offset > sizeof(work->head) - 6 ||
		memcmp(work->head + offset, "PE\0\0", 4) != 0)
		return 0;
	memcpy(&machine, work->head + offset + 4, sizeof(machine));
	return le16toh(machine);
}

/* Multiboot 2 1.6, 3.1.1: an aligned magic number in the first 32 KiB; the usual place is early. */
static bool has_multiboot2(const struct boot_work *work)
{
	for (size_t offset = 0; offset + 4 <= work->head_length; offset += 8) {
		if (memcmp(work->head + offset, "\xd6\x50\x52\xe8", 4) == 0)
			return true;
	}
	return false;
}

int boot_refuse(const struct boot_work *work, struct err *err)
{
	const char *name = work->request->kernel_name;
	unsigned int machine = pe_machine(work);

	if (!work->head_length)
		return err_set(err, -ENOEXEC, "kernel '%s' is empty", name);
	if (memcmp(work->head, "\x27\x05\x19\x56", 4) == 0)
		return err_set(err, -ENOEXEC,
			"kernel '%s' is a U-Boot uImage for %s; give the kernel it was made from",
			name,
			machine_name(uimage_machines, array_size(uimage_machines), work->head[29],
				"another machine"));
	for (size_t i = 0; i < array_size(signatures); i++) {
		const struct signature *signature = &signatures[i];

		if (signature->offset == 0x1fe && machine)
			continue;
		if (memcmp(work->head + signature->offset, signature->bytes, signature->length) ==
			0)
			return err_set(err, -ENOEXEC, "kernel '%s' is %s", name, signature->what);
	}
	if (machine)
		return err_set(err, -ENOEXEC,
			"kernel '%s' is an EFI program for %s without a Linux boot header; give a "
			"bzImage or an ELF file for x86-64",
			name,
			machine_name(
				pe_machines, array_size(pe_machines), machine, "another machine"));
	if (has_multiboot2(work))
		return err_set(err, -ENOEXEC,
			"kernel '%s' has a multiboot 2 header only; hull knows multiboot 1, PVH "
			"and Linux",
			name);
	return err_set(err, -ENOEXEC,
		"kernel '%s' is not a kernel of a known kind; give a bzImage, an ELF file "
		"(vmlinux, PVH) or a multiboot kernel",
		name);
}
