/* Where the kernel enters /init: the stack holds argc, argv and the environment. */
	.globl _start
	.text
_start:
	xorl %ebp, %ebp
	andq $-16, %rsp
	call init_main
	hlt
	.section .note.GNU-stack,"",@progbits
