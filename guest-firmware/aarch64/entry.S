/*
 * Entry as an arm64 kernel (Documentation/arm64/booting.rst): MMU off, x0 is the address of the device
 * tree. The header of an Image, an identity map in blocks of 1 GiB, the exception vectors.
 */
#define STACK_BYTES 0x10000

/* Blocks of level 1 (Arm ARM D8.3): attributes 1 for devices, which nobody executes; 0 for memory. */
#define BLOCK_DEVICE ((1 << 54) | (1 << 53) | (1 << 10) | (1 << 2) | 1)
#define BLOCK_MEMORY ((3 << 8) | (1 << 10) | 1)

#define MAIR  0x04ff                                     /* 0: write-back; 1: Device-nGnRE */
#define TCR   (25 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23)) /* 39 bits by TTBR0, cached */
#define TCR_IPS_SHIFT 32
#define SCTLR_ON 0x1005                                  /* MMU, data and instruction caches */

	.section .text.start, "ax"
	.globl image_header
image_header:
	b start
	.long 0
	.quad 0                      /* text_offset */
	.quad image_bytes
	.quad 0xa                    /* little-endian, 4 KiB pages, anywhere */
	.quad 0, 0, 0
	.ascii "ARM\x64"
	.long 0

start:
	mov x19, x0
	bl mmu_on
	ldr x1, =bss_start
	ldr x2, =bss_end
1:	cmp x1, x2
	b.hs 2f
	stp xzr, xzr, [x1], #16
	b 1b
2:	ldr x1, =stack_end
	mov sp, x1
	mov x29, #0
	mov w0, #0
	mov x1, x19
	bl guest_main
3:	wfi
	b 3b

/* Uses x1 and x2. */
	.globl mmu_on
mmu_on:
	ldr x1, =MAIR
	msr mair_el1, x1
	ldr x1, =TCR
	mrs x2, id_aa64mmfr0_el1
	and x2, x2, #7               /* as many bits of address as there are */
	orr x1, x1, x2, lsl #TCR_IPS_SHIFT
	msr tcr_el1, x1
	adr x1, boot_table
	msr ttbr0_el1, x1
	adr x1, vectors
	msr vbar_el1, x1
	dsb sy
	isb
	mrs x1, sctlr_el1
	ldr x2, =SCTLR_ON
	orr x1, x1, x2
	msr sctlr_el1, x1
	isb
	ret

	.macro vector handler
	.balign 0x80
	b \handler
	.endm

	.balign 0x800
vectors:
	.rept 4
	vector unexpected
	.endr
	vector exception
	vector interrupt
	vector unexpected
	vector unexpected
	.rept 8
	vector unexpected
	.endr

/* What the procedure call standard lets a function lose. */
	.macro save
	stp x0, x1, [sp, #-176]!
	stp x2, x3, [sp, #16]
	stp x4, x5, [sp, #32]
	stp x6, x7, [sp, #48]
	stp x8, x9, [sp, #64]
	stp x10, x11, [sp, #80]
	stp x12, x13, [sp, #96]
	stp x14, x15, [sp, #112]
	stp x16, x17, [sp, #128]
	stp x18, x29, [sp, #144]
	str x30, [sp, #160]
	.endm

	.macro restore
	ldp x2, x3, [sp, #16]
	ldp x4, x5, [sp, #32]
	ldp x6, x7, [sp, #48]
	ldp x8, x9, [sp, #64]
	ldp x10, x11, [sp, #80]
	ldp x12, x13, [sp, #96]
	ldp x14, x15, [sp, #112]
	ldp x16, x17, [sp, #128]
	ldp x18, x29, [sp, #144]
	ldr x30, [sp, #160]
	ldp x0, x1, [sp], #176
	.endm

interrupt:
	save
	bl trap_interrupt
	restore
	eret

exception:
	save
	mrs x0, esr_el1
	mrs x1, elr_el1
	mrs x2, far_el1
	bl trap_exception            /* returns where to go on */
	msr elr_el1, x0
	restore
	eret

unexpected:
	ldr x3, =stack_end
	mov sp, x3
	mrs x0, esr_el1
	mrs x1, elr_el1
	mrs x2, far_el1
	bl trap_unexpected
	b 3b

	.ltorg

	.section .data
	.balign 4096
boot_table:
	.quad BLOCK_DEVICE
	.set block, 1
	.rept 510
	.quad (block << 30) | BLOCK_MEMORY
	.set block, block + 1
	.endr
	.quad BLOCK_MEMORY           /* devices once more, see places.h */

	.section .bss
	.balign 16
	.space STACK_BYTES
stack_end:

	.section .note.GNU-stack, "", @progbits
