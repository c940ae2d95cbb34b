/* See trap.h. SDM 3A "64-Bit Mode IDT". */
#include "trap.h"

#include "apic.h"
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "ends.h"
#include "image.h"

#include <stddef.h>

#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1

#define GATE_INTERRUPT  0x8e00 /* present, ring 0, interrupt gate */
#define FIRST_INTERRUPT 32

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate gates[VECTOR_COUNT];
static void (*handlers[VECTOR_COUNT])(void);

static struct {
	bool armed;
	unsigned int vector;
	unsigned int instruction_bytes;
	struct trap_caught caught;
} watch;

void trap_handle(struct trap_frame *frame);

static uint64_t fault_address(void)
{
	uint64_t address;

	__asm__ volatile("movq %%cr2, %0" : "=r"(address));
	return address;
}

void trap_handle(struct trap_frame *frame)
{
	if (frame->vector == VECTOR_SPURIOUS)
		return;
	if (frame->vector >= FIRST_INTERRUPT && handlers[frame->vector]) {
		handlers[frame->vector]();
		apic_end_of_interrupt();
		return;
	}
	if (watch.armed && frame->vector == watch.vector) {
		watch.armed = false;
		watch.caught = (struct trap_caught){true, frame->error, fault_address()};
		frame->rip += watch.instruction_bytes;
		return;
	}
	console_print("\n%s: unexpected vector %lu error 0x%lx rip 0x%lx rsp 0x%lx cr2 0x%lx\n",
		check_guest_name, frame->vector, frame->error, frame->rip, frame->rsp,
		fault_address());
	end_debug_exit(END_VALUE_TRAP);
}

void trap_load(void)
{
	const struct table_pointer pointer = {sizeof(gates) - 1, (uintptr_t)gates};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_unload(void)
{
	const struct table_pointer pointer = {0, 0};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_set_gate(unsigned int vector, uint64_t address)
{
	gates[vector] = (struct gate){(uint16_t)address, SELECTOR_CODE64, GATE_INTERRUPT,
		(uint16_t)(address >> 16), (uint32_t)(address >> 32), 0};
}

void trap_init(void)
{
	out8(PIC1_DATA, 0xff);
	out8(PIC2_DATA, 0xff);
	for (unsigned int i = 0; i < VECTOR_COUNT; i++)
		trap_set_gate(i, (uintptr_t)vector_stubs + i * UINT64_C(VECTOR_STUB_BYTES));
	trap_load();
}

void trap_set_handler(unsigned int vector, void (*handler)(void))
{
	handlers[vector] = handler;
}

void trap_watch(unsigned int vector, unsigned int instruction_bytes)
{
	watch.vector = vector;
	watch.instruction_bytes = instruction_bytes;
	watch.caught = (struct trap_caught){false, 0, 0};
	watch.armed = true;
	__asm__ volatile("" : : : "memory");
}

struct trap_caught trap_unwatch(void)
{
	__asm__ volatile("" : : : "memory");
	watch.armed = false;
	return watch.caught;
}
