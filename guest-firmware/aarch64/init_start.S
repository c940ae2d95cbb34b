/* Where the kernel enters /init: the stack, which is aligned, holds argc, argv and the environment. */
	.globl _start
	.text
_start:
	mov x29, #0
	mov x30, #0
	bl init_main
	brk #0
	.section .note.GNU-stack,"",@progbits
