/*
 * The smallest guest there is: entered by PVH, its first act is to write one byte to COM1; then it
 * sleeps for ever. The start-up benchmark waits for that byte.
 */
#define PVH_NOTE_TYPE 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define COM1	      0x3f8

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, PVH_NOTE_TYPE
	.asciz "Xen"
	.long start

	.section .text.start, "ax"
	.code32
	.globl start
start:
	movw $COM1, %dx
	movb $'!', %al
	outb %al, %dx
	cli
sleep:
	hlt
	jmp sleep

	.section .note.GNU-stack, "", @progbits
