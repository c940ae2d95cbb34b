/*
 * The serial console as the machine uses it: options to backend, backend to UART, and its end.
 */
#include "clock.h"
#include "fatal_signals.h"
#include "machine_internal.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_PATIENCE_NS (2 * NANOSECONDS_PER_SECOND)

static size_t uart_receive(void *device, const uint8_t *bytes, size_t length)
{
	return ns16550_receive(device, bytes, length);
}

static void uart_drained(void *device)
{
	ns16550_drained(device);
}

static void console_failed(void *owner, int code)
{
	struct machine *machine = owner;

	log_limited(&machine->console_limiter, LOG_LEVEL_WARNING,
		"the console's output is being lost: %s", strerrordesc_np(-code));
}

struct console_options machine_console_options(enum config_console kind, const char *path)
{
	static const enum console_kind kinds[] = {
		[CONFIG_CONSOLE_STDIO] = CONSOLE_STDIO,
		[CONFIG_CONSOLE_PTY] = CONSOLE_PTY,
		[CONFIG_CONSOLE_FILE] = CONSOLE_FILE,
		[CONFIG_CONSOLE_SOCKET] = CONSOLE_SOCKET,
		[CONFIG_CONSOLE_NULL] = CONSOLE_NULL,
		[CONFIG_CONSOLE_FD] = CONSOLE_FD,
	};

	return (struct console_options){
		.kind = kinds[kind],
		.path = path,
		.input_fd = STDIN_FILENO,
		.output_fd = STDOUT_FILENO,
	};
}

int machine_console_create(struct machine *machine, struct err *err)
{
	const struct config *config = machine->config;
	const struct console_options options = machine_console_options(
		config->console, config->console_path);

	if (config->console == CONFIG_CONSOLE_NULL || config->console == CONFIG_CONSOLE_TAIL)
		return 0;
	return console_create(&options, &machine->console, err);
}

int machine_console_start(struct machine *machine, struct err *err)
{
	const struct console_events events = {
		.receive = uart_receive,
		.drained = uart_drained,
		.device = machine->uart,
		.quit = lifecycle_console_quit,
		.failed = console_failed,
		.owner = machine,
	};
	const char *path;
	int r;

	if (!machine->console)
		return 0;
	fatal_signals_restore_terminal();
	r = console_start(machine->console, &machine->loop, &events, err);
	path = console_path(machine->console);
	if (r == 0 && path)
		log_line(LOG_LEVEL_INFO, "the console is %s", path);
	return r;
}

/* With --timing the machine stands between the UART and its console to see the first byte. */
static size_t timed_write(void *host, const void *bytes, size_t length)
{
	struct machine *machine = host;
	const struct console_port *port = &machine->console_port;

	timeline_mark(&machine->timeline, TIMELINE_FIRST_BYTE);
	return port->ops->write(port->host, bytes, length);
}

static bool timed_is_congested(void *host)
{
	const struct console_port *port = &((struct machine *)host)->console_port;

	return port->ops->is_congested(port->host);
}

static void timed_resume_input(void *host)
{
	const struct console_port *port = &((struct machine *)host)->console_port;

	port->ops->resume_input(port->host);
}

static const struct console_port_ops timed_port_ops = {
	.write = timed_write,
	.is_congested = timed_is_congested,
	.resume_input = timed_resume_input,
};

struct console_port machine_console_port(struct machine *machine)
{
	machine->console_port = machine->console ? console_port(machine->console)
	                                         : machine_command_console(machine->command);
	if (machine->config->timing)
		return (struct console_port){.ops = &timed_port_ops, .host = machine};
	return machine->console_port;
}

void machine_console_finish(struct machine *machine)
{
	uint64_t dropped;

	if (!machine->console)
		return;
	if (console_flush(machine->console, FLUSH_PATIENCE_NS) < 0)
		log_line(LOG_LEVEL_WARNING,
			"the console's reader is stuck: its last output is lost");
	dropped = console_dropped_bytes(machine->console);
	if (dropped)
		log_line(LOG_LEVEL_WARNING, "%" PRIu64 " bytes of the console's output were lost",
			dropped);
}
