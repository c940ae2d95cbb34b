/* See ends.h. */
#include "ends.h"

#include "check.h"
#include "console.h"
#include "cpu.h"
#include "mmio.h"
#include "places.h"
#include "psci.h"
#include "smp.h"
#include "tree.h"
#include "uart.h"
#include "words.h"

#include <stddef.h>

/* QEMU docs/specs/pvpanic. */
#define PVPANIC_PANICKED     0x01
#define PVPANIC_CRASH_LOADED 0x02

/* Where no machine has RAM and a VMM of this board no device. */
#define NOT_MEMORY UINT64_C(0xdffff000)

/* Nothing takes what is written where the device is not: then the guest must still end. */
_Noreturn void end_debug_exit(uint32_t value)
{
	mmio_write32(PLACE_DEBUG_EXIT, value);
	console_print("%s: nothing at the debug-exit device\n", check_guest_name);
	(void)psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	cpu_stop();
}

static void end_power_off(void)
{
	(void)psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

static void end_reset(void)
{
	(void)psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
}

/* Reset type 0: a warm reset of the system. */
static void end_reset_warm(void)
{
	(void)psci_call(PSCI_SYSTEM_RESET2, 0, 0, 0);
	console_print("%s: no SYSTEM_RESET2\n", check_guest_name);
}

static void tell_pvpanic(uint8_t events)
{
	const uint64_t base = tree_cells("pvpanic", "reg", 0);

	if (base)
		mmio_write8(base, events);
	else
		console_print("%s: no pvpanic\n", check_guest_name);
}

static void end_pvpanic(void)
{
	tell_pvpanic(PVPANIC_PANICKED);
}

static void end_crash_loaded(void)
{
	tell_pvpanic(PVPANIC_CRASH_LOADED);
}

static void end_exception(void)
{
	__asm__ volatile("udf #0");
}

/* KVM has no instructions to give from there: an abort of the guest's own. */
static void end_bad_instruction(void)
{
	__asm__ volatile("br %0" : : "r"(NOT_MEMORY));
}

/* Of two registers: the processor does not tell KVM which. */
static void end_bad_access(void)
{
	uint64_t first, second;

	__asm__ volatile("ldp %0, %1, [%2]"
			 : "=r"(first), "=r"(second)
			 : "r"(PLACE_UART)
			 : "memory");
	console_print("%s: read 0x%lx and 0x%lx\n", check_guest_name, first, second);
}

/* And one that changes the register of its address. */
static void end_bad_store(void)
{
	uint64_t address = PLACE_UART;

	__asm__ volatile("strb wzr, [%0], #1" : "+r"(address) : : "memory");
	console_print("%s: went on to 0x%lx\n", check_guest_name, address);
}

/* What translates addresses is where no memory is: not even the abort's vector can be reached. */
static void end_bad_tables(void)
{
	__asm__ volatile("msr ttbr0_el1, %0\n\t"
			 "isb\n\t"
			 "tlbi vmalle1\n\t"
			 "dsb nsh\n\t"
			 "isb"
			 :
			 : "r"(NOT_MEMORY)
			 : "memory");
}

static void end_cpus_off(void)
{
	(void)smp_start();
	if (!smp_stop_others())
		console_print("%s: a processor does not stop\n", check_guest_name);
	console_print("%s: the last processor goes\n", check_guest_name);
	(void)psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

static void end_halt(void)
{
}

static void end_spin(void)
{
	for (;;)
		cpu_relax();
}

static void end_hang_uart(void)
{
	for (;;)
		(void)uart_read(UART_LSR);
}

static const struct {
	const char *name;
	void (*run)(void); /* when it returns, the processor stops for good */
} ends[] = {
	{"poweroff", end_power_off},
	{"reset", end_reset},
	{"reset-warm", end_reset_warm},
	{"pvpanic", end_pvpanic},
	{"crash-loaded", end_crash_loaded},
	{"exception", end_exception},
	{"bad-instruction", end_bad_instruction},
	{"bad-access", end_bad_access},
	{"bad-store", end_bad_store},
	{"bad-tables", end_bad_tables},
	{"cpus-off", end_cpus_off},
	{"halt", end_halt},
	{"spin", end_spin},
	{"hang-uart", end_hang_uart},
};

bool end_by_name(const char *name, uint32_t value)
{
	if (string_equal(name, "debug-exit"))
		end_debug_exit(value);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!string_equal(name, ends[i].name))
			continue;
		ends[i].run();
		cpu_stop();
	}
	return false;
}
