/*
 * The control protocol of a console with many ports: VIRTIO 1.2 5.3.6.2, as a state machine without
 * queues, memory or threads.
 *
 * What the guest has to be told is kept as flags per port, not as a list of messages: nothing grows
 * however often a guest asks and however long it offers no buffers, and what it is told is the
 * latest state. Anything malformed, unknown or about a port that is not there is ignored.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_PORTS_MAX 31 /* two queues each, and two for control, of VIRTIO_QUEUES_MAX */
#define CONSOLE_NAME_MAX  127

/* 5.3.6.2 */
enum console_event {
	CONSOLE_EVENT_DEVICE_READY = 0,
	CONSOLE_EVENT_DEVICE_ADD = 1,
	CONSOLE_EVENT_DEVICE_REMOVE = 2,
	CONSOLE_EVENT_PORT_READY = 3,
	CONSOLE_EVENT_CONSOLE_PORT = 4,
	CONSOLE_EVENT_RESIZE = 5,
	CONSOLE_EVENT_PORT_OPEN = 6,
	CONSOLE_EVENT_PORT_NAME = 7,
};

#define CONSOLE_CONTROL_HEADER_BYTES 8 /* le32 id, le16 event, le16 value */

/* What is still to be said about a port, in the order in which it is said. */
#define CONSOLE_PENDING_REMOVE  0x01
#define CONSOLE_PENDING_ADD     0x02
#define CONSOLE_PENDING_CONSOLE 0x04
#define CONSOLE_PENDING_NAME    0x08
#define CONSOLE_PENDING_RESIZE  0x10
#define CONSOLE_PENDING_OPEN    0x20

struct console_control_port {
	/* [const] */
	const char *name; /* or NULL */
	bool is_console;
	/* the host's side */
	bool present;
	bool host_open;
	uint16_t columns, rows; /* 0: unknown */
	/* the guest's side */
	bool known; /* it has been told of the port */
	bool ready; /* it has made its side of the port */
	bool guest_open;
	uint8_t pending;
};

struct console_control {
	struct console_control_port ports[CONSOLE_PORTS_MAX];
	unsigned int port_count;
	bool driver_ready;
};

/* The driver starts from nothing. */
void console_control_reset(struct console_control *control);

/* A message from the guest, length bytes of which there are. */
void console_control_receive(struct console_control *control, const uint8_t *bytes, size_t length);

struct console_message {
	unsigned int port;
	uint8_t pending; /* which flag it is about */
	uint8_t length;
	uint8_t bytes[CONSOLE_CONTROL_HEADER_BYTES + CONSOLE_NAME_MAX];
};

/* The next message for the guest; false: none. It stays the next one until console_control_sent.
 */
bool console_control_next(
	const struct console_control *control, struct console_message *ret_message);
void console_control_sent(struct console_control *control, const struct console_message *message);

/* What happens on the host. */
void console_control_plug(struct console_control *control, unsigned int index, bool present);
void console_control_set_host_open(struct console_control *control, unsigned int index, bool open);
void console_control_set_size(
	struct console_control *control, unsigned int index, uint16_t columns, uint16_t rows);
