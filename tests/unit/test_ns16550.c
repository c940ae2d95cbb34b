#include "cmocka_all.h"
#include "ns16550.h"

#include <stdlib.h>
#include <string.h>

/* Transcribed from the PC16550D data sheet and Linux's serial_reg.h, not from the device. */
enum {
	RX = 0,
	TX = 0,
	DLL = 0,
	IER = 1,
	DLM = 1,
	IIR = 2,
	FCR = 2,
	EFR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7,
};

struct host {
	uint8_t sent[4096];
	size_t sent_count;
	bool congested;
	unsigned int resumes;
	bool line;
	unsigned int rises;
	struct ns16550 *uart;
};

static size_t host_write(void *opaque, const void *bytes, size_t length)
{
	struct host *host = opaque;

	if (length > sizeof(host->sent) - host->sent_count)
		return 0;
	memcpy(host->sent + host->sent_count, bytes, length);
	host->sent_count += length;
	return length;
}

static bool host_is_congested(void *opaque)
{
	return ((struct host *)opaque)->congested;
}

static void host_resume_input(void *opaque)
{
	((struct host *)opaque)->resumes++;
}

static void host_set_level(void *opaque, unsigned int line, bool level)
{
	struct host *host = opaque;

	assert_int_equal(line, 4);
	if (level && !host->line)
		host->rises++;
	host->line = level;
}

static const struct console_port_ops port_ops = {host_write, host_is_congested, host_resume_input};
static const struct irq_ops irq_ops = {host_set_level};

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));
	struct irq irq = {&irq_ops, host, 4};
	struct console_port port = {&port_ops, host};

	if (!host || ns16550_create(&irq, &port, &host->uart, NULL) != 0)
		return -1;
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct host *host = *state;

	ns16550_destroy(host->uart);
	free(host);
	return 0;
}

static uint8_t in(struct host *host, unsigned int reg)
{
	return (uint8_t)ns16550_bus_ops.read(host->uart, reg, 1);
}

static void out(struct host *host, unsigned int reg, uint8_t value)
{
	ns16550_bus_ops.write(host->uart, reg, 1, value);
}

enum step_action {
	STEP_WRITE,
	STEP_READ,
	STEP_RISES,
	STEP_LINE,
	STEP_TEXT,
	STEP_CONGEST,
	STEP_DRAIN
};

/* One step of a driver: a write, or a read and what it must give under a mask. */
struct step {
	enum step_action action;
	unsigned int reg;
	unsigned int value; /* written, expected, or a count */
	unsigned int mask;
	const char *text; /* received from the host */
};

#define WRITE(reg, value)                       \
	{                                       \
		STEP_WRITE, reg, value, 0, NULL \
	}
#define READ(reg, value, mask)                    \
	{                                         \
		STEP_READ, reg, value, mask, NULL \
	}
#define RISES(count)                          \
	{                                     \
		STEP_RISES, 0, count, 0, NULL \
	} /* since the last RISES */
#define LINE(level)                          \
	{                                    \
		STEP_LINE, 0, level, 0, NULL \
	}
#define TEXT(text, taken)                    \
	{                                    \
		STEP_TEXT, 0, taken, 0, text \
	}
#define CONGEST                             \
	{                                   \
		STEP_CONGEST, 0, 0, 0, NULL \
	}
#define DRAIN                             \
	{                                 \
		STEP_DRAIN, 0, 0, 0, NULL \
	}

static void play(struct host *host, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];

		switch (step->action) {
		case STEP_WRITE:
			out(host, step->reg, (uint8_t)step->value);
			break;
		case STEP_READ:
			if ((in(host, step->reg) & step->mask) != step->value)
				fail_msg("step %zu: not the expected value", i);
			break;
		case STEP_RISES:
			if (host->rises != step->value)
				fail_msg("step %zu: %u rises, not %u", i, host->rises, step->value);
			host->rises = 0;
			break;
		case STEP_LINE:
			if (host->line != (step->value != 0))
				fail_msg("step %zu: the line is %d", i, host->line);
			break;
		case STEP_TEXT:
			assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)step->text,
						 strlen(step->text)),
				step->value);
			break;
		case STEP_CONGEST:
			host->congested = true;
			break;
		case STEP_DRAIN:
			host->congested = false;
			ns16550_drained(host->uart);
			break;
		}
	}
}

#define PLAY(state, ...)                                                 \
	do {                                                             \
		static const struct step steps[] = {__VA_ARGS__};        \
		play(*(state), steps, sizeof(steps) / sizeof(steps[0])); \
	} while (0)

/* autoconfig() and autoconfig_16550a() of Linux's 8250_port.c with every probe it may be built
 * with, up to the type PORT_16550A. */
