/*
 * See virtio_console.h. This file is the device: its configuration, life and control queues;
 * console_port.c moves the bytes of ports, console_control.c knows what is said about them.
 */
#include "virtio_console.h"

#include "clock.h"
#include "console_device.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_SIZE   64
#define SEGMENTS_MAX 64
#define SLICE_BYTES  (64 << 10)

/* 5.3.4 */
#define CONFIG_BYTES    12 /* le16 cols, le16 rows, le32 max_nr_ports, le32 emerg_wr */
#define CONFIG_EMERG_WR 8

static_assert(VIRTIO_CONSOLE_PORTS_MAX == CONSOLE_PORTS_MAX, "one limit");
static_assert(VIRTIO_CONSOLE_PORT_NAME_MAX == CONSOLE_NAME_MAX, "one limit");
static_assert(2 * CONSOLE_PORTS_MAX + 2 <= VIRTIO_QUEUES_MAX, "every port has its queues");

static struct virtio_console *console_of(struct virtio_device *device)
{
	return container_of(device, struct virtio_console, device);
}

static void run_all(struct virtio_console *console)
{
	for (unsigned int i = 0; i < console->control.port_count; i++)
		console_port_run(&console->ports[i]);
}

static void later_expired(struct io_timer *timer)
{
	struct virtio_console *console = timer->owner;

	run_all(console);
	if (console->multiport)
		console->device.ops->queue_notify(&console->device, CONSOLE_QUEUE_CONTROL_TRANSMIT);
}

void console_run_later(struct virtio_console *console)
{
	if (!console->later.deadline_ns)
		io_timer_arm(console->device.io_thread, &console->later, clock_monotonic_ns());
}

void console_control_send(struct virtio_console *console, struct console_slice *slice)
{
	struct console_message message;
	struct chain *chain;
	bool pushed = false;

	while (console->multiport && slice->left_bytes > 0 &&
		console_control_next(&console->control, &message)) {
		if (console_pop(console, CONSOLE_QUEUE_CONTROL_RECEIVE, slice, &chain) <= 0)
			break;
		/* A buffer that is too small goes back empty; the message waits for another. */
		if (chain_write(chain, message.bytes, message.length) == 0) {
			console_control_sent(&console->control, &message);
			/* The next thing that happened at the host's end may wait behind it. */
			if (message.pending == CONSOLE_PENDING_OPEN)
				console_run_later(console);
		}
		virtq_push(console->device.queues[CONSOLE_QUEUE_CONTROL_RECEIVE].run, chain);
		pushed = true;
	}
	if (pushed)
		virtio_device_flush_queue(&console->device, CONSOLE_QUEUE_CONTROL_RECEIVE);
}

/* What the guest says; then every port, since any may have been opened. */
static void control_transmitted(struct virtio_console *console)
{
	struct console_slice slice = {SLICE_BYTES};
	struct chain *chain;
	bool pushed = false;

	while (slice.left_bytes > 0 &&
		console_pop(console, CONSOLE_QUEUE_CONTROL_TRANSMIT, &slice, &chain) > 0) {
		uint8_t header[CONSOLE_CONTROL_HEADER_BYTES];

		if (chain_read(chain, header, sizeof(header)) == 0)
			console_control_receive(&console->control, header, sizeof(header));
		virtq_push(console->device.queues[CONSOLE_QUEUE_CONTROL_TRANSMIT].run, chain);
		pushed = true;
	}
	if (pushed)
		virtio_device_flush_queue(&console->device, CONSOLE_QUEUE_CONTROL_TRANSMIT);
	if (slice.left_bytes <= 0)
		console_run_later(console);
	if (pushed)
		run_all(console);
}

static int console_activate(struct virtio_device *device)
{
	struct virtio_console *console = console_of(device);

	console->multiport = device->accepted_features >> CONSOLE_F_MULTIPORT & 1;
	console_control_reset(&console->control);
	for (unsigned int i = 0; i < console->control.port_count; i++)
		console_port_begin(&console->ports[i]);
	console->active = true;
	run_all(console);
	return 0;
}

/* The port of a queue that is not one of the control queues. */
static unsigned int port_of_queue(unsigned int queue)
{
	return queue < CONSOLE_QUEUE_CONTROL_RECEIVE ? 0 : (queue - 2) / 2;
}

static bool is_control(unsigned int queue)
{
	return queue == CONSOLE_QUEUE_CONTROL_RECEIVE || queue == CONSOLE_QUEUE_CONTROL_TRANSMIT;
}

