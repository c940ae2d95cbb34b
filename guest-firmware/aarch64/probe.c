/*
 * The probe: a guest that checks the machine it finds itself in, says what it found on the serial
 * port and ends in the way it was asked to. README.md beside this folder lists the words it
 * understands.
 */
#include "checks.h"
#include "console.h"
#include "ends.h"
#include "facts.h"
#include "flood.h"
#include "gic.h"
#include "modes.h"
#include "uart.h"
#include "words.h"

const char check_guest_name[] = "probe";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

static const struct check checks[] = {
	{"entry", check_entry},
	{"tree-header", check_tree_header},
	{"tree-structure", check_tree_structure},
	{"memory-map", check_memory_map},
	{"memory-edges", check_memory_edges},
	{"memory-hole", check_memory_hole},
	{"command-line", check_command_line},
	{"initrd", check_initrd},
	{"seeds", check_seeds},
	{"exceptions", check_exceptions},
	{"psci", check_psci},
	{"gic", check_gic},
	{"self-interrupt", check_self_interrupt},
	{"timer", check_timer},
	{"timer-interrupt", check_timer_interrupt},
	{"halt", check_halt},
	{"uart-scratch", check_uart_scratch},
	{"uart-loopback", check_uart_loopback},
	{"uart-transmit", check_uart_transmit},
	{"uart-interrupt", check_uart_interrupt},
	{"rtc", check_rtc},
	{"rtc-interrupt", check_rtc_interrupt},
	{"gpio", check_gpio},
	{"smp", check_smp},
	{"psci-errors", check_psci_errors},
	{"ipi", check_ipi},
	{"timer-order", check_timer_order},
	{"messages", check_messages},
	{"message-targets", check_message_targets},
	{"accesses", check_accesses},
	{"pvpanic", check_pvpanic},
};

static void run_modes(const char *line)
{
	const uint64_t flood_kib = words_number(line, "flood", 0);
	char echo[16], button[16];

	if (flood_kib)
		flood(flood_kib, console_write);
	(void)words_value(line, "echo", echo, sizeof(echo));
	if (words_has(line, "echo"))
		mode_echo(!string_equal(echo, "poll"));
	(void)words_value(line, "power-button", button, sizeof(button));
	if (words_has(line, "power-button"))
		mode_power_button(!string_equal(button, "ignore"));
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	struct check_totals totals;
	char only[256], end[32];
	uint32_t value;

	(void)entry;
	uart_init();
	facts_read(information);
	if (gic_open())
		(void)gic_start_processor();
	totals = check_run(checks, sizeof(checks) / sizeof(checks[0]),
		words_value(facts.command_line, "probe.only", only, sizeof(only)) ? only : NULL);
	console_print("probe: %u passed, %u failed\n", totals.passed, totals.failed);
	run_modes(facts.command_line);
	value = (uint32_t)words_number(facts.command_line, "exit-value",
		totals.failed ? END_VALUE_FAILED : END_VALUE_PASSED);
	if (words_value(facts.command_line, "end", end, sizeof(end)) && !end_by_name(end, value)) {
		console_print("probe: no end is called '%s'\n", end);
		value = END_VALUE_FAILED;
	}
	end_debug_exit(value);
}