static void linux_finds_a_16550a(void **state)
{
	PLAY(state,
		/* IER test */
		WRITE(IER, 0), READ(IER, 0, 0xff), WRITE(IER, 0x0f), READ(IER, 0x0f, 0x0f),
		WRITE(IER, 0),
		/* loopback: DCD and CTS follow OUT2 and RTS */
		READ(MCR, 0, 0xff), READ(LCR, 0, 0xff), WRITE(MCR, 0x1a), READ(MSR, 0x90, 0xf0),
		WRITE(MCR, 0),
		/* no EFR, FIFOs that work */
		WRITE(LCR, 0xbf), WRITE(EFR, 0), WRITE(LCR, 0), WRITE(FCR, 0x01),
		READ(IIR, 0xc0, 0xc0),
		/* not a 16C650: EFR with DLAB, EFR with 0xbf */
		WRITE(LCR, 0x80), READ(EFR, 0xc1, 0xff), WRITE(LCR, 0xbf), READ(EFR, 0xc1, 0xff),
		/* not a National Super I/O: bank 0xe0 does not show MCR's loop bit in EXCR1 */
		WRITE(LCR, 0), READ(MCR, 0, 0xff), WRITE(LCR, 0xe0), READ(2, 0, 0x10),
		WRITE(LCR, 0), WRITE(MCR, 0x10), WRITE(LCR, 0xe0), READ(2, 0, 0x10), WRITE(LCR, 0),
		WRITE(MCR, 0),
		/* not a TI16750: bit 5 of IIR stays 0, with DLAB and without */
		WRITE(FCR, 0x21), READ(IIR, 0xc0, 0xe0), WRITE(FCR, 0x01), WRITE(LCR, 0x80),
		WRITE(FCR, 0x21), READ(IIR, 0xc0, 0xe0), WRITE(FCR, 0x01), WRITE(LCR, 0),
		/* not an XScale: no UUE bit */
		WRITE(IER, 0x40), READ(IER, 0, 0x40), WRITE(IER, 0),
		/* scratch register of an 8250A and better */
		WRITE(SCR, 0xa5), READ(SCR, 0xa5, 0xff), WRITE(SCR, 0x5a), READ(SCR, 0x5a, 0xff),
		/* none of that reached the interrupt line */
		RISES(0));
}

/* size_fifo(): 256 bytes in loopback mode, of which 16 stay. */
static void linux_counts_sixteen_bytes(void **state)
{
	struct host *host = *state;
	unsigned int count;

	out(host, LCR, 0);
	out(host, FCR, 0x07);
	out(host, MCR, 0x10);
	out(host, LCR, 0x80);
	out(host, DLL, 1);
	out(host, DLM, 0);
	out(host, LCR, 0x03);
	for (count = 0; count < 256; count++)
		out(host, TX, (uint8_t)count);
	assert_int_equal(in(host, LSR) & 0x02, 0x02); /* overrun, once */
	assert_int_equal(in(host, LSR) & 0x02, 0);
	for (count = 0; (in(host, LSR) & 0x01) && count < 256; count++)
		assert_int_equal(in(host, RX), count);
	assert_int_equal(count, 16);
	assert_int_equal(host->sent_count, 0);
	assert_int_equal(host->resumes, 0);
}

static void divisor_is_behind_dlab(void **state)
{
	PLAY(state, WRITE(LCR, 0x83), WRITE(DLL, 0x34), WRITE(DLM, 0x12), READ(DLL, 0x34, 0xff),
		READ(DLM, 0x12, 0xff), WRITE(LCR, 0x03), READ(RX, 0, 0xff), READ(IER, 0, 0xff),
		WRITE(LCR, 0x83), READ(DLL, 0x34, 0xff));
	assert_int_equal(((struct host *)*state)->sent_count, 0);
}

/* The two checks of serial8250_do_startup() for UARTs with a broken THRE interrupt. */
static void linux_trusts_the_transmit_interrupt(void **state)
{
	PLAY(state, WRITE(FCR, 0x01), WRITE(MCR, 0x0b),
		/* THRE must come back when the interrupt is enabled again */
		WRITE(IER, 0x02), READ(IIR, 0xc2, 0xff), WRITE(IER, 0), WRITE(IER, 0x02),
		READ(IIR, 0xc2, 0xff), WRITE(IER, 0), RISES(2),
		/* and at once */
		WRITE(IER, 0x02), READ(LSR, 0x60, 0xff), READ(IIR, 0xc2, 0xff), WRITE(IER, 0));
}

