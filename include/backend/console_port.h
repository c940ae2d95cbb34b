/*
 * What a serial device needs of the host's side: a place for bytes to go. The console implements
 * it, tests fake it.
 *
 * Called with the device's lock held, from any vCPU thread; nothing here blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct console_port_ops {
	/* Returns how many bytes were taken; the rest is lost and counted. Never two calls at once.
	 */
	size_t (*write)(void *host, const void *bytes, size_t length);
	/* True: hold transmit interrupts back until the device's drained function is called. Asked
	 * under the same lock as write. */
	bool (*is_congested)(void *host);
	/* The device has room again after it accepted less than it was offered. */
	void (*resume_input)(void *host);
};

struct console_port {
	const struct console_port_ops *ops;
	void *host; /* borrowed: outlives the device's last access */
};
