/*
 * Why and how a VM ends: what vCPU threads report, signals, --timeout and the policies of
 * --on-reboot and --on-panic become one exit status. All decisions are taken on the main thread;
 * a vCPU thread only stops the vCPUs and sends a message.
 */
#include "machine_internal.h"

#include "clock.h"
#include "exit_status.h"
#include "log.h"
#include "machine_ports.h"
#include "machine_virtio.h"
#include "machine_vsock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

enum mail_kind { MAIL_GUEST_END, MAIL_VCPU_END, MAIL_COMMAND, MAIL_READER_GONE };

/* Between looks whether the output has gone: at first soon, and less often for a slow reader. */
#define DELIVERY_LOOK_MIN_NS (NANOSECONDS_PER_SECOND / 10000)
#define DELIVERY_LOOK_MAX_NS (NANOSECONDS_PER_SECOND / 20)
#define LAST_WORDS_NS        (2 * NANOSECONDS_PER_SECOND)

static void end_with(struct machine *machine, int exit_status)
{
	machine->exit_status = exit_status;
	timeline_mark(&machine->timeline, TIMELINE_END);
	loop_stop(&machine->loop);
}

void lifecycle_end(struct machine *machine, int exit_status)
{
	machine->must_end = true;
	end_with(machine, exit_status);
}

static void end_by_signal(struct machine *machine)
{
	end_with(machine,
		machine->panicked ? EXIT_STATUS_PANIC : EXIT_STATUS_SIGNAL + machine->signal);
}

/* On a vCPU's thread, from a device's register handler. */
static void report_guest_end(void *owner, enum guest_end end, uint32_t value)
{
	struct machine *machine = owner;

	/* A crash kernel takes over: the guest goes on. */
	if (end == GUEST_END_CRASH_LOADED)
		return;
	vcpu_group_pause(&machine->vcpus);
	if (atomic_exchange(&machine->ending, true))
		return;
	(void)mailbox_send(&machine->mailbox,
		(struct mail){.kind = MAIL_GUEST_END | (uint32_t)end << 8, .value = value});
}

struct guest_end_sink lifecycle_guest_end_sink(struct machine *machine)
{
	return (struct guest_end_sink){.report = report_guest_end, .owner = machine};
}

void lifecycle_vcpu_ended(void *owner, const struct vcpu *vcpu, enum vcpu_end end)
{
	struct machine *machine = owner;

	if (atomic_exchange(&machine->ending, true))
		return;
	(void)mailbox_send(&machine->mailbox,
		(struct mail){.kind = MAIL_VCPU_END, .value = (uint32_t)end, .about = vcpu});
}

void lifecycle_command_event(struct machine *machine, enum command_event event, uint32_t value)
{
	(void)mailbox_send(&machine->mailbox,
		(struct mail){.kind = MAIL_COMMAND | (uint32_t)event << 8, .value = value});
}

void lifecycle_port_reader_gone(struct machine *machine, unsigned int port)
{
	(void)mailbox_send(
		&machine->mailbox, (struct mail){.kind = MAIL_READER_GONE, .value = port});
}

static bool has_delivered(const struct machine *machine)
{
	struct machine_vsock *vsock = machine_virtio_vsock(machine->virtio);

	/* Without a command the ports have machine_virtio_finish. */
	if (machine->command_ended &&
		!machine_ports_have_delivered(machine_virtio_ports(machine->virtio)))
		return false;
	return !vsock || machine_vsock_has_delivered(vsock);
}

/* After its command has ended. */
static bool has_last_words(struct machine *machine)
{
	const struct machine_vsock *vsock = machine_virtio_vsock(machine->virtio);

	if (!machine->last_words_ns || !vsock || !machine_vsock_guest_sends(vsock))
		return false;
	if (clock_monotonic_ns() < machine->last_words_ns)
		return true;
	log_line(LOG_LEVEL_WARNING, "vsock: the guest has not closed a connection of its command: "
				    "what it sent last may be lost");
	return false;
}