static void transmit_interrupt_is_an_edge_per_write(void **state)
{
	struct host *host = *state;

	PLAY(state, WRITE(FCR, 0x01), WRITE(MCR, 0x0b), WRITE(IER, 0x02), RISES(1), LINE(1),
		READ(IIR, 0xc2, 0xff), LINE(0), READ(IIR, 0xc1, 0xff),
		/* written with the cause taken away, and with it still there */
		WRITE(TX, 'a'), RISES(1), WRITE(TX, 'b'), RISES(1), READ(IIR, 0xc2, 0xff), LINE(0),
		/* enabling what is enabled is no event */
		WRITE(IER, 0x02), RISES(0), WRITE(IER, 0x00), WRITE(IER, 0x02), RISES(1));
	assert_int_equal(host->sent_count, 2);
	assert_memory_equal(host->sent, "ab", 2);
}

static void congestion_withholds_only_the_interrupt(void **state)
{
	struct host *host = *state;

	PLAY(state, WRITE(FCR, 0x01), WRITE(MCR, 0x0b), WRITE(IER, 0x02), READ(IIR, 0xc2, 0xff),
		RISES(1), CONGEST, WRITE(TX, 'a'), RISES(0), READ(IIR, 0xc1, 0xff),
		READ(LSR, 0x60, 0xff), WRITE(TX, 'b'), READ(LSR, 0x60, 0xff),
		/* also for a driver that stops and starts */
		WRITE(IER, 0), WRITE(IER, 0x02), RISES(0), DRAIN, RISES(1), READ(IIR, 0xc2, 0xff),
		DRAIN, RISES(0));
	assert_int_equal(host->sent_count, 2);
}

static void causes_come_by_priority(void **state)
{
	PLAY(state, WRITE(FCR, 0x41 /* trigger at 4 */), WRITE(MCR, 0x08), WRITE(IER, 0x0f),
		TEXT("abc", 3), READ(IIR, 0xcc /* timeout */, 0xff), TEXT("d", 1),
		READ(IIR, 0xc4, 0xff), READ(RX, 'a', 0xff), READ(IIR, 0xcc, 0xff),
		READ(RX, 'b', 0xff), READ(RX, 'c', 0xff), READ(RX, 'd', 0xff), READ(RX, 0, 0xff),
		/* then the transmitter's, which waited behind */
		LINE(1), READ(IIR, 0xc2, 0xff), READ(IIR, 0xc1, 0xff), LINE(0),
		/* entering loopback drops the modem lines; the pin is disconnected */
		WRITE(MCR, 0x18), READ(IIR, 0xc0, 0xff), LINE(0), WRITE(MCR, 0x08), LINE(1),
		READ(MSR, 0xb3, 0xff), LINE(0), READ(MSR, 0xb0, 0xff), READ(IIR, 0xc1, 0xff));
}

static void ring_indicator_counts_its_trailing_edge(void **state)
{
	PLAY(state, WRITE(MCR, 0x10), READ(MSR, 0x0b, 0xff), WRITE(MCR, 0x14),
		READ(MSR, 0x40, 0xff), WRITE(MCR, 0x10), READ(MSR, 0x04, 0xff));
}

static void out2_gates_the_line(void **state)
{
	PLAY(state, WRITE(IER, 0x02), LINE(0), READ(MSR, 0xb0, 0xff), WRITE(MCR, 0x08), LINE(1),
		WRITE(MCR, 0), LINE(0), WRITE(MCR, 0x08), LINE(1), READ(IIR, 0x02, 0xff), LINE(0));
}

static void input_waits_for_a_listener(void **state)
{
	struct host *host = *state;

	PLAY(state, WRITE(MCR, 0x08), TEXT("echo", 0), WRITE(FCR, 0x07), READ(LSR, 0x60, 0xff),
		READ(RX, 0, 0xff), RISES(0));
	assert_int_equal(host->resumes, 0);
	out(host, IER, 0x05);
	assert_int_equal(host->resumes, 1);
	PLAY(state, TEXT("echo", 4), RISES(1), READ(LSR, 0x61, 0xff), READ(RX, 'e', 0xff),
		READ(RX, 'c', 0xff), READ(RX, 'h', 0xff), LINE(1), READ(RX, 'o', 0xff), LINE(0));
	assert_int_equal(host->resumes, 1);
}

static void polling_guest_gets_input(void **state)
{
	struct host *host = *state;
	unsigned int polls = 0;

	assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)"xy", 2), 0);
	while (!host->resumes && polls++ < 1000)
		assert_int_equal(in(host, LSR), 0x60);
	assert_int_equal(host->resumes, 1);
	/* without a FIFO there is room for one */
	assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)"xy", 2), 1);
	assert_int_equal(in(host, LSR), 0x61);
	assert_int_equal(in(host, RX), 'x');
	assert_int_equal(host->resumes, 2);
}

