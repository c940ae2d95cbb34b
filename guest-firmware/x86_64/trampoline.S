/*
 * Where the other processors start, copied to TRAMPOLINE_ADDRESS: real mode at CS:0 (SDM 3A "MP
 * Initialization"), then straight into long mode on the stack that smp.c has put out.
 */
#include "image.h"

#define AT(symbol) (symbol - trampoline + TRAMPOLINE_ADDRESS)

	.section .rodata
	.balign 16
	.globl trampoline
trampoline:
	.code16
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_table_pointer - trampoline
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $AT(trampoline32)

	.code32
trampoline32:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(1 << EFER_LME_BIT), %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_PE), %eax
	movl %eax, %cr0
	ljmp $SELECTOR_CODE64, $AT(trampoline64)

	.code64
trampoline64:
	lgdt descriptor_table_pointer
	movl $SELECTOR_DATA, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq smp_next_stack, %rsp
	xorl %ebp, %ebp
	movl $smp_main, %eax
	call *%rax

	.balign 16
trampoline_table:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00cf9b000000ffff
trampoline_table_pointer:
	.word trampoline_table_pointer - trampoline_table - 1
	.long AT(trampoline_table)
	.globl trampoline_end
trampoline_end:

	.section .note.GNU-stack, "", @progbits