static void look_for_delivery(void *owner)
{
	struct machine *machine = owner;

	if (!has_last_words(machine)) {
		machine->last_words_ns = 0;
		vcpu_group_pause(&machine->vcpus);
		if (has_delivered(machine)) {
			end_with(machine, machine->exit_status);
			return;
		}
	}
	loop_timer_arm(&machine->delivery, clock_monotonic_ns() + machine->delivery_wait_ns);
	if (machine->delivery_wait_ns < DELIVERY_LOOK_MAX_NS)
		machine->delivery_wait_ns *= 2;
}

static void end_when_delivered(struct machine *machine, int exit_status)
{
	machine->exit_status = exit_status;
	machine->is_delivering = true;
	machine->delivery_wait_ns = DELIVERY_LOOK_MIN_NS;
	look_for_delivery(machine);
}

/* By itself: what it has said before that goes where it belongs. */
static void end_by_guest(struct machine *machine, int exit_status)
{
	loop_timer_arm(&machine->grace, 0);
	end_when_delivered(machine, exit_status);
}

/* The command has ended: the VM does when all of its output has gone where it belongs. Sockets that
 * it has left are still being closed by the guest's kernel, which has nothing to say else and must
 * not be able to go on for ever. */
static void end_command(struct machine *machine, int exit_status)
{
	machine->command_runs = false;
	machine->command_ended = true;
	machine->last_words_ns = clock_monotonic_ns() + LAST_WORDS_NS;
	end_when_delivered(machine, exit_status);
}

static void command_not_executed(struct machine *machine, int code)
{
	const char *reason = strerrordesc_np(code);
	bool is_missing = code == ENOENT || code == ENOTDIR;

	if (machine->config->serve)
		return;
	(void)err_set(&machine->end_sentence, 0, "%.200s: %s, in the guest",
		machine->config->command.list[0],
		code == ENOENT ? "not found"
		: reason       ? reason
			       : "it cannot be executed");
	end_command(machine, is_missing ? EXIT_STATUS_NOT_FOUND : EXIT_STATUS_CANNOT_EXECUTE);
}

static void command_said(struct machine *machine, enum command_event event, uint32_t value)
{
	switch (event) {
	case COMMAND_STARTED:
		machine->command_runs = true;
		if (machine->config->serve)
			machine_control_serving(machine);
		break;
	case COMMAND_EXITED:
		end_command(machine, machine->config->serve && machine->signal
					     ? EXIT_STATUS_SIGNAL + machine->signal
					     : (int)value);
		break;
	case COMMAND_NOT_EXECUTED:
		command_not_executed(machine, (int)value);
		break;
	case COMMAND_FAILED:
		(void)err_set(&machine->end_sentence, 0, "the guest could not %s: %s",
			machine->config->serve ? "serve" : "run the command",
			machine_command_sentence(machine->command));
		end_by_guest(machine, EXIT_STATUS_NEVER_STARTED);
		break;
	}
}

/* The guest has powered off, which its init does only when Hull has taken no notice of it. */
static void command_guest_gone(struct machine *machine)
{
	if (machine->signal) {
		end_by_guest(machine, EXIT_STATUS_SIGNAL + machine->signal);
		return;
	}
	if (machine->config->serve && machine->command_runs) {
		end_by_guest(machine, EXIT_STATUS_POWER_OFF);
		return;
	}
	(void)err_set(&machine->end_sentence, 0, "the guest powered off before the command %s",
		machine->command_runs ? "ended" : "was run");
	end_by_guest(machine, EXIT_STATUS_NEVER_STARTED);
}

static void guest_panicked(struct machine *machine)
{
	machine->panicked = true;
	if (machine->config->on_panic == CONFIG_ON_PANIC_EXIT) {
		(void)err_set(&machine->end_sentence, 0, "the guest's kernel panicked");
		end_by_guest(machine, EXIT_STATUS_PANIC);
		return;
	}
	log_line(LOG_LEVEL_WARNING, "the guest's kernel panicked; its vCPUs are stopped until a "
				    "signal ends hull (--on-panic=pause)");
}

