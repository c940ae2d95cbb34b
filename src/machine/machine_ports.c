/* See machine_ports.h. */
#include "machine_ports.h"

#include "clock.h"
#include "console.h"
#include "fatal_signals.h"
#include "log.h"
#include "machine_command.h"
#include "machine_internal.h"
#include "parse.h"
#include "virtio_console.h"
#include "virtio_device.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_PATIENCE_NS NANOSECONDS_PER_SECOND

struct port {
	struct machine_ports *ports;
	const char *name; /* NULL: the terminal */
	struct console_options options;
	struct console *console; /* NULL: host is not a console */
	struct console_port host;
	bool is_output; /* of a command: all of it is to be delivered */
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
	return port->name ? port->name : "hvc";
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

static void port_reader_gone(void *owner)
{
	struct port *port = owner;

	lifecycle_port_reader_gone(port->ports->machine, (unsigned int)(port - port->ports->list));
}

static int open_port(struct port *port, struct err *err)
{
	int r;

	if (port->host.ops)
		return 0;
	r = console_create(&port->options, &port->console, err);
	if (r < 0)
		return err_prefix(err, r, "port '%s'", port_name(port));
	port->host = console_port(port->console);
	return 0;
}

static int add_port(struct machine_ports *ports, const struct config_port *config, struct err *err)
{
	struct port *port = &ports->list[ports->count++];
	uint64_t fd;

	port->name = config->name;
	port->options = machine_console_options(config->kind, config->path);
	if (config->kind == CONFIG_CONSOLE_FD) {
		int r = parse_u64(config->path, INT_MAX, &fd);

		if (r < 0)
			return err_set_errno(err, r, "port '%s'", port_name(port));
		port->options.input_fd = (int)fd;
	}
	return 0;
}

static struct port *add_command_port(
	struct machine_ports *ports, const char *name, enum console_kind kind)
{
	struct port *port = &ports->list[ports->count++];

	port->name = name;
	port->options = (struct console_options){
		.kind = kind, .input_fd = STDIN_FILENO, .output_fd = STDOUT_FILENO};
	port->is_output = kind != CONSOLE_INPUT;
	return port;
}

/* The control port is the last one: the guest takes it for a sign that the others are there. */
static void add_command_ports(struct machine_ports *ports)
{
	struct machine_command *command = ports->machine->command;

	if (machine_command_has_tty(command)) {
		(void)add_command_port(ports, "hull.tty", CONSOLE_STDIO);
	} else if (!ports->machine->config->serve) {
		(void)add_command_port(ports, "hull.stdin", CONSOLE_INPUT);
		(void)add_command_port(ports, "hull.stdout", CONSOLE_OUTPUT);
		add_command_port(ports, "hull.stderr", CONSOLE_OUTPUT)
			->options.output_fd = STDERR_FILENO;
	}
	ports->list[ports->count].name = "hull.control";
	ports->list[ports->count++].host = machine_command_port(command);
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
			.name = ports->list[i].name,
			.is_console = !ports->list[i].name,
			.host = ports->list[i].host,
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
		r = add_port(ports, &config->hvc, err);
	for (unsigned int i = 0; r == 0 && i < config->port_count; i++)
		r = add_port(ports, &config->ports[i], err);
	if (machine->command)
		add_command_ports(ports);
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
			.reader_gone = port->is_output ? port_reader_gone : NULL,
			.failed = port_failed,
			.owner = port,
		};
		const char *path;
		int r;

		if (!port->console) {
			virtio_console_connected(events.device, true);
			continue;
		}
		path = console_path(port->console);
		r = console_start(port->console, &ports->machine->loop, &events, err);
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

		if (!ports->list[i].console ||
			console_window_size(ports->list[i].console, &columns, &rows) < 0)
			continue;
		virtio_console_resize(virtio_console_port(ports->device, i), columns, rows);
		if (ports->list[i].is_output)
			machine_ports_say(ports, "size %u %u\n", columns, rows);
	}
}

void machine_ports_say(struct machine_ports *ports, const char *pattern, ...)
{
	char line[64];
	va_list arguments;
	int length;

	va_start(arguments, pattern);
	length = vsnprintf(line, sizeof(line), pattern, arguments);
	va_end(arguments);
	/* The control port, the last; what its init does not take now means nothing later. */
	(void)virtio_console_receive(virtio_console_port(ports->device, ports->count - 1),
		(const uint8_t *)line, (size_t)length);
}

void machine_ports_reader_gone(struct machine_ports *ports, unsigned int index)
{
	virtio_console_connected(virtio_console_port(ports->device, index), false);
}

bool machine_ports_have_delivered(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++) {
		const struct port *port = &ports->list[i];

		if (port->is_output &&
			(!virtio_console_is_drained(virtio_console_port(ports->device, i)) ||
				console_flush(port->console, 0) < 0))
			return false;
	}
	return true;
}

void machine_ports_suspend(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++)
		if (ports->list[i].console)
			console_suspend(ports->list[i].console);
}

void machine_ports_continue(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++)
		if (ports->list[i].console)
			console_continue(ports->list[i].console);
	machine_ports_resize(ports);
}

void machine_ports_finish(struct machine_ports *ports)
{
	for (unsigned int i = 0; i < ports->count; i++)
		if (ports->list[i].console &&
			console_flush(ports->list[i].console, FLUSH_PATIENCE_NS) < 0)
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
