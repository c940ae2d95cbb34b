/*
 * The machine: every object of one VM, in the order in which it is made. Everything here belongs to
 * the main thread unless the object's own header says otherwise.
 */
#pragma once

#include "acpi_pm.h"
#include "arch.h"
#include "board.h"
#include "bus.h"
#include "config.h"
#include "console.h"
#include "control_socket.h"
#include "debug_exit.h"
#include "gmem.h"
#include "i8042.h"
#include "image.h"
#include "log.h"
#include "loop.h"
#include "loop_timer.h"
#include "machine_command.h"
#include "mailbox.h"
#include "ns16550.h"
#include "pci.h"
#include "pl031.h"
#include "pl061.h"
#include "pvpanic.h"
#include "reset_control.h"
#include "rtc_cmos.h"
#include "signal_watch.h"
#include "timeline.h"
#include "vcpu.h"
#include "vm.h"

#include <stdatomic.h>

struct machine {
	const struct config *config; /* [const] */
	struct timeline timeline;

	/* The host's half and the devices: from start to end; devices are reset with the guest. */
	struct loop loop;
	struct signal_watch signals;
	struct mailbox mailbox;
	struct control_socket control;
	struct loop_timer timeout;
	struct loop_timer grace;
	struct loop_timer delivery; /* of what the guest has said, once it has ended */
	uint64_t delivery_wait_ns;
	bool is_delivering;
	uint64_t last_words_ns; /* until when the guest may go on once its command has ended */
	struct loop_timer power_timer;
	struct loop_timer rtc_timer;
	struct image kernel;
	struct image initrd;
	char *command_line;
	struct machine_command *command; /* NULL: none */
	int kvm_fd;
	struct console *console; /* NULL: --console=null, then there is no UART either */
	struct console_port console_port;
	struct log_limiter console_limiter;
	struct board board;
	unsigned int chips; /* a bit for each kind that the board has */
	struct bus mmio;
	struct bus pio;
	struct ns16550 *uart;
	struct acpi_pm power;
	struct reset_control reset_control;
	struct i8042 i8042;
	struct rtc_cmos rtc;
	struct pl031 pl031;
	struct pl061 pl061;
	struct pvpanic pvpanic;
	struct debug_exit debug_exit;
	struct pci_host pci;
	struct arch_platform *platform;
	struct machine_virtio *virtio; /* NULL: no such device */

	/* The guest's half: made anew when the guest resets. */
	struct gmem gmem;
	struct vm vm;
	struct arch_vm *arch;
	struct vcpu_group vcpus;
	_Atomic bool ending; /* [atomic] a guest end was reported: later reports are dropped */

	/* The end. */
	int exit_status;
	int signal; /* the first that was received, 0: none */
	bool panicked;
	bool is_started; /* the guest has run */
	bool is_held;    /* by the control socket's pause */
	bool reset_wanted;
	bool must_end;           /* whatever else happens in the same moment */
	bool command_runs;       /* its init has said so, and not that it has ended */
	bool command_ended;      /* exit_status is its own */
	struct err end_sentence; /* empty after a plain end */
};

/* lifecycle.c: why and how the VM ends. */
must_check int lifecycle_init(struct machine *machine, struct err *err);
void lifecycle_fini(struct machine *machine);
struct guest_end_sink lifecycle_guest_end_sink(struct machine *machine);
void lifecycle_vcpu_ended(void *owner, const struct vcpu *vcpu, enum vcpu_end end);
void lifecycle_console_quit(void *owner);
/* As if Hull had got that signal. */
void lifecycle_signal(struct machine *machine, int signal);
/* At once, with no more ado. */
void lifecycle_end(struct machine *machine, int exit_status);
/* From the I/O thread. */
void lifecycle_command_event(struct machine *machine, enum command_event event, uint32_t value);
/* From a port's output thread. */
void lifecycle_port_reader_gone(struct machine *machine, unsigned int port);

/* machine_control.c: the control socket (--control); without one nothing happens. */
must_check int machine_control_create(struct machine *machine, struct err *err);
void machine_control_started(struct machine *machine);
/* The guest takes commands from now on. */
void machine_control_serving(struct machine *machine);
/* The last word, with the sentence about the end: the socket is closed. */
void machine_control_ended(struct machine *machine, int status, const struct err *err);

/* machine_chips.c: the chips that the board of this architecture has. */
must_check int machine_attach(struct bus *bus, const char *name, uint64_t base, uint64_t size,
	const struct bus_ops *ops, void *device, struct err *err);
must_check int machine_chips_create(struct machine *machine, struct err *err);
void machine_chips_destroy(struct machine *machine);
/* What a power cycle does to them; vCPUs are stopped. */
void machine_chips_reset(struct machine *machine);
/* False when nobody in the guest would take notice. */
bool machine_press_power_button(struct machine *machine);

/* machine_console.c: the serial console. --console=null: none, and no UART either. */
/* What a place of the config is to the backend; of CONFIG_CONSOLE_FD the caller sets input_fd. */
struct console_options machine_console_options(enum config_console kind, const char *path);
must_check int machine_console_create(struct machine *machine, struct err *err);
struct console_port machine_console_port(struct machine *machine);
must_check int machine_console_start(struct machine *machine, struct err *err);
/* Everything the guest said reaches its reader, unless that reader is stuck. */
void machine_console_finish(struct machine *machine);
