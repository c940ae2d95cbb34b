/*
 * The probe: a guest that checks the machine it finds itself in, says what it found on COM1 and
 * ends in the way it was asked to. README.md beside this folder lists the words it understands.
 */
#include "apic.h"
#include "checks.h"
#include "console.h"
#include "ends.h"
#include "facts.h"
#include "modes.h"
#include "trap.h"
#include "uart.h"
#include "words.h"

const char check_guest_name[] = "probe";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

static const struct check checks[] = {
	{"boot-info", check_boot_info},
	{"memory-map", check_memory_map},
	{"memory-edges", check_memory_edges},
	{"memory-hole", check_memory_hole},
	{"command-line", check_command_line},
	{"module", check_module},
	{"rsdp", check_rsdp},
	{"acpi-tables", check_acpi_tables},
	{"fadt", check_fadt},
	{"dsdt", check_dsdt},
	{"madt", check_madt},
	{"smbios", check_smbios},
	{"hypervisor", check_hypervisor},
	{"apic-id", check_apic_id},
	{"exceptions", check_exceptions},
	{"uart-scratch", check_uart_scratch},
	{"uart-loopback", check_uart_loopback},
	{"uart-transmit", check_uart_transmit},
	{"uart-interrupt", check_uart_interrupt},
	{"rtc", check_rtc},
	{"pit", check_pit},
	{"pm-timer", check_pm_timer},
	{"apic-timer", check_apic_timer},
	{"tsc-deadline", check_tsc_deadline},
	{"halt", check_halt},
	{"smp", check_smp},
	{"ipi", check_ipi},
	{"tsc-order", check_tsc_order},
	{"pvpanic", check_pvpanic},
};

static void run_modes(const char *line)
{
	uint64_t flood = words_number(line, "flood", 0);
	uint64_t flood_string = words_number(line, "flood-string", 0);
	char echo[16], button[16];

	if (flood)
		mode_flood(flood, false);
	if (flood_string)
		mode_flood(flood_string, true);
	(void)words_value(line, "echo", echo, sizeof(echo));
	if (words_has(line, "echo"))
		mode_echo(!string_equal(echo, "poll"));
	(void)words_value(line, "power-button", button, sizeof(button));
	if (words_has(line, "power-button"))
		mode_power_button(!string_equal(button, "ignore"));
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = facts.command_line;
	struct check_totals totals;
	char only[256], end[32];
	uint32_t value;

	uart_init();
	trap_init();
	facts_read(entry, information);
	apic_init(words_has(line, "xapic"));
	totals = check_run(checks, sizeof(checks) / sizeof(checks[0]),
		words_value(line, "probe.only", only, sizeof(only)) ? only : NULL);
	console_print("probe: %u passed, %u failed\n", totals.passed, totals.failed);
	run_modes(line);
	value = (uint32_t)words_number(
		line, "exit-value", totals.failed ? END_VALUE_FAILED : END_VALUE_PASSED);
	if (words_value(line, "end", end, sizeof(end)) && !end_by_name(end, value)) {
		console_print("probe: no end is called '%s'\n", end);
		value = END_VALUE_FAILED;
	}
	end_debug_exit(value);
}
