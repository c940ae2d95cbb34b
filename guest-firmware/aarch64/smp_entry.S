/* Where PSCI starts a processor: as at the image's entry, and x0 is the stack. */
	.text
	.globl smp_start_address
smp_start_address:
	mov x19, x0
	bl mmu_on
	mov sp, x19
	mov x29, #0
	mov x0, x19
	bl smp_main
1:	wfi
	b 1b

	.section .note.GNU-stack, "", @progbits
