/*
 * The bytes of a console's ports; all on the I/O thread, except receive and its kin at the end,
 * which are the host's up-calls.
 *
 * Output: a chain whose bytes the host cannot take stays popped and unpushed until drained. Input:
 * a ring of bytes, filled by the main thread, emptied into the guest's buffers. Each direction has
 * one flag by which the other side is asked to come back; see byte_ring.h.
 *
 * The end of a session (a socket's client leaves) must not overtake its bytes, nor the next
 * session's bytes overtake the end: session_end marks the place in the ring, and input stops there
 * until the guest has been told.
 */
#include "console_device.h"
#include "virtio_console.h"

#include <errno.h>

#define SLICE_BYTES      (256 << 10)
#define CHAIN_COST_BYTES 64 /* what a chain costs, whatever is in it */
#define COPY_BYTES       4096
#define RELEASE_BYTES    (1 << 20) /* more than any host has room for */

struct virtq *console_queue(struct virtio_console *console, unsigned int queue)
{
	struct virtq *run = console->device.queues[queue].run;

	if (!console->active || atomic_load(&console->device.broken) || !run ||
		!virtq_is_running(run))
		return NULL;
	return run;
}

int console_pop(struct virtio_console *console, unsigned int index, struct console_slice *slice,
	struct chain **ret_chain)
{
	struct virtq *queue = console_queue(console, index);
	int r;

	if (!queue)
		return 0;
	virtq_disable_notifications(queue);
	r = virtq_pop_or_ask(queue, ret_chain);
	slice->left_bytes -= CHAIN_COST_BYTES;
	if (r < 0)
		virtio_device_break(&console->device, index, "an invalid queue");
	return r;
}

static struct console_control_port *control_of(const struct virtio_console_port *port)
{
	return &port->console->control.ports[port->index];
}

static void write_host(const struct virtio_console_port *port, const void *bytes, size_t length)
{
	/* What it does not take it has counted. */
	if (control_of(port)->present)
		(void)port->host.ops->write(port->host.host, bytes, length);
}

/* Copies the next piece of the held chain; it is not empty. */
static uint32_t write_piece(struct virtio_console_port *port)
{
	uint8_t buffer[COPY_BYTES];
	uint64_t left = port->held->reader.left_bytes;
	uint32_t length = left < COPY_BYTES ? (uint32_t)left : COPY_BYTES;

	if (chain_read(port->held, buffer, length) == 0)
		write_host(port, buffer, length);
	return length;
}

static void push_held(struct virtio_console_port *port)
{
	unsigned int index = console_transmit_queue(port->index);

	virtq_push(port->console->device.queues[index].run, port->held);
	port->held = NULL;
}

/* False: the host takes no more for now, and drained will come; or the slice ends. */
static bool write_held(struct virtio_console_port *port, struct console_slice *slice)
{
	while (port->held->reader.left_bytes) {
		if (slice->left_bytes <= 0 ||
			(control_of(port)->present &&
				port->host.ops->is_congested(port->host.host)))
			return false;
		slice->left_bytes -= write_piece(port);
	}
	push_held(port);
	return true;
}

static void run_output(struct virtio_console_port *port, struct console_slice *slice)
{
	struct virtio_console *console = port->console;
	unsigned int index = console_transmit_queue(port->index);
	bool pushed = false;

	while (slice->left_bytes > 0) {
		if (!port->held && console_pop(console, index, slice, &port->held) <= 0)
			break;
		if (!write_held(port, slice))
			break;
		pushed = true;
	}
	if (pushed)
		virtio_device_flush_queue(&console->device, index);
}

static void fill_chain(struct virtio_console_port *port, uint64_t end, struct chain *chain)
{
	const uint8_t *bytes;
	size_t length;

	while ((length = byte_ring_peek(&port->input, end, &bytes)) && chain->writer.left_bytes) {
		if (length > chain->writer.left_bytes)
			length = (size_t)chain->writer.left_bytes;
		if (chain_write(chain, bytes, (uint32_t)length) < 0)
			return;
		byte_ring_consume(&port->input, length);
	}
}

/* Input before end, into as many buffers as there are. */
static void run_input(struct virtio_console_port *port, uint64_t end, struct console_slice *slice)
{
	struct virtio_console *console = port->console;
	unsigned int index = console_receive_queue(port->index);
	const uint8_t *bytes;
	bool pushed = false;
	struct chain *chain;

	while (slice->left_bytes > 0 && byte_ring_peek(&port->input, end, &bytes)) {
		if (console_pop(console, index, slice, &chain) <= 0)
			break;
		fill_chain(port, end, chain);
		slice->left_bytes -= (int64_t)chain->written_bytes;
		virtq_push(console->device.queues[index].run, chain);
		pushed = true;
	}
	if (pushed)
		virtio_device_flush_queue(&console->device, index);
	/* Only when there is room now, or both sides would go on waking each other. */
	if (pushed && atomic_exchange(&port->input_stalled, false))
		port->host.ops->resume_input(port->host.host);
}