static void console_queue_notify(struct virtio_device *device, unsigned int queue)
{
	struct virtio_console *console = console_of(device);
	struct console_slice slice = {SLICE_BYTES};

	if (!is_control(queue)) {
		if (port_of_queue(queue) == 0 || console->multiport)
			console_port_run(&console->ports[port_of_queue(queue)]);
	} else if (!console->multiport) {
		return;
	} else if (queue == CONSOLE_QUEUE_CONTROL_TRANSMIT) {
		control_transmitted(console);
	} else {
		console_control_send(console, &slice);
		if (slice.left_bytes <= 0)
			console_run_later(console);
	}
}

static void console_quiesce(struct virtio_device *device, unsigned int queue)
{
	struct virtio_console *console = console_of(device);

	if (queue == VIRTIO_QUEUES_MAX) {
		for (unsigned int i = 0; i < console->control.port_count; i++)
			console_port_release(&console->ports[i]);
		io_timer_cancel(device->io_thread, &console->later);
		console->active = false;
	} else if (!is_control(queue) && queue == console_transmit_queue(port_of_queue(queue))) {
		/* Nothing is ever held of the others. */
		console_port_release(&console->ports[port_of_queue(queue)]);
	}
	virtio_device_quiesced(device, queue);
}

static void console_read_config(
	struct virtio_device *device, uint32_t offset, void *bytes, uint32_t size)
{
	const struct virtio_console *console = console_of(device);
	uint32_t words[] = {
		htole32(atomic_load(&console->ports[0].size)),
		htole32(console->control.port_count),
		0,
	};

	static_assert(sizeof(words) == CONFIG_BYTES, "5.3.4");
	memcpy(bytes, (const uint8_t *)words + offset, size);
}

static void emergency_woken(void *context)
{
	struct virtio_console *console = context;
	const struct virtio_console_port *port = &console->ports[0];
	const uint8_t *bytes;
	size_t length;

	atomic_store(&console->emergency_woken, false);
	while ((length = byte_ring_peek(
			&console->emergency, atomic_load(&console->emergency.head), &bytes))) {
		if (console->control.ports[0].present)
			(void)port->host.ops->write(port->host.host, bytes, length);
		byte_ring_consume(&console->emergency, length);
	}
}

/* 5.3.4: whether or not the feature was accepted, and before there are queues. The I/O thread is
 * the one that writes to the host; when it is flooded with messages the byte goes out later. */
static void console_write_config(
	struct virtio_device *device, uint32_t offset, const void *bytes, uint32_t size)
{
	struct virtio_console *console = console_of(device);

	if (offset != CONFIG_EMERG_WR || size == 0 ||
		byte_ring_put(&console->emergency, bytes, 1) == 0 ||
		atomic_exchange(&console->emergency_woken, true))
		return;
	if (io_thread_post(device->io_thread, emergency_woken, console) < 0)
		atomic_store(&console->emergency_woken, false);
}

static void nothing(void *context)
{
	(void)context;
}

static void console_destroy_device(struct virtio_device *device)
{
	/* Messages about ports may still be on their way; this one is behind them. */
	io_thread_call(device->io_thread, nothing, NULL);
	virtio_device_fini(device);
	free(console_of(device));
}

static const struct virtio_device_ops console_ops = {
	.read_config = console_read_config,
	.write_config = console_write_config,
	.activate = console_activate,
	.queue_notify = console_queue_notify,
	.quiesce = console_quiesce,
	.destroy = console_destroy_device,
};

static int check_options(const struct virtio_console_options *options, struct err *err)
{
	if (!options->port_count || options->port_count > CONSOLE_PORTS_MAX)
		return err_set(err, EINVAL,
			"%s: a console device has 1 to %d ports, not %u; use another device",
			options->name, CONSOLE_PORTS_MAX, options->port_count);
	for (unsigned int i = 0; i < options->port_count; i++) {
		const char *name = options->ports[i].name;

		if (name && (!*name || strlen(name) > CONSOLE_NAME_MAX))
			return err_set(err, EINVAL,
				"%s: the name of port %u has to have 1 to %d bytes", options->name,
				i, CONSOLE_NAME_MAX);
	}
	return 0;
}

static bool is_plain(const struct virtio_console_options *options)
{
	const struct virtio_console_port_options *port = options->ports;

	return options->port_count == 1 && port->is_console && !port->name && !port->unplugged;
}

static void console_init(
	struct virtio_console *console, const struct virtio_console_options *options)
{
	bool plain = is_plain(options);

