/*
 * Entry by a multiboot header (Multiboot 0.6.96 3.1): 32-bit protected mode, no paging, eax is the
 * loader's magic number, ebx the address of the multiboot information. The address fields are
 * given, because most loaders take 32-bit ELF files only.
 */
#include "image.h"

#define MULTIBOOT_MAGIC	       0x1badb002
#define MULTIBOOT_LOADER_MAGIC 0x2badb002
#define MULTIBOOT_FLAGS	       0x00010003 /* page-aligned modules, memory map, address fields */

	.section .text.start, "ax"
	.code32
	.balign 4
multiboot_header:
	.long MULTIBOOT_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long multiboot_header
	.long image_start
	.long image_load_end
	.long image_end
	.long start

	.globl start
start:
	movl $ENTRY_MULTIBOOT, %edi
	movl %ebx, %esi
	cmpl $MULTIBOOT_LOADER_MAGIC, %eax
	je long_mode_enter
	xorl %esi, %esi
	jmp long_mode_enter

	.section .note.GNU-stack, "", @progbits