/* Tells the guest what happened at the host's end, as far as its turn has come; returns up to where
 * input may be read now. */
static uint64_t follow_host(struct virtio_console_port *port)
{
	struct console_control *control = &port->console->control;
	struct console_control_port *state = control_of(port);

	for (;;) {
		/* In this order: bytes of a session that is not seen below are not seen here. */
		uint64_t head = atomic_load(&port->input.head);
		uint64_t session = atomic_load(&port->session);
		uint64_t end = atomic_load(&port->session_end);

		if (session == port->session_seen)
			return head;
		if (state->pending & CONSOLE_PENDING_OPEN)
			return end; /* one thing after the other */
		if (state->host_open && state->guest_open &&
			(int64_t)(end - atomic_load(&port->input.tail)) > 0)
			return end;
		if (state->host_open) {
			console_control_set_host_open(control, port->index, false);
			port->session_seen = session & ~UINT64_C(1);
		} else {
			console_control_set_host_open(control, port->index, session & 1);
			port->session_seen = session;
		}
	}
}

static void accept_input(struct virtio_console_port *port, bool accepting)
{
	if (atomic_load(&port->accepting) == accepting)
		return;
	atomic_store(&port->accepting, accepting);
	if (accepting)
		port->host.ops->resume_input(port->host.host);
}

void console_port_run(struct virtio_console_port *port)
{
	struct virtio_console *console = port->console;
	struct console_control_port *state = control_of(port);
	struct console_slice slice = {SLICE_BYTES};
	uint32_t size = atomic_load(&port->size);
	const uint8_t *bytes;
	uint64_t end;

	if (!console->active || atomic_load(&console->device.broken))
		return;
	console_control_set_size(
		&console->control, port->index, (uint16_t)size, (uint16_t)(size >> 16));
	do {
		end = follow_host(port);
		if (!state->present || !state->guest_open)
			break;
		run_input(port, end, &slice);
		/* Something came, or happened, meanwhile? */
	} while (!byte_ring_peek(&port->input, end, &bytes) && end != follow_host(port));
	accept_input(port, state->present && state->guest_open);
	run_output(port, &slice);
	console_control_send(console, &slice);
	if (slice.left_bytes <= 0)
		console_run_later(console);
}

void console_port_begin(struct virtio_console_port *port)
{
	struct console_control_port *state = control_of(port);
	uint64_t end = atomic_load(&port->session_end);
	uint64_t tail = atomic_load(&port->input.tail);

	/* What a host that is gone said to a driver that is gone. */
	if ((int64_t)(end - tail) > 0)
		byte_ring_consume(&port->input, (size_t)(end - tail));
	state->host_open = false;
	state->guest_open = !port->console->multiport && port->index == 0;
	port->session_seen = atomic_load(&port->session) & ~UINT64_C(1);
}

void console_port_release(struct virtio_console_port *port)
{
	uint64_t left_bytes = RELEASE_BYTES;

	atomic_store(&port->accepting, false);
	if (!port->held)
		return;
	while (port->held->reader.left_bytes && left_bytes)
		left_bytes -= write_piece(port);
	push_held(port);
	virtio_device_flush_queue(&port->console->device, console_transmit_queue(port->index));
}

static void port_woken(void *context)
{
	struct virtio_console_port *port = context;

	atomic_store(&port->woken, false);
	console_port_run(port);
}

void console_port_wake(struct virtio_console_port *port)
{
	struct io_thread *thread = port->console->device.io_thread;

	if (atomic_exchange(&port->woken, true))
		return;
	/* A message that must not get lost: waits when the thread is flooded with others. */
	if (io_thread_post(thread, port_woken, port) < 0)
		io_thread_call(thread, port_woken, port);
}

size_t virtio_console_receive(void *opaque, const uint8_t *bytes, size_t length)
{
	struct virtio_console_port *port = opaque;
	size_t count;

	if (!atomic_load(&port->accepting))
		return 0; /* accept_input resumes */
	count = byte_ring_put(&port->input, bytes, length);
	if (count < length) {
		atomic_store(&port->input_stalled, true);
		/* The ring may have been emptied before the flag could be seen. */
		count += byte_ring_put(&port->input, bytes + count, length - count);
	}
	console_port_wake(port);
	return count;
}

void virtio_console_drained(void *opaque)
{
	console_port_wake(opaque);
}

void virtio_console_connected(void *opaque, bool connected)
{
	struct virtio_console_port *port = opaque;

	if (port->connected == connected)
		return;
	port->connected = connected;
	if (!connected)
		atomic_store(&port->session_end, atomic_load(&port->input.head));
	atomic_fetch_add(&port->session, 1);
	console_port_wake(port);
}
