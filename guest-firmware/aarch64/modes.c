/* See modes.h. */
#include "modes.h"

#include "check.h"
#include "console.h"
#include "cpu.h"
#include "echo.h"
#include "ends.h"
#include "gic.h"
#include "gpio.h"
#include "mmio.h"
#include "psci.h"
#include "trap.h"
#include "tree.h"
#include "uart.h"

static uint64_t gpio;
static volatile uint32_t pressed;
static volatile unsigned int interrupts;
static volatile bool is_open;

static void on_key(void)
{
	const uint32_t lines = mmio_read32(gpio + GPIO_MASKED);

	mmio_write32(gpio + GPIO_CLEAR, lines);
	pressed |= lines;
	interrupts++;
}

/* An interrupt that comes while they are masked ends the sleep and is taken behind it. */
static void sleep_once(void)
{
	cpu_wait_for_interrupt();
	cpu_unmask_interrupts();
	cpu_mask_interrupts();
}

static void on_uart(void)
{
	interrupts++;
	is_open = is_open && echo_received();
	if (!is_open)
		uart_write(UART_IER, 0);
}

void mode_echo(bool by_interrupt)
{
	const uint32_t interrupt = gic_number("serial", 0);

	is_open = true;
	console_print("%s: echo until q\n", check_guest_name);
	if (by_interrupt) {
		trap_set_handler(interrupt, on_uart);
		gic_enable(interrupt);
		uart_write(UART_MCR, UART_MCR_DTR_RTS | UART_MCR_OUT2);
		uart_write(UART_IER, UART_IER_RECEIVED);
	}
	while (is_open) {
		if (by_interrupt)
			sleep_once();
		else
			is_open = echo_received();
	}
	if (by_interrupt)
		gic_disable(interrupt);
	console_print("\n%s: echo ended after %u interrupts\n", check_guest_name, interrupts);
}

_Noreturn void mode_power_button(bool obey)
{
	const uint32_t interrupt = gic_number("gpio", 0);
	const uint32_t key = 1u << tree_cell("key-power", "gpios", 1) % GPIO_LINES;

	gpio = tree_cells("gpio", "reg", 0);
	if (!gpio || !gic_version() || !interrupt) {
		console_print("%s: no power key in the device tree\n", check_guest_name);
		end_debug_exit(END_VALUE_FAILED);
	}
	interrupts = 0;
	trap_set_handler(interrupt, on_key);
	gic_enable(interrupt);
	mmio_write32(gpio + GPIO_EVENT, key); /* when it goes down */
	mmio_write32(gpio + GPIO_CLEAR, key);
	mmio_write32(gpio + GPIO_ENABLE, key);
	console_print("%s: waiting for the power button\n", check_guest_name);
	while (!obey || !(pressed & key))
		sleep_once();
	console_print("%s: power button, lines 0x%02x, %u interrupts\n", check_guest_name, pressed,
		interrupts);
	(void)psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	cpu_stop();
}
