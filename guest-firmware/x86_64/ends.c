/* See ends.h. */
#include "ends.h"

#include "acpi.h"
#include "check.h"
#include "console.h"
#include "cpu.h"
#include "paging.h"
#include "trap.h"
#include "uart.h"
#include "words.h"

#include <stddef.h>

#define PORT_DEBUG_EXIT    0xf4
#define PORT_I8042_COMMAND 0x64
#define PORT_RESET         0xcf9
#define PORT_PVPANIC       0x505

#define I8042_PULSE_RESET    0xfe
#define RESET_HARD           0x06
#define PVPANIC_PANICKED     0x01
#define PVPANIC_CRASH_LOADED 0x02
#define WARM_BOOT_WORD       0x472
#define WARM_BOOT_VALUE      0x1234

#define SLEEP_TYPE_SHIFT 10
#define SLEEP_ENABLE     (1u << 13)
/* The register of hardware-reduced ACPI is a byte (ACPI 6.5 4.8.3.7). */
#define SLEEP_CONTROL_TYPE_SHIFT 2
#define SLEEP_CONTROL_ENABLE     (1u << 5)

/* Where no machine has RAM and a VMM of this board no device: instructions cannot come from it. */
#define NOT_MEMORY 0xdffff000

static void end_triple_fault(void)
{
	trap_unload();
	__asm__ volatile("ud2");
}

/* A port without the device swallows the write: then the guest must still end, and visibly so. */
_Noreturn void end_debug_exit(uint32_t value)
{
	out8(PORT_DEBUG_EXIT, (uint8_t)value);
	console_print("%s: nothing at the debug-exit port\n", check_guest_name);
	end_triple_fault();
	cpu_stop();
}

_Noreturn void end_power_off(void)
{
	struct acpi_fadt fadt;
	uint8_t type;

	if (!acpi_read_fadt(&fadt) || !acpi_sleep_type_s5(&type)) {
		console_print("%s: no way to power off in ACPI\n", check_guest_name);
		end_debug_exit(END_VALUE_FAILED);
	}
	if (!(fadt.flags & FADT_HARDWARE_REDUCED)) {
		out16((uint16_t)fadt.pm1a_control.address,
			(uint16_t)((unsigned int)type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
	} else if (fadt.sleep_control.space == ACPI_SPACE_MEMORY) {
		volatile uint8_t *control = physical(fadt.sleep_control.address);

		if (paging_map(fadt.sleep_control.address, 1))
			*control = (uint8_t)((unsigned int)type << SLEEP_CONTROL_TYPE_SHIFT |
					     SLEEP_CONTROL_ENABLE);
	} else {
		out8((uint16_t)fadt.sleep_control.address,
			(uint8_t)((unsigned int)type << SLEEP_CONTROL_TYPE_SHIFT |
				  SLEEP_CONTROL_ENABLE));
	}
	cpu_stop();
}

static void end_reset_cf9(void)
{
	out8(PORT_RESET, RESET_HARD);
}

static void end_reset_keyboard(void)
{
	out8(PORT_I8042_COMMAND, I8042_PULSE_RESET);
}

/* ACPI 6.5 4.8.3.6. */
static void end_reset_acpi(void)
{
	struct acpi_fadt fadt;

	if (acpi_read_fadt(&fadt) && (fadt.flags & FADT_RESET_SUPPORTED) &&
		fadt.reset.space == ACPI_SPACE_IO)
		out8((uint16_t)fadt.reset.address, fadt.reset_value);
	else
		console_print("%s: no reset register in ACPI\n", check_guest_name);
}

static void end_pvpanic(void)
{
	out8(PORT_PVPANIC, PVPANIC_PANICKED);
}

static void end_crash_loaded(void)
{
	out8(PORT_PVPANIC, PVPANIC_CRASH_LOADED);
}

static void end_panic_flag(void)
{
	*(volatile uint16_t *)physical(WARM_BOOT_WORD) = WARM_BOOT_VALUE;
	end_reset_keyboard();
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

static void end_bad_instruction(void)
{
	if (paging_map(NOT_MEMORY, 4096))
		__asm__ volatile("jmp *%0" : : "r"((uint64_t)NOT_MEMORY));
}

static const struct {
	const char *name;
	void (*run)(void); /* when it returns, the processor stops for good */
} ends[] = {
	{"reset-cf9", end_reset_cf9},
	{"reset-kbd", end_reset_keyboard},
	{"reset-acpi", end_reset_acpi},
	{"triple-fault", end_triple_fault},
	{"pvpanic", end_pvpanic},
	{"crash-loaded", end_crash_loaded},
	{"panic-flag", end_panic_flag},
	{"halt", end_halt},
	{"spin", end_spin},
	{"hang-uart", end_hang_uart},
	{"bad-instruction", end_bad_instruction},
};

bool end_by_name(const char *name, uint32_t value)
{
	if (string_equal(name, "debug-exit"))
		end_debug_exit(value);
	if (string_equal(name, "poweroff"))
		end_power_off();
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!string_equal(name, ends[i].name))
			continue;
		ends[i].run();
		cpu_stop();
	}
	return false;
}
