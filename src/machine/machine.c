/*
 * The machine, assembled. Start-up is a straight line: files, KVM, memory, VM, devices, vCPUs,
 * kernel, run; teardown is the same list backwards. The host's half lives from start to end; the
 * guest's half is made anew when the guest resets (--on-reboot=reset), so that nothing survives.
 */
#include "machine.h"

#include "fd.h"
#include "kvm.h"
#include "kvm_capabilities.h"
#include "log.h"
#include "machine_internal.h"
#include "machine_virtio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The PCI host bridge, which owns the reset control register's byte among its ports. */
static int create_pci(struct machine *machine, struct err *err)
{
	const struct guest_end_sink end = lifecycle_guest_end_sink(machine);
	struct board_pci *pci = &machine->board.pci;
	int r = 0;

	arch_board_pci(pci, machine->config->memory_bytes);
	reset_control_init(&machine->reset_control, &end);
	pci_host_init(&machine->pci, &reset_control_bus_ops, &machine->reset_control);
	if (pci->has_ports)
		r = machine_attach(&machine->pio, "pci", PCI_PORT_BASE, PCI_PORTS,
			&pci_host_port_bus_ops, &machine->pci, err);
	if (r < 0)
		return r;
	return machine_attach(&machine->mmio, "pci", pci->ecam_base,
		pci->bus_count * PCI_ECAM_BYTES_PER_BUS, &pci_host_ecam_bus_ops, &machine->pci,
		err);
}

static int create_devices(struct machine *machine, struct err *err)
{
	int r;

	machine->board.cpu_count = machine->config->cpu_count;
	machine->board.name = machine->config->name;
	memcpy(machine->board.uuid, machine->config->uuid, sizeof(machine->board.uuid));
	bus_init(&machine->pio, "PIO");
	bus_init(&machine->mmio, "MMIO");
	r = machine_chips_create(machine, err);
	if (r == 0)
		r = create_pci(machine, err);
	if (r == 0)
		r = arch_platform_create(
			&machine->vm.fd, &machine->pio, &machine->mmio, &machine->platform, err);
	return r;
}

static void destroy_devices(struct machine *machine)
{
	machine_virtio_destroy(machine->virtio);
	arch_platform_destroy(machine->platform);
	pci_host_fini(&machine->pci);
	machine_chips_destroy(machine);
	bus_fini(&machine->mmio);
	bus_fini(&machine->pio);
}

/* What a power cycle does to them; vCPUs are stopped. */
static void reset_devices(struct machine *machine)
{
	machine_chips_reset(machine);
	reset_control_reset(&machine->reset_control);
	pci_host_reset(&machine->pci);
	machine_virtio_reset(machine->virtio);
	arch_platform_reset(machine->platform);
}

static int open_files(struct machine *machine, struct err *err)
{
	const struct config *config = machine->config;
	cleanup_text struct text line = {0};
	int r = image_open(
		"kernel", config->kernel_path, true, config->memory_bytes, &machine->kernel, err);

	if (r == 0 && config->initrd_path)
		r = image_open("initrd", config->initrd_path, false, config->memory_bytes,
			&machine->initrd, err);
	if (r < 0)
		return r;
	if (config_has_init(config)) {
		r = machine_command_create(machine, &machine->command, err);
		if (r < 0)
			return r;
	}
	machine_command_line(config, &line);
	machine->command_line = text_take(&line);
	if (!machine->command_line)
		return err_set_errno(err, ENOMEM, "the command line");
	timeline_mark(&machine->timeline, TIMELINE_FILES);
	return 0;
}

static int open_kvm(struct machine *machine, struct err *err)
{
	size_t count;
	const struct kvm_capability *capabilities = arch_kvm_capabilities(&count);

	machine->kvm_fd = kvm_open(err);
	if (machine->kvm_fd < 0)
		return machine->kvm_fd;
	return kvm_check_required(machine->kvm_fd, capabilities, count, err);
}

