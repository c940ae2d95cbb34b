/* See modes.h. */
#include "modes.h"

#include "acpi.h"
#include "apic.h"
#include "check.h"
#include "clocks.h"
#include "console.h"
#include "cpu.h"
#include "echo.h"
#include "ends.h"
#include "flood.h"
#include "places.h"
#include "trap.h"
#include "uart.h"

#define UART_IRQ 4

/* ACPI 6.5 4.8.3.1 and 4.8.3.2. */
#define PM1_POWER_BUTTON (1u << 8)
#define PM1_CONTROL_SCI  (1u << 0)

static volatile unsigned int interrupts;
static uint16_t pm1_status_port;
static volatile uint16_t pm1_status;

static void on_uart(void)
{
	interrupts++;
}

void mode_echo(bool by_interrupt)
{
	struct acpi_interrupt interrupt = acpi_isa_interrupt(UART_IRQ);

	trap_set_handler(VECTOR_UART, on_uart);
	if (by_interrupt && !ioapic_route(interrupt, VECTOR_UART, (uint8_t)apic_id())) {
		console_print("%s: no I/O APIC, polling\n", check_guest_name);
		by_interrupt = false;
	}
	console_print("%s: echo until q\n", check_guest_name);
	uart_write(UART_MCR, UART_MCR_DTR_RTS | UART_MCR_OUT2);
	uart_write(UART_IER, by_interrupt ? UART_IER_RECEIVED : 0);
	if (by_interrupt)
		heartbeat_start();
	while (echo_received()) {
		unsigned int seen = interrupts;

		while (by_interrupt && interrupts == seen)
			interrupt_wait();
	}
	heartbeat_stop();
	uart_write(UART_IER, 0);
	ioapic_mask(interrupt.gsi);
	console_print("\n%s: echo ended after %u interrupts\n", check_guest_name, interrupts);
}

static void write_string(const char *bytes, size_t length)
{
	__asm__ volatile("rep outsb" : "+S"(bytes), "+c"(length) : "d"(PLACE_UART) : "memory");
}

void mode_flood(uint64_t kib, bool by_string)
{
	flood(kib, by_string ? write_string : console_write);
}

static void on_sci(void)
{
	uint16_t status = in16(pm1_status_port);

	out16(pm1_status_port, status); /* written ones clear, which lowers the level */
	pm1_status |= status;
	interrupts++;
}

_Noreturn void mode_power_button(bool obey)
{
	struct acpi_fadt fadt;
	struct acpi_interrupt interrupt;

	if (!acpi_read_fadt(&fadt) || (fadt.flags & FADT_HARDWARE_REDUCED)) {
		console_print("%s: no fixed power button in ACPI\n", check_guest_name);
		end_debug_exit(END_VALUE_FAILED);
	}
	interrupt = acpi_isa_interrupt((uint8_t)fadt.sci_interrupt);
	pm1_status_port = (uint16_t)fadt.pm1a_event.address;
	if (fadt.smi_command && !(in16((uint16_t)fadt.pm1a_control.address) & PM1_CONTROL_SCI))
		out8((uint16_t)fadt.smi_command, fadt.acpi_enable);
	trap_set_handler(VECTOR_SCI, on_sci);
	if (!ioapic_route(interrupt, VECTOR_SCI, (uint8_t)apic_id())) {
		console_print("%s: no I/O APIC pin %u\n", check_guest_name, interrupt.gsi);
		end_debug_exit(END_VALUE_FAILED);
	}
	out16((uint16_t)(pm1_status_port + fadt.pm1_event_bytes / 2), PM1_POWER_BUTTON);
	heartbeat_start();
	console_print("%s: waiting for the power button\n", check_guest_name);
	while (!obey || !(pm1_status & PM1_POWER_BUTTON))
		interrupt_wait();
	console_print("%s: power button, status 0x%04x, %u interrupts, then 0x%04x\n",
		check_guest_name, pm1_status, interrupts, in16(pm1_status_port));
	end_power_off();
}
