/*
 * See ns16550.h. Section numbers are those of the PC16550D data sheet.
 *
 * The interrupt line is a level here; ISA's edge-triggered input sees it rise. Hence every event
 * that takes the cause away updates the line before the next cause may raise it again.
 */
#include "ns16550.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define FIFO_BYTES 16

/* A guest that polls for input reads LSR over and over; one that polls to transmit writes after
 * each. So many reads in a row without a write are a guest that waits for input. */
#define LISTENING_LSR_READS 64

enum {
	REG_DATA = 0, /* RBR, THR; DLL while DLAB is set */
	REG_IER = 1,  /* DLM while DLAB is set */
	REG_IIR = 2,  /* FCR when written */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

#define IER_RDI  0x01 /* received data available */
#define IER_THRI 0x02 /* transmitter holding register empty */
#define IER_RLSI 0x04 /* receiver line status */
#define IER_MSI  0x08 /* modem status */
#define IER_MASK 0x0f

#define IIR_NONE         0x01
#define IIR_MSI          0x00
#define IIR_THRI         0x02
#define IIR_RDI          0x04
#define IIR_RLSI         0x06
#define IIR_TIMEOUT      0x0c
#define IIR_FIFO_ENABLED 0xc0

#define FCR_ENABLE      0x01
#define FCR_CLEAR_RX    0x02
#define FCR_TRIGGER_BIT 6

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DATA_READY  0x01
#define LSR_OVERRUN     0x02
#define LSR_THR_EMPTY   0x20
#define LSR_TRANS_EMPTY 0x40

#define MSR_DELTA_CTS 0x01
#define MSR_DELTA_DSR 0x02
#define MSR_TRAIL_RI  0x04
#define MSR_DELTA_DCD 0x08
#define MSR_DELTAS    0x0f
#define MSR_CTS       0x10
#define MSR_DSR       0x20
#define MSR_RI        0x40
#define MSR_DCD       0x80

#define DIVISOR_115200 1 /* firmware would have programmed something */

struct ns16550 {
	/* [const] */
	struct irq irq;
	struct console_port port;
	pthread_mutex_t lock;
	/* [lock] registers */
	uint16_t divisor;
	uint8_t ier;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	uint8_t modem_lines;  /* upper half of MSR */
	uint8_t modem_deltas; /* lower half of MSR */
	bool fifo_enabled;
	uint8_t trigger_bytes;
	bool overrun;
	bool thri_pending;
	/* [lock] receiver */
	uint8_t fifo[FIFO_BYTES];
	unsigned int fifo_first;
	unsigned int fifo_count;
	/* [lock] towards the host */
	bool transmit_held; /* thri_pending is to be set when the port has drained */
	bool input_refused; /* less was taken than offered: resume_input is owed */
	unsigned int lsr_reads;
};

static uint8_t interrupt_cause(const struct ns16550 *uart)
{
	/* 8.6.4, table III: in the order of priority. */
	if ((uart->ier & IER_RLSI) && uart->overrun)
		return IIR_RLSI;
	if ((uart->ier & IER_RDI) && uart->fifo_count) {
		/* No characters arrive at a rate here: what stays below the trigger level has timed
		 * out at once. */
		if (uart->fifo_enabled && uart->fifo_count < uart->trigger_bytes)
			return IIR_TIMEOUT;
		return IIR_RDI;
	}
	if ((uart->ier & IER_THRI) && uart->thri_pending)
		return IIR_THRI;
	if ((uart->ier & IER_MSI) && uart->modem_deltas)
		return IIR_MSI;
	return IIR_NONE;
}

static void update_irq(const struct ns16550 *uart)
{
	/* On a PC OUT2 gates the line, and loopback mode disconnects OUT2 (8.6.6). */
	bool gate = (uart->mcr & MCR_OUT2) && !(uart->mcr & MCR_LOOP);

	irq_set_level(&uart->irq, gate && interrupt_cause(uart) != IIR_NONE);
}

/* Is anybody going to fetch input? Before a driver listens, what arrives would be lost in its
 * probing and its clearing of the FIFOs. */
static bool is_listening(const struct ns16550 *uart)
{
	if (uart->mcr & MCR_LOOP)
		return false;
	return (uart->ier & IER_RDI) || uart->lsr_reads >= LISTENING_LSR_READS;
}

static unsigned int fifo_room(const struct ns16550 *uart)
{
	return (uart->fifo_enabled ? FIFO_BYTES : 1) - uart->fifo_count;
}

static void fifo_push(struct ns16550 *uart, uint8_t byte)
{
	uart->fifo[(uart->fifo_first + uart->fifo_count++) % FIFO_BYTES] = byte;
}

static uint8_t fifo_pop(struct ns16550 *uart)
{
	uint8_t byte = uart->fifo[uart->fifo_first];

	if (!uart->fifo_count)
		return 0;
	uart->fifo_first = (uart->fifo_first + 1) % FIFO_BYTES;
	uart->fifo_count--;
	return byte;
}

/* Asks for input that was refused, when it would now be taken. */
static void resume_input(struct ns16550 *uart)
{
	if (!uart->input_refused || uart->fifo_count || !is_listening(uart))
		return;
	uart->input_refused = false;
	uart->port.ops->resume_input(uart->port.host);
}

/* The holding register is empty, unless the host has to catch up first. */
static void transmitter_empty(struct ns16550 *uart)
{
	uart->transmit_held = uart->port.ops->is_congested(uart->port.host);
	uart->thri_pending = !uart->transmit_held;
}

static void set_modem_lines(struct ns16550 *uart)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD; /* a cable with a peer that is always ready */
	uint8_t changed;