static void guest_reset(struct machine *machine, uint32_t value)
{
	if (arch_reset_follows_panic(&machine->gmem, value)) {
		guest_panicked(machine);
	} else if (machine->config->on_reboot == CONFIG_ON_REBOOT_EXIT || machine->signal) {
		(void)err_set(&machine->end_sentence, 0, "the guest rebooted (--on-reboot=exit)");
		end_by_guest(machine, machine->signal ? EXIT_STATUS_SIGNAL + machine->signal
						      : EXIT_STATUS_REBOOT);
	} else {
		machine->reset_wanted = true;
		loop_stop(&machine->loop);
	}
}

static void guest_ended(struct machine *machine, enum guest_end end, uint32_t value)
{
	switch (end) {
	case GUEST_END_POWER_OFF:
		if (machine->command) {
			command_guest_gone(machine);
			break;
		}
		end_by_guest(machine, machine->signal ? EXIT_STATUS_SIGNAL + machine->signal
						      : EXIT_STATUS_POWER_OFF);
		break;
	case GUEST_END_RESET:
		guest_reset(machine, value);
		break;
	case GUEST_END_PANIC:
		guest_panicked(machine);
		break;
	case GUEST_END_DEBUG_EXIT:
		end_by_guest(machine, (int)((value << 1 | 1) & 0xff));
		break;
	case GUEST_END_NONE:
	case GUEST_END_CRASH_LOADED:
		break;
	}
}

/* The first line is the sentence, the others are the registers. */
static void report_failure(struct machine *machine, const struct vcpu *vcpu)
{
	const char *line = text_string(&vcpu->failure);
	size_t length = strcspn(line, "\n");

	(void)err_set(&machine->end_sentence, 0, "%.*s%s", (int)length, line,
		arch_cpu_can_virtualise() ? ""
					  : "; this host's KVM is software and cannot run "
					    "distribution kernels: use a "
					    "host with hardware virtualisation (see hull doctor)");
	for (line += length; *line; line += length) {
		line++;
		length = strcspn(line, "\n");
		if (length)
			log_line(LOG_LEVEL_ERROR, "%.*s", (int)length, line);
	}
}

static void mail_received(void *owner, const struct mail *mail)
{
	struct machine *machine = owner;
	enum mail_kind kind = mail->kind & 0xff;

	if (machine->command_ended && (kind == MAIL_GUEST_END || kind == MAIL_VCPU_END)) {
		/* Whatever becomes of the guest; the rest of the output is on its way. */
		machine->last_words_ns = 0;
		return;
	}
	switch (kind) {
	case MAIL_GUEST_END:
		guest_ended(machine, (enum guest_end)(mail->kind >> 8), mail->value);
		return;
	case MAIL_COMMAND:
		command_said(machine, (enum command_event)(mail->kind >> 8), mail->value);
		return;
	case MAIL_READER_GONE:
		machine_ports_reader_gone(machine_virtio_ports(machine->virtio), mail->value);
		return;
	case MAIL_VCPU_END:
		break;
	}
	if (mail->value == VCPU_END_TRIPLE_FAULT) {
		const struct vcpu *vcpu = mail->about;

		(void)err_set(&machine->end_sentence, 0,
			"vCPU %u shut down (triple fault): the guest's kernel crashed without a "
			"word",
			vcpu->index);
		end_by_guest(machine, EXIT_STATUS_TRIPLE_FAULT);
		return;
	}
	report_failure(machine, mail->about);
	end_by_guest(machine, EXIT_STATUS_KVM_FAILURE);
}

/* Job control: the terminal is the shell's while we are stopped. */
static void stop_or_continue(struct machine *machine, int signal)
{
	struct machine_ports *ports = machine_virtio_ports(machine->virtio);

	if (signal == SIGTSTP) {
		if (machine->console)
			console_suspend(machine->console);
		if (ports)
			machine_ports_suspend(ports);
		(void)raise(SIGSTOP);
	}
	if (machine->console)
		console_continue(machine->console);
	if (ports)
		machine_ports_continue(ports);
}