static void full_fifo_pauses_input(void **state)
{
	struct host *host = *state;
	static const char text[] = "0123456789abcdefghij";

	out(host, FCR, 0x01);
	out(host, IER, 0x01);
	assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)text, 20), 16);
	assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)text + 16, 4), 0);
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(host->resumes, 0);
		assert_int_equal(in(host, RX), text[i]);
	}
	assert_int_equal(host->resumes, 1);
	assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)text + 16, 4), 4);
	assert_int_equal(in(host, LSR), 0x61);
	/* clearing the FIFO, or changing its mode, empties it */
	out(host, FCR, 0x03);
	assert_int_equal(in(host, LSR), 0x60);
	assert_int_equal(ns16550_receive(host->uart, (const uint8_t *)text, 4), 4);
	out(host, FCR, 0);
	assert_int_equal(in(host, LSR), 0x60);
}

static void wide_accesses_are_bytes(void **state)
{
	struct host *host = *state;

	/* DLAB is still off when offset 0 is written, on when 4 bytes at 0 are read */
	ns16550_bus_ops.write(host->uart, LCR, 2, 0x0880);
	assert_int_equal(in(host, LCR), 0x80);
	assert_int_equal(in(host, MCR), 0x08);
	ns16550_bus_ops.write(host->uart, DLL, 2, 0x1234);
	assert_int_equal(ns16550_bus_ops.read(host->uart, DLL, 2), 0x1234);
	assert_int_equal(ns16550_bus_ops.read(host->uart, DLL, 4), 0x80011234);
	/* the end of the range */
	out(host, SCR, 0x77);
	assert_int_equal(ns16550_bus_ops.read(host->uart, SCR, 4), 0xffffff77);
	ns16550_bus_ops.write(host->uart, SCR, 8, UINT64_MAX);
	assert_int_equal(in(host, SCR), 0xff);
}

static void reset_is_power_on(void **state)
{
	PLAY(state, WRITE(FCR, 0xc1), WRITE(MCR, 0x08), WRITE(IER, 0x0f), TEXT("abc", 3),
		WRITE(SCR, 1), WRITE(LCR, 0x80), LINE(1));
	ns16550_reset(((struct host *)*state)->uart);
	PLAY(state, LINE(0), READ(LCR, 0, 0xff), READ(IIR, 0x01, 0xff), READ(IER, 0, 0xff),
		READ(MCR, 0, 0xff), READ(LSR, 0x60, 0xff), READ(MSR, 0xb0, 0xff),
		READ(SCR, 0, 0xff), READ(RX, 0, 0xff));
}

/* Whatever a guest does, what the registers say stays within what the part can say. */
static void random_accesses_break_nothing(void **state)
{
	static const unsigned int sizes[] = {1, 1, 1, 1, 2, 4, 8};
	struct host *host = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (unsigned int i = 0; i < 400000; i++) {
		unsigned int size, reg;
		uint64_t value;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		size = sizes[(seed >> 33) % 7];
		reg = (seed >> 40) % 8;
		value = seed >> 13;
		host->congested = (seed >> 60) == 3;
		switch ((seed >> 50) % 8) {
		case 0:
			(void)ns16550_receive(
				host->uart, (const uint8_t *)"0123456789abcdefghij", seed >> 59);
			break;
		case 1:
			ns16550_drained(host->uart);
			break;
		case 2:
		case 3:
		case 4:
			(void)ns16550_bus_ops.read(host->uart, reg, size);
			break;
		default:
			ns16550_bus_ops.write(host->uart, reg, size, value);
			break;
		}
		host->sent_count = 0;
		assert_int_equal(in(host, LSR) & 0xfc, 0x60);
		assert_int_equal(in(host, MCR) & 0xe0, 0);
	}
	/* and it still works */
	ns16550_reset(host->uart);
	host->congested = false;
	host->rises = 0;
	linux_trusts_the_transmit_interrupt(state);
}

#define UART_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		UART_TEST(linux_finds_a_16550a),
		UART_TEST(linux_counts_sixteen_bytes),
		UART_TEST(divisor_is_behind_dlab),
		UART_TEST(linux_trusts_the_transmit_interrupt),
		UART_TEST(transmit_interrupt_is_an_edge_per_write),
		UART_TEST(congestion_withholds_only_the_interrupt),
		UART_TEST(causes_come_by_priority),
		UART_TEST(ring_indicator_counts_its_trailing_edge),
		UART_TEST(out2_gates_the_line),
		UART_TEST(input_waits_for_a_listener),
		UART_TEST(polling_guest_gets_input),
		UART_TEST(full_fifo_pauses_input),
		UART_TEST(wide_accesses_are_bytes),
		UART_TEST(reset_is_power_on),
		UART_TEST(random_accesses_break_nothing),
	};

	return cmocka_run_group_tests_name("ns16550", tests, NULL, NULL);
}
