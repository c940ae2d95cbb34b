/* See machine_ports.h. */
#include "machine_ports.h"

#include "clock.h"
#include "console.h"
#include "fatal_signals.h"
#include "log.h"
#include "machine_internal.h"
#include "parse.h"
#include "virtio_console.h"
#include "virtio_device.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_PATIENCE_NS NANOSECONDS_PER_SECOND

struct port {
	struct machine_ports *ports;
	const struct config_port *config;
	struct console *console;
	struct log_limiter limiter;
};

struct machine_ports {
	struct machine *machine;
	struct virtio_console *device;
	unsigned int count;
	struct port list[CONFIG_PORTS_MAX + 1];
};

static const char *port_name(const struct port *port)
{
	return port->config->name ? port->config->name : "hvc";
}

static void port_failed(void *owner, int code)
{
	struct port *port = owner;

	log_limited(&port->limiter, LOG_LEVEL_WARNING, "port '%s': its output is being lost: %s",
		port_name(port), strerrordesc_np(-code));
}

static void port_quit(void *owner)
{
	struct port *port = owner;

	lifecycle_console_quit(port->ports->machine);
}

static int open_port(struct port *port, struct err *err)
{
	struct console_options options = machine_console_options(
		port->config->kind, port->config->path);
	uint64_t fd;
	int r;

	if (port->config->kind == CONFIG_CONSOLE_FD) {
		r = parse_u64(port->config->path, INT_MAX, &fd);
		if (r < 0)
			return err_set_errno(err, r, "port '%s'", port_name(port));
		options.input_fd = (int)fd;
	}
	r = console_create(&options, &port->console, err);
	return r < 0 ? err_prefix(err, r, "port '%s'", port_name(port)) : 0;
}

static int create_device(struct machine_ports *ports, struct io_thread *io_thread, struct err *err)
{
	struct virtio_console_port_options list[CONFIG_PORTS_MAX + 1];
	const struct virtio_console_options options = {
		.name = "console",
		.gmem = &ports->machine->gmem,
		.io_thread = io_thread,
		.ports = list,
		.port_count = ports->count,
	};

	for (unsigned int i = 0; i < ports->count; i++)
		list[i] = (struct virtio_console_port_options){
			.name = ports->list[i].config->name,
			.is_console = !ports->list[i].config->name,
			.host = console_port(ports->list[i].console),
		};
	return virtio_console_create(&options, &ports->device, err);
}

int machine_ports_create(struct machine *machine, struct io_thread *io_thread,
	struct machine_ports **ret_ports, struct err *err)
{
	const struct config *config = machine->config;
	struct machine_ports *ports = calloc(1, sizeof(*ports));
	int r = 0;

	if (!ports)
		return err_set_errno(err, ENOMEM, "ports");
	ports->machine = machine;
	if (config->has_hvc)
		ports->list[ports->count++].config = &config->hvc;
	for (unsigned int i = 0; i < config->port_count; i++)
		ports->list[ports->count++].config = &config->ports[i];
	for (unsigned int i = 0; r == 0 && i < ports->count; i++) {
		ports->list[i].ports = ports;
		r = open_port(&ports->list[i], err);
	}
	if (r == 0)
		r = create_device(ports, io_thread, err);
	if (r < 0) {
		machine_ports_destroy(ports);
		return r;
	}
	*ret_ports = ports;
	return 0;
}

struct virtio_device *machine_ports_device(struct machine_ports *ports)
{
	return virtio_console_device(ports->device);
}

int machine_ports_start(struct machine_ports *ports, struct err *err)
{
	fatal_signals_restore_terminal();
	for (unsigned int i = 0; i < ports->count; i++) {
		struct port *port = &ports->list[i];
		const struct console_events events = {
			.receive = virtio_console_receive,
			.connected = virtio_console_connected,
			.drained = virtio_console_drained,
			.device = virtio_console_port(ports->device, i),
			.quit = port_quit,
			.failed = port_failed,
			.owner = port,
		};
		const char *path = console_path(port->console);
		int r = console_start(port->console, &ports->machine->loop, &events, err);

		if (r < 0)
			return err_prefix(err, r, "port '%s'", port_name(port));
		if (path)
			log_line(LOG_LEVEL_INFO, "port '%s' is %s", port_name(port), path);
	}
	machine_ports_resize(ports);
	return 0;
}

void machine_ports_resize(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++) {
		uint16_t columns, rows;

		if (console_window_size(ports->list[i].console, &columns, &rows) == 0)
			virtio_console_resize(virtio_console_port(ports->device, i), columns, rows);
	}
}

void machine_ports_suspend(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++)
		console_suspend(ports->list[i].console);
}

void machine_ports_continue(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++)
		console_continue(ports->list[i].console);
	machine_ports_resize(ports);
}

void machine_ports_finish(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++)
		if (console_flush(ports->list[i].console, FLUSH_PATIENCE_NS) < 0)
			log_line(LOG_LEVEL_WARNING,
				"port '%s': its reader is stuck: its last output is lost",
				port_name(&ports->list[i]));
}

/* The order that virtio_console.h asks for. */
void machine_ports_destroy(struct machine_ports *ports)
{
	if (!ports)
		return;
	for (unsigned int i = 0; ports->device && i < ports->count; i++)
		virtio_console_unplug(virtio_console_port(ports->device, i));
	for (unsigned int i = 0; i < ports->count; i++)
		console_destroy(ports->list[i].console);
	if (ports->device) {
		struct virtio_device *device = virtio_console_device(ports->device);

		device->ops->destroy(device);
	}
	free(ports);
}
