/* See console_control.h. Section numbers are those of VIRTIO 1.2. */
#include "console_control.h"

#include "compiler.h"

#include <string.h>

/* In the order of delivery: an old port goes before a new one comes, and a port is a console with a
 * name before somebody is at its other end. */
static const struct {
	uint8_t pending;
	enum console_event event;
} deliveries[] = {
	{CONSOLE_PENDING_REMOVE, CONSOLE_EVENT_DEVICE_REMOVE},
	{CONSOLE_PENDING_ADD, CONSOLE_EVENT_DEVICE_ADD},
	{CONSOLE_PENDING_CONSOLE, CONSOLE_EVENT_CONSOLE_PORT},
	{CONSOLE_PENDING_NAME, CONSOLE_EVENT_PORT_NAME},
	{CONSOLE_PENDING_RESIZE, CONSOLE_EVENT_RESIZE},
	{CONSOLE_PENDING_OPEN, CONSOLE_EVENT_PORT_OPEN},
};

static uint32_t get_le(const uint8_t *bytes, unsigned int size)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint32_t)bytes[i] << (8 * i);
	return value;
}

static void put_le(uint8_t *bytes, unsigned int size, uint32_t value)
{
	for (unsigned int i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

void console_control_reset(struct console_control *control)
{
	control->driver_ready = false;
	for (unsigned int i = 0; i < control->port_count; i++) {
		struct console_control_port *port = &control->ports[i];

		port->known = port->ready = port->guest_open = false;
		port->pending = 0;
	}
}

static void driver_is_ready(struct console_control *control, bool ready)
{
	control->driver_ready = ready;
	for (unsigned int i = 0; ready && i < control->port_count; i++)
		if (control->ports[i].present)
			control->ports[i].pending |= CONSOLE_PENDING_ADD;
}

static bool has_size(const struct console_control_port *port)
{
	return port->is_console && port->columns && port->rows;
}

static void port_is_ready(struct console_control_port *port, bool ready)
{
	port->ready = ready;
	if (!ready) {
		port->guest_open = false;
		port->pending &= CONSOLE_PENDING_REMOVE | CONSOLE_PENDING_ADD;
		return;
	}
	if (port->is_console)
		port->pending |= CONSOLE_PENDING_CONSOLE;
	if (port->name)
		port->pending |= CONSOLE_PENDING_NAME;
	if (has_size(port))
		port->pending |= CONSOLE_PENDING_RESIZE;
	if (port->host_open)
		port->pending |= CONSOLE_PENDING_OPEN;
}

void console_control_receive(struct console_control *control, const uint8_t *bytes, size_t length)
{
	struct console_control_port *port;
	uint32_t id;
	bool value;

	if (length < CONSOLE_CONTROL_HEADER_BYTES)
		return;
	id = get_le(bytes, 4);
	value = get_le(bytes + 6, 2) != 0;
	port = id < control->port_count && control->ports[id].present ? &control->ports[id] : NULL;
	switch (get_le(bytes + 4, 2)) {
	case CONSOLE_EVENT_DEVICE_READY: /* the id says nothing there */
		driver_is_ready(control, value);
		break;
	case CONSOLE_EVENT_PORT_READY:
		/* Not only behind DEVICE_READY and DEVICE_ADD: Linux omits those when it comes back
		 * from hibernation with ports that it knows. */
		if (port)
			port_is_ready(port, value);
		break;
	case CONSOLE_EVENT_PORT_OPEN:
		if (port && port->ready)
			port->guest_open = value;
		break;
	default: /* what only a device says, or nobody */
		break;
	}
}

static void compose(const struct console_control_port *port, enum console_event event,
	struct console_message *message)
{
	uint8_t *payload = message->bytes + CONSOLE_CONTROL_HEADER_BYTES;
	bool value = event == CONSOLE_EVENT_PORT_OPEN ? port->host_open : true;
	size_t payload_length = 0;

	if (event == CONSOLE_EVENT_PORT_NAME) { /* without a NUL */
		payload_length = strnlen(port->name, CONSOLE_NAME_MAX);
		memcpy(payload, port->name, payload_length);
	} else if (event == CONSOLE_EVENT_RESIZE) {
		/* As VIRTIO 1.2 has it. Linux took them the other way round until 2025; what is
		 * maintained of it, stable releases too, has been put right (5326ab737a47). */
		put_le(payload, 2, port->columns);
		put_le(payload + 2, 2, port->rows);
		payload_length = 4;
	}
	put_le(message->bytes, 4, message->port);
	put_le(message->bytes + 4, 2, event);
	put_le(message->bytes + 6, 2, value);
	message->length = (uint8_t)(CONSOLE_CONTROL_HEADER_BYTES + payload_length);
}

bool console_control_next(
	const struct console_control *control, struct console_message *ret_message)
{
	for (unsigned int i = 0; i < control->port_count; i++) {
		const struct console_control_port *port = &control->ports[i];

		for (size_t j = 0; port->pending && j < array_size(deliveries); j++) {
			if (!(port->pending & deliveries[j].pending))
				continue;
			ret_message->port = i;
			ret_message->pending = deliveries[j].pending;
			compose(port, deliveries[j].event, ret_message);
			return true;
		}
	}
	return false;
}

void console_control_sent(struct console_control *control, const struct console_message *message)
{
	struct console_control_port *port = &control->ports[message->port];

	port->pending &= (uint8_t)~message->pending;
	if (message->pending == CONSOLE_PENDING_ADD)
		port->known = true;
	if (message->pending == CONSOLE_PENDING_REMOVE)
		port->known = false;
}

void console_control_plug(struct console_control *control, unsigned int index, bool present)
{
	struct console_control_port *port = &control->ports[index];

	if (port->present == present)
		return;
	port->present = present;
	if (present) {
		if (control->driver_ready)
			port->pending |= CONSOLE_PENDING_ADD;
		return;
	}
	/* A guest that has never heard of it need not hear that it is gone; one that still has to
	 * hear of an earlier end hears that. */
	port->pending &= CONSOLE_PENDING_REMOVE;
	if (port->known || port->ready)
		port->pending |= CONSOLE_PENDING_REMOVE;
	port->ready = port->guest_open = port->host_open = false;
}

void console_control_set_host_open(struct console_control *control, unsigned int index, bool open)
{
	struct console_control_port *port = &control->ports[index];

	if (port->host_open == open)
		return;
	port->host_open = open;
	if (port->ready)
		port->pending |= CONSOLE_PENDING_OPEN;
}

void console_control_set_size(
	struct console_control *control, unsigned int index, uint16_t columns, uint16_t rows)
{
	struct console_control_port *port = &control->ports[index];

	if (port->columns == columns && port->rows == rows)
		return;
	port->columns = columns;
	port->rows = rows;
	if (port->ready && has_size(port))
		port->pending |= CONSOLE_PENDING_RESIZE;
}
