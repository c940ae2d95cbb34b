/*
 * Into ring 3 by IRETQ and back by an invalid opcode: where ring 3 runs natively and ring 0 is
 * interpreted, neither SYSCALL nor INT n may change the ring.
 */
#include "image.h"

#define VECTOR_INVALID 6
#define STUB_BYTES     16 /* of vector_stubs */

	.text
	.code64
/* rdi: the function, rsi: its argument, rdx: the top of its stack */
	.globl user_enter
user_enter:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, saved_stack
	movq $user_return, -8(%rdx)
	subq $8, %rdx
	pushq $SELECTOR_USER_DATA
	pushq %rdx
	pushq $0x2 /* RFLAGS: interrupts off */
	pushq $SELECTOR_USER_CODE
	pushq %rdi
	movq %rsi, %rdi
	iretq

user_return:
	ud2

/* The gate of #UD: one that was not meant is anyone's. */
	.globl user_leave
user_leave:
	cmpq $user_return, (%rsp)
	jne vector_stubs + VECTOR_INVALID * STUB_BYTES
	movl $SELECTOR_DATA, %eax
	movl %eax, %ss
	movq saved_stack, %rsp
	cld
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.bss
	.balign 8
saved_stack:
	.skip 8

	.section .note.GNU-stack, "", @progbits
