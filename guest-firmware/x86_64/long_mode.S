/*
 * From either way of entry into guest_main: own descriptor table, own page tables, own stack.
 *
 * edi is the kind of entry and rsi its information until guest_main takes them as arguments. The
 * page tables map the first GiB; paging.c adds what is asked for.
 */
#include "image.h"

	.text
	.code32
	.globl long_mode_enter
long_mode_enter:
	cli
	cld
	lgdtl descriptor_table_pointer
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
	ljmp $SELECTOR_CODE64, $long_mode_start

	.code64
	.globl long_mode_adopt
long_mode_adopt:
	cli
	cld
	movl $boot_stack_end, %esp
	lgdt descriptor_table_pointer
	movl $boot_pml4, %eax
	movq %rax, %cr3
	pushq $SELECTOR_CODE64
	pushq $long_mode_start
	lretq

long_mode_start:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl $boot_stack_end, %esp
	xorl %ebp, %ebp
	call guest_main
1:	cli
	hlt
	jmp 1b

	.section .rodata
	.balign 16
descriptor_table:
	.quad 0
	.quad 0x00af9b000000ffff /* code, 64 bits */
	.quad 0x00cf93000000ffff /* data */
	.quad 0x00cf9b000000ffff /* code, 32 bits */
descriptor_table_end:
	.balign 4
	.globl descriptor_table_pointer
descriptor_table_pointer:
	.word descriptor_table_end - descriptor_table - 1
	.quad descriptor_table

	.data
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.quad boot_pdpt + 3 /* present, writable */
	.fill 511, 8, 0
boot_pdpt:
	.quad boot_pd + 3
	.fill 511, 8, 0
boot_pd:
	.set address, 0
	.rept 512
	.quad address + 0x83 /* present, writable, 2 MiB */
	.set address, address + 0x200000
	.endr

	.bss
	.balign 16
	.skip 16384
boot_stack_end:

	.section .note.GNU-stack, "", @progbits