static int create_memory(struct machine *machine, struct err *err)
{
	const struct config *config = machine->config;
	const struct gmem_options options = {
		.backing = config->memory == CONFIG_MEMORY_HUGEPAGES ? GMEM_BACKING_HUGETLB
	                   : config->memory == CONFIG_MEMORY_SHARED  ? GMEM_BACKING_MEMFD
	                                                             : GMEM_BACKING_ANONYMOUS,
		.prealloc = config->prealloc,
		.transparent_huge_pages = config->transparent_huge_pages,
	};

	arch_memory_layout(config->memory_bytes, &machine->gmem);
	return gmem_create(&machine->gmem, &options, err);
}

static int create_vcpus(struct machine *machine, struct err *err)
{
	const unsigned int count = machine->config->cpu_count;
	const struct vcpu_environment environment = {
		.mmio = &machine->mmio,
		.pio = &machine->pio,
		.gmem = &machine->gmem,
		.guest_end = lifecycle_guest_end_sink(machine),
		.ended = lifecycle_vcpu_ended,
		.owner = machine,
	};
	int r = vcpu_group_create(
		&machine->vcpus, machine->kvm_fd, machine->vm.fd, count, &environment, err);

	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = arch_vcpu_init(machine->arch, machine->vcpus.vcpus[i].fd, i, err);
	return r < 0 ? r : arch_vm_finish(machine->arch, err);
}

static int create_guest(struct machine *machine, struct err *err)
{
	const struct arch_vm_options options = {
		.cpu_count = machine->config->cpu_count,
		.cpu_features = machine->config->cpu_features,
	};
	unsigned long type;
	int r = arch_vm_type(machine->kvm_fd, machine->config->memory_bytes, &type, err);

	if (r == 0)
		r = vm_create(machine->kvm_fd, type, &machine->vm, err);
	if (r == 0)
		r = arch_vm_create(machine->kvm_fd, machine->vm.fd, &options, &machine->arch, err);
	timeline_mark(&machine->timeline, TIMELINE_KVM);
	if (r == 0)
		r = machine_virtio_connect(machine->virtio, err);
	if (r == 0)
		r = vm_map_memory(&machine->vm, &machine->gmem, err);
	timeline_mark(&machine->timeline, TIMELINE_MEMORY);
	if (r == 0)
		r = create_vcpus(machine, err);
	timeline_mark(&machine->timeline, TIMELINE_DEVICES);
	return r;
}

static void destroy_guest(struct machine *machine)
{
	vcpu_group_destroy(&machine->vcpus);
	arch_vm_destroy(machine->arch);
	machine->arch = NULL;
	vm_destroy(&machine->vm);
	gmem_destroy(&machine->gmem);
}

static int load_guest(struct machine *machine, struct err *err)
{
	const struct config *config = machine->config;
	const struct arch_boot_source source = {
		.kernel_fd = machine->kernel.fd,
		.kernel_size_bytes = machine->kernel.size_bytes,
		.kernel_name = config->kernel_path,
		.initrd_fd = machine->initrd.fd,
		.initrd_size_bytes = machine->initrd.size_bytes,
		.initrd_name = config->initrd_path,
		.command_line = machine->command_line,
		.user_words = config->append ? config->append : "",
	};
	struct arch_boot boot;
	int r = arch_load(machine->arch, &machine->gmem, &machine->board, &source, &boot, err);

	if (r < 0)
		return r;
	if (boot.is_linux && !arch_cpu_can_virtualise())
		log_line(LOG_LEVEL_WARNING, "this host's KVM is software: a distribution's kernel "
					    "will most likely fail "
					    "on it (see hull doctor)");
	r = arch_vcpu_set_boot(machine->vcpus.vcpus[0].fd, &machine->gmem, &boot, err);
	timeline_mark(&machine->timeline, TIMELINE_LOAD);
	return r;
}

