/*
 * What may be asked of a running machine over its control socket (--control), see
 * docs/embedding.md. Main thread.
 */
#include "clock.h"
#include "exit_status.h"
#include "fd.h"
#include "machine_internal.h"
#include "machine_ports.h"
#include "machine_virtio.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PROTOCOL_VERSION 1

static void say_hello(struct machine *machine, struct text *answer)
{
	(void)machine;
	text_addf(answer, "ok hull " HULL_VERSION " protocol %d", PROTOCOL_VERSION);
}

static const char *state_name(const struct machine *machine)
{
	if (!machine->is_started)
		return "starting";
	if (machine->is_held)
		return "paused";
	return machine->panicked ? "panicked" : "running";
}

static void say_state(struct machine *machine, struct text *answer)
{
	uint64_t ms = (clock_monotonic_ns() - machine->timeline.begin_ns) / 1000000;

	text_addf(
		answer, "ok %s %" PRIu64 ".%03" PRIu64, state_name(machine), ms / 1000, ms % 1000);
}

/* The guest stands on its own account already, or is about to. */
static bool is_ending(const struct machine *machine)
{
	return !machine->is_started || atomic_load(&machine->ending) || machine->command_ended;
}

static void pause_guest(struct machine *machine, struct text *answer)
{
	if (is_ending(machine)) {
		control_refuse(answer, EBUSY, "the guest has not begun, or has ended");
		return;
	}
	vcpu_group_pause(&machine->vcpus);
	/* One that reported the guest's end meanwhile has done so when this returns. */
	vcpu_group_wait_paused(&machine->vcpus);
	machine->is_held = true;
	text_add(answer, "ok");
}

static void resume_guest(struct machine *machine, struct text *answer)
{
	if (!machine->is_held) {
		control_refuse(answer, EINVAL, "the guest is not paused");
		return;
	}
	machine->is_held = false;
	if (!is_ending(machine))
		vcpu_group_resume(&machine->vcpus);
	text_add(answer, "ok");
}

static void press_power_button(struct machine *machine, struct text *answer)
{
	if (machine->config->serve && machine->command_runs) {
		/* As good as the button, which its kernel may have no driver for. */
		machine_ports_say(machine_virtio_ports(machine->virtio), "signal %d\n", SIGTERM);
		text_add(answer, "ok");
		return;
	}
	if (machine_press_power_button(machine))
		text_add(answer, "ok");
	else
		control_refuse(answer, ENODEV, "nobody in the guest listens to the power button");
}

static void stop_guest(struct machine *machine, struct text *answer)
{
	if (machine->is_held)
		resume_guest(machine, answer);
	else
		text_add(answer, "ok");
	lifecycle_signal(machine, SIGTERM);
}

static void kill_guest(struct machine *machine, struct text *answer)
{
	text_add(answer, "ok");
	lifecycle_end(machine, EXIT_STATUS_SIGNAL + SIGKILL);
}

/* arguments: "NUMBER up" or "NUMBER down" */
static void set_link(struct machine *machine, const char *arguments, struct text *answer)
{
	size_t digits = strcspn(arguments, " ");
	const char *state = arguments + digits;
	bool is_up = strcmp(state, " up") == 0;
	char number_text[24];
	uint64_t number;

	(void)snprintf(number_text, sizeof(number_text), "%.*s", (int)digits, arguments);
	if ((!is_up && strcmp(state, " down") != 0) || digits >= sizeof(number_text) ||
		parse_u64(number_text, UINT_MAX, &number) < 0) {
		control_refuse(answer, EINVAL, "not a NIC's number, and then 'up' or 'down'");
		return;
	}
	if (machine_virtio_set_link(machine->virtio, (unsigned int)number, is_up) < 0) {
		control_refuse(answer, ENODEV, "there is no such NIC (they count from 0)");
		return;
	}
	text_add(answer, "ok");
}

/* A connection to a port of the guest's: a socket of its own, by which nobody else comes in. */
static void connect_vsock(struct machine *machine, const char *port_text, struct text *answer)
{
	int ends[2] = {-1, -1};
	uint64_t port;
	int r = parse_u64(port_text, UINT32_MAX - 1, &port);

	if (r < 0) {
		control_refuse(answer, EINVAL, "the port is no number from 0 to 4294967294");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		control_refuse(answer, errno, "there is no socket to be had");
		return;
	}
	r = machine_virtio_connect_vsock(machine->virtio, (uint32_t)port, ends[0]);
	if (r < 0) {
		fd_close(&ends[1]);
		control_refuse(answer, r,
			r == -ENOSPC ? "there are as many connections as there may be"
				     : "the guest has no virtio socket, or no driver for it");
		return;
	}
	control_socket_pass(&machine->control, ends[1]);
	text_add(answer, "ok");
}

static void request(void *owner, const char *line, struct text *answer)
{
	static const struct {
		const char *word;
		void (*obey)(struct machine *machine, struct text *answer);
		/* Of a word that has more behind it, which is what it gets. */
		void (*obey_with)(
			struct machine *machine, const char *arguments, struct text *answer);
	} requests[] = {
		{"hello", say_hello, NULL},
		{"state", say_state, NULL},
		{"pause", pause_guest, NULL},
		{"resume", resume_guest, NULL},
		{"power-button", press_power_button, NULL},
		{"stop", stop_guest, NULL},
		{"kill", kill_guest, NULL},
		{"link", NULL, set_link},
		{"vsock", NULL, connect_vsock},
	};
	size_t length = strcspn(line, " ");

	for (size_t i = 0; i < array_size(requests); i++) {
		if (strlen(requests[i].word) != length ||
			memcmp(requests[i].word, line, length) != 0 ||
			(line[length] != 0) != (requests[i].obey_with != NULL))
			continue;
		if (requests[i].obey)
			requests[i].obey(owner, answer);
		else
			requests[i].obey_with(owner, line + length + 1, answer);
		return;
	}
	control_refuse(answer, ENOSYS, "there is no such request");
}

static void peer_gone(void *owner)
{
	lifecycle_end(owner, EXIT_STATUS_SIGNAL + SIGHUP);
}

int machine_control_create(struct machine *machine, struct err *err)
{
	const struct control_events events = {
		.request = request, .gone = peer_gone, .owner = machine};

	if (machine->config->control_fd < 0)
		return 0;
	return control_socket_init(
		&machine->control, &machine->loop, machine->config->control_fd, &events, err);
}

void machine_control_started(struct machine *machine)
{
	if (!machine->is_started)
		control_socket_say(&machine->control, "event started");
	machine->is_started = true;
}

void machine_control_serving(struct machine *machine)
{
	control_socket_say(&machine->control, "event serving");
}

void machine_control_ended(struct machine *machine, int status, const struct err *err)
{
	cleanup_text struct text line = {0};

	text_addf(&line, "event ended %d %s", status, err->text);
	control_socket_say(&machine->control, text_string(&line));
	control_socket_fini(&machine->control);
}
