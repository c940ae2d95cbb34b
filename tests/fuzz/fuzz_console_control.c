/*
 * The console's control protocol under a guest and a host that do anything in any order. Every
 * message is well formed and about a port that the guest can have heard of; what is to be said is
 * bounded, and comes to an end when it is said.
 *
 * Input: operations of one byte (what, and about which port) and their arguments.
 */
#include "console_control.h"

#include <stdlib.h>
#include <string.h>

#define PORTS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *bytes;
	size_t left;
};

static uint8_t next_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->bytes++;
}

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_message(
	const struct console_control *control, const struct console_message *message)
{
	const struct console_control_port *port = &control->ports[message->port];
	const uint8_t *bytes = message->bytes;
	size_t payload = (size_t)message->length - 8;

	check(message->port < control->port_count && message->length >= 8);
	check(bytes[0] == message->port && !bytes[1] && !bytes[2] && !bytes[3]);
	check(bytes[5] == 0 && bytes[7] == 0 && bytes[6] <= 1);
	/* All but its end is about a port that is there. */
	check(port->present || bytes[4] == CONSOLE_EVENT_DEVICE_REMOVE);
	switch (bytes[4]) {
	case CONSOLE_EVENT_DEVICE_ADD:
	case CONSOLE_EVENT_DEVICE_REMOVE:
		check(payload == 0 && bytes[6] == 1);
		break;
	case CONSOLE_EVENT_CONSOLE_PORT:
		check(payload == 0 && port->ready && port->is_console && bytes[6] == 1);
		break;
	case CONSOLE_EVENT_PORT_NAME:
		check(port->ready && port->name && payload == strlen(port->name));
		check(memcmp(bytes + 8, port->name, payload) == 0);
		break;
	case CONSOLE_EVENT_RESIZE:
		check(payload == 4 && port->ready && port->is_console);
		check((bytes[8] | bytes[9] << 8) == port->columns);
		check((bytes[10] | bytes[11] << 8) == port->rows);
		break;
	case CONSOLE_EVENT_PORT_OPEN:
		check(payload == 0 && port->ready && bytes[6] == port->host_open);
		break;
	default:
		abort();
	}
}

/* At most count messages; how many there were. */
static unsigned int deliver(struct console_control *control, unsigned int count)
{
	struct console_message message;
	unsigned int said = 0;

	for (; said < count && console_control_next(control, &message); said++) {
		check_message(control, &message);
		console_control_sent(control, &message);
	}
	return said;
}

static void receive(struct console_control *control, struct input *input)
{
	size_t length = next_byte(input) % 17;
	uint8_t *message;

	if (length > input->left)
		length = input->left;
	message = malloc(length); /* exactly as long as it is, for the sanitizer */
	if (!message)
		return;
	memcpy(message, input->bytes, length);
	input->bytes += length;
	input->left -= length;
	console_control_receive(control, message, length);
	free(message);
}

static void check_state(const struct console_control *control)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		const struct console_control_port *port = &control->ports[i];

		check(!port->guest_open || port->ready);
		check(port->present || (!port->ready && !port->host_open));
	}
}

static void operate(struct console_control *control, struct input *input)
{
	uint8_t operation = next_byte(input);
	unsigned int port = operation / 8 % PORTS;

	switch (operation % 8) {
	case 0:
	case 1:
	case 2:
		receive(control, input);
		break;
	case 3:
		console_control_plug(control, port, operation & 0x80);
		break;
	case 4: /* as the device does: an absent port has no host */
		if (control->ports[port].present)
			console_control_set_host_open(control, port, operation & 0x80);
		break;
	case 5:
		console_control_set_size(control, port, next_byte(input), next_byte(input));
		break;
	case 6:
		(void)deliver(control, operation / 32);
		break;
	case 7:
		if (operation & 0x80)
			console_control_reset(control);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char long_name[CONSOLE_NAME_MAX + 1];
	struct console_control control = {
		.ports = {{.is_console = true, .present = true}, {.name = "agent", .present = true},
			{.name = long_name, .is_console = true}, {.name = "x"}},
		.port_count = PORTS,
	};
	struct input input = {data, size};

	memset(long_name, 'n', CONSOLE_NAME_MAX);
	while (input.left) {
		operate(&control, &input);
		check_state(&control);
	}
	check(deliver(&control, 1000) <= 6 * PORTS);
	return 0;
}