static void terminal_resized(struct machine *machine)
{
	struct machine_ports *ports = machine_virtio_ports(machine->virtio);

	if (ports)
		machine_ports_resize(ports);
}

/* The first signal asks politely when somebody listens; anything later ends the VM at once. */
static void signal_received(void *owner, int signal)
{
	struct machine *machine = owner;
	bool first = !machine->signal;

	if (signal == SIGTSTP || signal == SIGCONT) {
		stop_or_continue(machine, signal);
		return;
	}
	if (signal == SIGWINCH) {
		terminal_resized(machine);
		return;
	}
	if (first)
		machine->signal = signal;
	if (machine->is_delivering) {
		end_by_signal(machine);
		return;
	}
	/* The command decides what becomes of it, as it would in a shell; SIGINT may be nothing to
	 * it. An init that serves ends. */
	if (first && machine->command_runs) {
		machine_ports_say(machine_virtio_ports(machine->virtio), "signal %d\n", signal);
		if (machine->config->grace_ns && (signal != SIGINT || machine->config->serve))
			loop_timer_arm(
				&machine->grace, clock_monotonic_ns() + machine->config->grace_ns);
		return;
	}
	if (!first || machine->panicked || !machine->config->grace_ns ||
		!machine_press_power_button(machine)) {
		end_by_signal(machine);
		return;
	}
	log_line(LOG_LEVEL_INFO,
		"SIG%s: asked the guest to power off; a second signal ends it at once",
		sigabbrev_np(signal));
	loop_timer_arm(&machine->grace, clock_monotonic_ns() + machine->config->grace_ns);
}

void lifecycle_signal(struct machine *machine, int signal)
{
	signal_received(machine, signal);
}

static void grace_expired(void *owner)
{
	struct machine *machine = owner;

	(void)err_set(&machine->end_sentence, 0, "%s within %.3g s of SIG%s (--grace)",
		machine->is_delivering ? "the command's output was not read"
				       : "the guest did not power off",
		(double)machine->config->grace_ns / 1e9, sigabbrev_np(machine->signal));
	end_by_signal(machine);
}

static void timeout_expired(void *owner)
{
	struct machine *machine = owner;

	(void)err_set(&machine->end_sentence, 0, "the guest%s after %.3g s (--timeout)",
		machine->is_delivering ? "'s output was still not read" : " was still running",
		(double)machine->config->timeout_ns / 1e9);
	end_with(machine, EXIT_STATUS_TIMEOUT);
}

void lifecycle_console_quit(void *owner)
{
	struct machine *machine = owner;

	if (!machine->signal)
		machine->signal = SIGTERM;
	end_by_signal(machine);
}

int lifecycle_init(struct machine *machine, struct err *err)
{
	struct loop *loop = &machine->loop;
	int r = signal_watch_init(&machine->signals, loop, signal_received, machine, err);

	if (r == 0)
		r = mailbox_init(&machine->mailbox, loop, mail_received, machine, err);
	if (r == 0)
		r = loop_timer_init(&machine->grace, loop, grace_expired, machine, err);
	if (r == 0)
		r = loop_timer_init(&machine->delivery, loop, look_for_delivery, machine, err);
	if (r == 0)
		r = loop_timer_init(&machine->timeout, loop, timeout_expired, machine, err);
	if (r == 0 && machine->config->timeout_ns)
		loop_timer_arm(&machine->timeout,
			machine->timeline.begin_ns + machine->config->timeout_ns);
	return r;
}

void lifecycle_fini(struct machine *machine)
{
	loop_timer_fini(&machine->timeout);
	loop_timer_fini(&machine->delivery);
	loop_timer_fini(&machine->grace);
	mailbox_fini(&machine->mailbox);
	signal_watch_fini(&machine->signals);
}