	if (uart->mcr & MCR_LOOP) /* 8.6.6: the four outputs feed the four inputs */
		lines = (uint8_t)((uart->mcr & MCR_DTR ? MSR_DSR : 0) |
				  (uart->mcr & MCR_RTS ? MSR_CTS : 0) |
				  (uart->mcr & MCR_OUT1 ? MSR_RI : 0) |
				  (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
	changed = (uint8_t)(lines ^ uart->modem_lines);
	if (!(changed & uart->modem_lines & MSR_RI)) /* only its trailing edge counts */
		changed &= (uint8_t)~MSR_RI;
	uart->modem_deltas = (uint8_t)(uart->modem_deltas | changed >> 4);
	uart->modem_lines = lines;
}

static uint8_t read_data(struct ns16550 *uart)
{
	uint8_t byte = fifo_pop(uart);

	resume_input(uart);
	return byte;
}

static uint8_t read_iir(struct ns16550 *uart)
{
	uint8_t cause = interrupt_cause(uart);

	if (cause == IIR_THRI) /* 8.6.4: reading it takes this one cause away */
		uart->thri_pending = false;
	return (uint8_t)(cause | (uart->fifo_enabled ? IIR_FIFO_ENABLED : 0));
}

static uint8_t read_lsr(struct ns16550 *uart)
{
	uint8_t value = LSR_THR_EMPTY | LSR_TRANS_EMPTY;

	if (uart->fifo_count)
		value |= LSR_DATA_READY;
	if (uart->overrun)
		value |= LSR_OVERRUN;
	uart->overrun = false;
	if (uart->lsr_reads < LISTENING_LSR_READS && !(uart->mcr & MCR_LOOP))
		uart->lsr_reads++;
	resume_input(uart);
	return value;
}

static uint8_t read_msr(struct ns16550 *uart)
{
	uint8_t value = uart->modem_lines | uart->modem_deltas;

	uart->modem_deltas = 0;
	return value;
}

static uint8_t read_register(struct ns16550 *uart, uint64_t offset)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		return dlab ? (uint8_t)uart->divisor : read_data(uart);
	case REG_IER:
		return dlab ? (uint8_t)(uart->divisor >> 8) : uart->ier;
	case REG_IIR:
		return read_iir(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		return read_lsr(uart);
	case REG_MSR:
		return read_msr(uart);
	case REG_SCR:
		return uart->scr;
	default:
		return 0xff;
	}
}

static void write_data(struct ns16550 *uart, uint8_t byte)
{
	uart->lsr_reads = 0;
	if (uart->mcr & MCR_LOOP) {
		if (fifo_room(uart))
			fifo_push(uart, byte);
		else
			uart->overrun = true;
	} else {
		/* A byte that finds no room is lost, and counted by the port. */
		(void)uart->port.ops->write(uart->port.host, &byte, 1);
	}
	uart->thri_pending = false;
	update_irq(uart); /* 8.6.4: the write takes the cause away; the empty register is another */
	transmitter_empty(uart);
}

static void write_ier(struct ns16550 *uart, uint8_t value)
{
	bool thri_enabled = (value & ~uart->ier) & IER_THRI;

	uart->ier = value & IER_MASK;
	uart->lsr_reads = 0; /* a driver that programs interrupts does not poll */
	if (thri_enabled)
		transmitter_empty(uart); /* as of now: the register has been empty all the time */
	resume_input(uart);
}

static void write_fcr(struct ns16550 *uart, uint8_t value)
{
	static const uint8_t triggers[] = {1, 4, 8, 14};
	bool enable = value & FCR_ENABLE;

	/* 8.6.3: both FIFOs are cleared by a change of bit 0; the other bits count only with it. */
	if (enable != uart->fifo_enabled || (enable && (value & FCR_CLEAR_RX)))
		uart->fifo_count = 0;
	uart->fifo_enabled = enable;
	if (enable)
		uart->trigger_bytes = triggers[value >> FCR_TRIGGER_BIT];
	resume_input(uart);
}

static void write_mcr(struct ns16550 *uart, uint8_t value)
{
	uart->mcr = value & MCR_MASK;
	set_modem_lines(uart);
	resume_input(uart);
}

static void write_register(struct ns16550 *uart, uint64_t offset, uint8_t value)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (offset) {
	case REG_DATA:
		if (dlab)
			uart->divisor = (uint16_t)((uart->divisor & 0xff00) | value);
		else
			write_data(uart, value);
		break;
	case REG_IER:
		if (dlab)
			uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
		else
			write_ier(uart, value);
		break;
	case REG_IIR:
		write_fcr(uart, value);
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		write_mcr(uart, value);
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	default: /* 8.6.5 and 8.6.7: LSR and MSR are for reading */
		break;
	}
}

