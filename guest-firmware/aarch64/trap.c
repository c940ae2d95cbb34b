/* See trap.h. */
#include "trap.h"

#include "check.h"
#include "console.h"
#include "ends.h"
#include "gic.h"

#include <stddef.h>

#define HANDLERS_MAX      8
#define CLASS_SHIFT       26
#define CLASS_MASK        0x3f
#define DETAILS_MASK      0x1ffffff
#define INSTRUCTION_BYTES 4

static struct {
	uint32_t interrupt;
	void (*run)(void);
} handlers[HANDLERS_MAX];
static size_t handler_count;
static void (*message_handler)(uint32_t interrupt);
static bool watching;
static struct trap_caught caught;

void trap_interrupt(void);
uint64_t trap_exception(uint64_t syndrome, uint64_t at, uint64_t address);
_Noreturn void trap_unexpected(uint64_t syndrome, uint64_t at, uint64_t address);

void trap_set_handler(uint32_t interrupt, void (*handler)(void))
{
	size_t i = 0;

	while (i < handler_count && handlers[i].interrupt != interrupt)
		i++;
	if (i == HANDLERS_MAX)
		end_debug_exit(END_VALUE_TRAP);
	handlers[i].interrupt = interrupt;
	handlers[i].run = handler;
	if (i == handler_count)
		handler_count++;
}

void trap_set_message_handler(void (*handler)(uint32_t interrupt))
{
	message_handler = handler;
}

void trap_interrupt(void)
{
	const uint32_t acknowledged = gic_acknowledge();
	const uint32_t interrupt = gic_interrupt(acknowledged);

	if (interrupt >= GIC_SPECIAL && interrupt < GIC_MESSAGE_FIRST)
		return;
	if (interrupt >= GIC_MESSAGE_FIRST && message_handler)
		message_handler(interrupt);
	for (size_t i = 0; i < handler_count; i++)
		if (handlers[i].interrupt == interrupt)
			handlers[i].run();
	gic_end(acknowledged);
}

_Noreturn void trap_unexpected(uint64_t syndrome, uint64_t at, uint64_t address)
{
	console_print("%s: exception, esr 0x%lx at 0x%lx, address 0x%lx\n", check_guest_name,
		syndrome, at, address);
	end_debug_exit(END_VALUE_TRAP);
}

/* An SVC's return address is already that of the next instruction (Arm ARM, preferred exception
 * return address). */
uint64_t trap_exception(uint64_t syndrome, uint64_t at, uint64_t address)
{
	if (!watching)
		trap_unexpected(syndrome, at, address);
	watching = false;
	caught = (struct trap_caught){
		.taken = true,
		.class = (uint32_t)(syndrome >> CLASS_SHIFT) & CLASS_MASK,
		.details = (uint32_t)syndrome & DETAILS_MASK,
		.at = at,
		.address = address,
	};
	return caught.class == TRAP_SUPERVISOR ? at : at + INSTRUCTION_BYTES;
}

void trap_watch(void)
{
	caught = (struct trap_caught){0};
	watching = true;
}

struct trap_caught trap_unwatch(void)
{
	__asm__ volatile("" : : : "memory");
	watching = false;
	return caught;
}