/* One life of the guest, from power-on to its end; the exit status. */
static int run_guest(struct machine *machine, struct err *err)
{
	int r;

	machine->reset_wanted = false;
	atomic_store(&machine->ending, false);
	if (load_guest(machine, err) < 0)
		return EXIT_STATUS_INPUT;
	if (vcpu_group_start(&machine->vcpus, err) < 0)
		return EXIT_STATUS_HULL;
	timeline_mark(&machine->timeline, TIMELINE_START);
	machine_control_started(machine);
	r = loop_run(&machine->loop);
	if (r < 0) {
		(void)err_set_errno(err, r, "waiting for events failed");
		return EXIT_STATUS_HULL;
	}
	*err = machine->end_sentence;
	return machine->exit_status;
}

static int build_and_run(struct machine *machine, struct err *err)
{
	int status;

	if (machine_control_create(machine, err) < 0)
		return EXIT_STATUS_INPUT;
	if (arch_cpu_features_check(machine->config->cpu_features, err) < 0)
		return EXIT_STATUS_USAGE;
	if (open_files(machine, err) < 0)
		return EXIT_STATUS_INPUT;
	if (open_kvm(machine, err) < 0)
		return EXIT_STATUS_NO_KVM;
	if (machine_console_create(machine, err) < 0)
		return EXIT_STATUS_INPUT;
	if (lifecycle_init(machine, err) < 0 || create_memory(machine, err) < 0 ||
		create_devices(machine, err) < 0)
		return EXIT_STATUS_HULL;
	if (machine_virtio_create(machine, &machine->virtio, err) < 0)
		return EXIT_STATUS_INPUT;
	if (create_guest(machine, err) < 0)
		return EXIT_STATUS_HULL;
	if (machine_virtio_wait(machine->virtio, err) < 0)
		return EXIT_STATUS_INPUT;
	if (machine_console_start(machine, err) < 0 ||
		machine_virtio_start(machine->virtio, err) < 0)
		return EXIT_STATUS_HULL;
	for (;;) {
		status = run_guest(machine, err);
		vcpu_group_stop(&machine->vcpus);
		if (!machine->reset_wanted || machine->must_end)
			return status;
		machine->is_held = false;
		machine->loop.stopping = false;
		/* Devices first: what is in flight ends in memory that is still there. */
		reset_devices(machine);
		destroy_guest(machine);
		mailbox_drain(&machine->mailbox);
		if (create_memory(machine, err) < 0 || create_guest(machine, err) < 0)
			return EXIT_STATUS_HULL;
	}
}

static void report_timeline(struct machine *machine)
{
	cleanup_text struct text report = {0};

	timeline_report(&machine->timeline, &report);
	for (const char *line = text_string(&report); *line;) {
		size_t length = strcspn(line, "\n");

		log_line(LOG_LEVEL_INFO, "%.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

/* The guest's own failures; the command's are its own to explain. */
static bool shows_console(int status)
{
	return status == EXIT_STATUS_NEVER_STARTED || status == EXIT_STATUS_PANIC ||
	       status == EXIT_STATUS_TRIPLE_FAULT || status == EXIT_STATUS_KVM_FAILURE ||
	       status == EXIT_STATUS_TIMEOUT || status == EXIT_STATUS_REBOOT;
}

int machine_run(const struct config *config, struct err *err)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	int status;

	if (!machine) {
		(void)err_set_errno(err, ENOMEM, "the machine");
		return EXIT_STATUS_HULL;
	}
	timeline_begin(&machine->timeline);
	machine->config = config;
	machine->kvm_fd = machine->vm.fd = machine->kernel.fd = machine->initrd.fd = -1;
	status = build_and_run(machine, err);
	vcpu_group_stop(&machine->vcpus);
	machine_virtio_finish(machine->virtio);
	machine_console_finish(machine);
	console_destroy(machine->console);
	if (config->console == CONFIG_CONSOLE_TAIL && machine->command && shows_console(status))
		machine_command_show_console(machine->command);
	if (config->timing)
		report_timeline(machine);
	machine_control_ended(machine, status, err);
	destroy_devices(machine);
	destroy_guest(machine);
	lifecycle_fini(machine);
	fd_close(&machine->kvm_fd);
	image_close(&machine->initrd);
	image_close(&machine->kernel);
	machine_command_destroy(machine->command);
	free(machine->command_line);
	free(machine);
	return status;
}
