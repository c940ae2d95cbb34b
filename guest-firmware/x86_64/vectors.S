/*
 * One stub a vector: a uniform frame (struct trap_frame in trap.h), then trap_handle. Those
 * exceptions that bring no error code get a zero (SDM 3A "Error Code").
 */
#include "image.h"

#define VECTORS_WITH_ERROR 0x60227d00 /* 8, 10-14, 17, 21, 29, 30 */

	.text
	.code64
	.balign 16
	.globl vector_stubs
vector_stubs:
	.set vector, 0
	.rept VECTOR_COUNT
	.balign 16
	.if vector >= 32 || !((VECTORS_WITH_ERROR >> vector) & 1)
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	cld
	call trap_handle
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