	console->device = (struct virtio_device){
		.ops = &console_ops,
		.name = options->name,
		.device_id = VIRTIO_ID_CONSOLE,
		.offered_features = UINT64_C(1) << CONSOLE_F_SIZE |
	                            UINT64_C(1) << CONSOLE_F_EMERG_WRITE |
	                            (uint64_t)!plain << CONSOLE_F_MULTIPORT,
		.config_bytes = CONFIG_BYTES,
		.takes_early_writes = true,
		.queue_count = plain ? 2 : 2 * options->port_count + 2,
		.queue_size_max = QUEUE_SIZE,
		.gmem = options->gmem,
		.io_thread = options->io_thread,
	};
	for (unsigned int i = 0; i < console->device.queue_count; i++)
		console->device.queues[i].segments_max = SEGMENTS_MAX;
	console->later = (struct io_timer){.expired = later_expired, .owner = console};
	console->control.port_count = options->port_count;
	for (unsigned int i = 0; i < options->port_count; i++) {
		const struct virtio_console_port_options *from = &options->ports[i];

		console->control.ports[i] = (struct console_control_port){
			.name = from->name,
			.is_console = from->is_console,
			.present = !from->unplugged,
		};
		console->ports[i].console = console;
		console->ports[i].index = i;
		console->ports[i].host = from->host;
	}
}

int virtio_console_create(const struct virtio_console_options *options,
	struct virtio_console **ret_console, struct err *err)
{
	struct virtio_console *console;
	int r = check_options(options, err);

	if (r < 0)
		return r;
	console = calloc(1, sizeof(*console) + options->port_count * sizeof(console->ports[0]));
	if (!console)
		return err_set(err, ENOMEM, "%s: out of memory", options->name);
	console_init(console, options);
	r = virtio_device_init(&console->device, err);
	if (r < 0) {
		free(console);
		return r;
	}
	*ret_console = console;
	return 0;
}

struct virtio_device *virtio_console_device(struct virtio_console *console)
{
	return &console->device;
}

struct virtio_console_port *virtio_console_port(struct virtio_console *console, unsigned int index)
{
	return &console->ports[index];
}

static void set_size(struct virtio_device *device, void *context)
{
	const uint32_t *size = context;

	atomic_store(&console_of(device)->ports[0].size, *size);
}

void virtio_console_resize(struct virtio_console_port *port, uint16_t columns, uint16_t rows)
{
	uint32_t size = (uint32_t)rows << 16 | columns;

	if (atomic_load(&port->size) == size)
		return;
	if (port->index == 0)
		virtio_device_change_config(&port->console->device, set_size, &size);
	else
		atomic_store(&port->size, size);
	console_port_wake(port);
}

struct drain_question {
	struct virtio_console_port *port;
	bool is_drained;
};

static void ask_drained(void *context)
{
	struct drain_question *question = context;
	struct virtio_console_port *port = question->port;
	struct virtq *queue = console_queue(port->console, console_transmit_queue(port->index));

	question->is_drained = !port->held && (!queue || !virtq_has_available(queue));
}

bool virtio_console_is_drained(struct virtio_console_port *port)
{
	struct drain_question question = {.port = port};

	io_thread_call(port->console->device.io_thread, ask_drained, &question);
	return question.is_drained;
}

struct plugging {
	struct virtio_console_port *port;
	const struct console_port *host; /* NULL: unplugged */
};

static void plug(void *context)
{
	const struct plugging *plugging = context;
	struct virtio_console_port *port = plugging->port;
	struct virtio_console *console = port->console;
	struct console_slice slice = {SLICE_BYTES};

	if (plugging->host) {
		port->host = *plugging->host;
		port->session_seen = atomic_load(&port->session) & ~UINT64_C(1);
	} else {
		/* The chain it holds must go back first: Linux takes all buffers of a port that is
		 * removed back by itself, and its queue must not be ahead of that. */
		console_port_release(port);
		byte_ring_consume(&port->input,
			(size_t)(atomic_load(&port->input.head) - atomic_load(&port->input.tail)));
	}
	console_control_plug(&console->control, port->index, plugging->host != NULL);
	if (console->active)
		console_control_send(console, &slice);
	console_port_run(port);
}

void virtio_console_plug(struct virtio_console_port *port, const struct console_port *host)
{
	struct plugging plugging = {port, host};

	io_thread_call(port->console->device.io_thread, plug, &plugging);
}

void virtio_console_unplug(struct virtio_console_port *port)
{
	struct plugging plugging = {port, NULL};

	io_thread_call(port->console->device.io_thread, plug, &plugging);
	virtio_console_connected(port, false);
}