static uint64_t ns16550_bus_read(void *device, uint64_t offset, unsigned int size)
{
	struct ns16550 *uart = device;
	uint64_t value = 0;

	(void)pthread_mutex_lock(&uart->lock);
	for (unsigned int i = 0; i < size; i++) {
		value |= (uint64_t)read_register(uart, offset + i) << (8 * i);
		update_irq(uart);
	}
	(void)pthread_mutex_unlock(&uart->lock);
	return value;
}

static void ns16550_bus_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct ns16550 *uart = device;

	(void)pthread_mutex_lock(&uart->lock);
	for (unsigned int i = 0; i < size; i++) {
		write_register(uart, offset + i, (uint8_t)(value >> (8 * i)));
		update_irq(uart);
	}
	(void)pthread_mutex_unlock(&uart->lock);
}

const struct bus_ops ns16550_bus_ops = {ns16550_bus_read, ns16550_bus_write};

size_t ns16550_receive(struct ns16550 *uart, const uint8_t *bytes, size_t length)
{
	size_t taken = 0;

	(void)pthread_mutex_lock(&uart->lock);
	if (is_listening(uart))
		while (taken < length && fifo_room(uart))
			fifo_push(uart, bytes[taken++]);
	uart->input_refused = taken < length;
	update_irq(uart);
	(void)pthread_mutex_unlock(&uart->lock);
	return taken;
}

void ns16550_drained(struct ns16550 *uart)
{
	(void)pthread_mutex_lock(&uart->lock);
	if (uart->transmit_held) {
		uart->transmit_held = false;
		uart->thri_pending = true;
		update_irq(uart);
	}
	(void)pthread_mutex_unlock(&uart->lock);
}

void ns16550_reset(struct ns16550 *uart)
{
	(void)pthread_mutex_lock(&uart->lock);
	/* 8.1, table I. */
	uart->divisor = DIVISOR_115200;
	uart->ier = 0;
	uart->lcr = 0;
	uart->mcr = 0;
	uart->scr = 0;
	uart->fifo_enabled = false;
	uart->trigger_bytes = 1;
	uart->overrun = false;
	uart->thri_pending = false;
	uart->transmit_held = false;
	uart->fifo_count = 0;
	uart->lsr_reads = 0;
	set_modem_lines(uart);
	uart->modem_deltas = 0;
	update_irq(uart);
	(void)pthread_mutex_unlock(&uart->lock);
}

int ns16550_create(const struct irq *irq, const struct console_port *port,
	struct ns16550 **ret_uart, struct err *err)
{
	struct ns16550 *uart = calloc(1, sizeof(*uart));

	if (!uart)
		return err_set(err, ENOMEM, "serial port: out of memory");
	uart->irq = *irq;
	uart->port = *port;
	(void)pthread_mutex_init(&uart->lock, NULL);
	ns16550_reset(uart);
	*ret_uart = uart;
	return 0;
}

void ns16550_destroy(struct ns16550 *uart)
{
	if (!uart)
		return;
	(void)pthread_mutex_destroy(&uart->lock);
	free(uart);
}
