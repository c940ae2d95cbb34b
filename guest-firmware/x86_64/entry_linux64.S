/*
 * Entry by the 64-bit Linux protocol (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"):
 * long mode, the image identity-mapped, rsi is the address of boot_params.
 */
#include "image.h"

	.section .text.start, "ax"
	.code64
	.globl start
start:
	movl $ENTRY_LINUX64, %edi
	jmp long_mode_adopt

	.section .note.GNU-stack, "", @progbits
