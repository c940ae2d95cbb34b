/*
 * Entry by the PVH note (Xen "x86/HVM direct boot ABI"): 32-bit protected mode, no paging, ebx is
 * the address of hvm_start_info.
 */
#include "image.h"

#define PVH_NOTE_TYPE 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, PVH_NOTE_TYPE
	.asciz "Xen"
	.long start

	.section .text.start, "ax"
	.code32
	.globl start
start:
	movl $ENTRY_PVH, %edi
	movl %ebx, %esi
	jmp long_mode_enter

	.section .note.GNU-stack, "", @progbits
