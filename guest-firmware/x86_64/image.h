/*
 * What the assembler and the C parts of an image agree on. Included by both.
 */
#pragma once

#define SELECTOR_CODE64 0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE32 0x18
/* Only in the table that user.c loads. */
#define SELECTOR_TASK      0x20 /* two entries */
#define SELECTOR_USER_DATA 0x33
#define SELECTOR_USER_CODE 0x3b

/* The page below 1 MiB where processors start; its number is the vector of the start-up IPI. */
#define TRAMPOLINE_ADDRESS 0x10000

/* How the image was entered. */
#define ENTRY_PVH       0
#define ENTRY_MULTIBOOT 1
#define ENTRY_LINUX64   2

#define CR0_PE       0x00000001
#define CR0_PG       0x80000000
#define CR4_PAE      0x00000020
#define MSR_EFER     0xc0000080
#define EFER_LME_BIT 8

/* Exceptions 0 to 31, then interrupts. */
#define VECTOR_COUNT 64

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint8_t image_start[], image_end[];
extern uint64_t boot_pml4[512];
extern const uint8_t vector_stubs[];
extern const uint8_t trampoline[], trampoline_end[];

#define VECTOR_STUB_BYTES 16
#endif
