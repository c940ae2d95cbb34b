/*
 * What may be asked of a running machine over its control socket (--control), see
 * docs/embedding.md. Main thread.
 */
#include "clock.h"
#include "exit_status.h"
#include "machine_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

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

static void request(void *owner, const char *line, struct text *answer)
{
	static const struct {
		const char *word;
		void (*obey)(struct machine *machine, struct text *answer);
	} requests[] = {
		{"hello", say_hello},
		{"state", say_state},
		{"pause", pause_guest},
		{"resume", resume_guest},
		{"power-button", press_power_button},
		{"stop", stop_guest},
		{"kill", kill_guest},
	};

	for (size_t i = 0; i < array_size(requests); i++) {
		if (strcmp(line, requests[i].word) == 0) {
			requests[i].obey(owner, answer);
			return;
		}
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

void machine_control_ended(struct machine *machine, int status, const struct err *err)
{
	cleanup_text struct text line = {0};

	text_addf(&line, "event ended %d %s", status, err->text);
	control_socket_say(&machine->control, text_string(&line));
	control_socket_fini(&machine->control);
}
