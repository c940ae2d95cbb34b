/*
 * The chips of the board. Which of them there are, and where, is the architecture's to say
 * (arch_board_device); how each is wired to the machine is here, one row a chip.
 */
#include "clock.h"
#include "machine_internal.h"

int machine_attach(struct bus *bus, const char *name, uint64_t base, uint64_t size,
	const struct bus_ops *ops, void *device, struct err *err)
{
	return bus_attach(bus,
		&(struct bus_range){
			.base = base, .size = size, .ops = ops, .device = device, .name = name},
		err);
}

/* Gives a chip all of its place on the bus that it is on. */
static int attach_at(struct machine *machine, const struct board_device *at, const char *name,
	const struct bus_ops *ops, void *device, struct err *err)
{
	return machine_attach(at->has_ports ? &machine->pio : &machine->mmio, name, at->base,
		at->size, ops, device, err);
}

static int create_uart(struct machine *machine, const struct board_device *at, struct err *err)
{
	const struct irq irq = vm_connect_irq(&machine->vm, at->irq);
	const struct console_port port = machine_console_port(machine);
	int r = ns16550_create(&irq, &port, &machine->uart, err);

	return r < 0 ? r : attach_at(machine, at, "uart", &ns16550_bus_ops, machine->uart, err);
}

static void reset_uart(struct machine *machine)
{
	ns16550_reset(machine->uart);
}

static void destroy_uart(struct machine *machine)
{
	ns16550_destroy(machine->uart);
}

static int create_i8042(struct machine *machine, const struct board_device *at, struct err *err)
{
	int r;

	i8042_init(&machine->i8042, &(struct i8042_options){
					    .keyboard_irq = vm_connect_irq(&machine->vm, at->irq),
					    .end = lifecycle_guest_end_sink(machine),
				    });
	r = machine_attach(
		&machine->pio, "i8042", at->base, 1, &i8042_data_bus_ops, &machine->i8042, err);
	if (r < 0)
		return r;
	return machine_attach(&machine->pio, "i8042", at->base + 4, 1, &i8042_command_bus_ops,
		&machine->i8042, err);
}

static void reset_i8042(struct machine *machine)
{
	i8042_reset(&machine->i8042);
}

static void destroy_i8042(struct machine *machine)
{
	i8042_fini(&machine->i8042);
}

static void rtc_cmos_expired(void *owner)
{
	struct machine *machine = owner;

	rtc_cmos_tick(&machine->rtc);
}

static int create_rtc_cmos(struct machine *machine, const struct board_device *at, struct err *err)
{
	const uint64_t low_bytes = machine->gmem.regions[0].size_bytes;
	int r = loop_timer_init(
		&machine->rtc_timer, &machine->loop, rtc_cmos_expired, machine, err);

	rtc_cmos_init(&machine->rtc,
		&(struct rtc_cmos_options){
			.irq = vm_connect_irq(&machine->vm, at->irq),
			.timer = loop_timer_for_device(&machine->rtc_timer),
			.low_ram_bytes = low_bytes,
			.high_ram_bytes = gmem_size_bytes(&machine->gmem) - low_bytes,
			.read_clock = clock_ns,
		});
	return r < 0 ? r : attach_at(machine, at, "rtc", &rtc_cmos_bus_ops, &machine->rtc, err);
}

static void reset_rtc_cmos(struct machine *machine)
{
	rtc_cmos_reset(&machine->rtc);
}

static void destroy_rtc_cmos(struct machine *machine)
{
	rtc_cmos_fini(&machine->rtc);
	loop_timer_fini(&machine->rtc_timer);
}

static void pl031_expired(void *owner)
{
	struct machine *machine = owner;

	pl031_tick(&machine->pl031);
}

static int create_pl031(struct machine *machine, const struct board_device *at, struct err *err)
{
	int r = loop_timer_init(&machine->rtc_timer, &machine->loop, pl031_expired, machine, err);

	pl031_init(&machine->pl031, &(struct pl031_options){
					    .irq = vm_connect_irq(&machine->vm, at->irq),
					    .timer = loop_timer_for_device(&machine->rtc_timer),
					    .read_clock = clock_ns,
				    });
	return r < 0 ? r : attach_at(machine, at, "rtc", &pl031_bus_ops, &machine->pl031, err);
}

static void reset_pl031(struct machine *machine)
{
	pl031_reset(&machine->pl031);
}

static void destroy_pl031(struct machine *machine)
{
	pl031_fini(&machine->pl031);
	loop_timer_fini(&machine->rtc_timer);
}

static void pl061_expired(void *owner)
{
	struct machine *machine = owner;

	pl061_tick(&machine->pl061);
}

static int create_pl061(struct machine *machine, const struct board_device *at, struct err *err)
{
	int r = loop_timer_init(&machine->power_timer, &machine->loop, pl061_expired, machine, err);

	pl061_init(&machine->pl061, &(struct pl061_options){
					    .irq = vm_connect_irq(&machine->vm, at->irq),
					    .key_line = BOARD_POWER_KEY_LINE,
					    .timer = loop_timer_for_device(&machine->power_timer),
					    .read_clock = clock_ns,
				    });
	return r < 0 ? r : attach_at(machine, at, "gpio", &pl061_bus_ops, &machine->pl061, err);
}

static void reset_pl061(struct machine *machine)
{
	pl061_reset(&machine->pl061);
}

static void destroy_pl061(struct machine *machine)
{
	pl061_fini(&machine->pl061);
	loop_timer_fini(&machine->power_timer);
}

static int create_pvpanic(struct machine *machine, const struct board_device *at, struct err *err)
{
	machine->pvpanic = (struct pvpanic){.end = lifecycle_guest_end_sink(machine)};
	return attach_at(machine, at, "pvpanic", &pvpanic_bus_ops, &machine->pvpanic, err);
}

static void power_expired(void *owner)
{
	struct machine *machine = owner;

	acpi_pm_tick(&machine->power);
}

static int create_power(struct machine *machine, const struct board_device *at, struct err *err)
{
	int r = loop_timer_init(&machine->power_timer, &machine->loop, power_expired, machine, err);

	acpi_pm_init(&machine->power, &(struct acpi_pm_options){
					      .sci = vm_connect_irq(&machine->vm, at->irq),
					      .timer = loop_timer_for_device(&machine->power_timer),
					      .end = lifecycle_guest_end_sink(machine),
					      .read_clock = clock_ns,
				      });
	return r < 0 ? r : attach_at(machine, at, "power", &acpi_pm_bus_ops, &machine->power, err);
}

static void reset_power(struct machine *machine)
{
	acpi_pm_reset(&machine->power);
}

static void destroy_power(struct machine *machine)
{
	acpi_pm_fini(&machine->power);
	loop_timer_fini(&machine->power_timer);
}

static int create_debug_exit(
	struct machine *machine, const struct board_device *at, struct err *err)
{
	machine->debug_exit = (struct debug_exit){.end = lifecycle_guest_end_sink(machine)};
	return attach_at(machine, at, "debug-exit", &debug_exit_bus_ops, &machine->debug_exit, err);
}

struct chip {
	enum board_device_kind kind;
	int (*create)(struct machine *machine, const struct board_device *at, struct err *err);
	void (*reset)(struct machine *machine); /* NULL: it has no state */
	void (*destroy)(struct machine *machine);
};

/* In the order in which the guest's description lists them. */
static const struct chip chips[] = {
	{BOARD_UART_16550, create_uart, reset_uart, destroy_uart},
	{BOARD_I8042, create_i8042, reset_i8042, destroy_i8042},
	{BOARD_RTC_CMOS, create_rtc_cmos, reset_rtc_cmos, destroy_rtc_cmos},
	{BOARD_RTC_PL031, create_pl031, reset_pl031, destroy_pl031},
	{BOARD_GPIO_PL061, create_pl061, reset_pl061, destroy_pl061},
	{BOARD_PVPANIC, create_pvpanic, NULL, NULL},
	{BOARD_POWER, create_power, reset_power, destroy_power},
	{BOARD_DEBUG_EXIT, create_debug_exit, NULL, NULL},
};

static bool is_wanted(const struct machine *machine, enum board_device_kind kind)
{
	if (kind == BOARD_UART_16550)
		return machine->config->console != CONFIG_CONSOLE_NULL;
	return kind != BOARD_DEBUG_EXIT || machine->config->debug_exit;
}

static bool is_there(const struct machine *machine, enum board_device_kind kind)
{
	return machine->chips & 1u << kind;
}

int machine_chips_create(struct machine *machine, struct err *err)
{
	struct board *board = &machine->board;

	for (size_t i = 0; i < array_size(chips); i++) {
		const struct board_device at = arch_board_device(chips[i].kind);
		int r;

		if (!at.size || !is_wanted(machine, chips[i].kind))
			continue;
		board->devices[board->device_count++] = at;
		machine->chips |= 1u << chips[i].kind;
		r = chips[i].create(machine, &at, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void machine_chips_destroy(struct machine *machine)
{
	for (size_t i = array_size(chips); i > 0; i--)
		if (chips[i - 1].destroy && is_there(machine, chips[i - 1].kind))
			chips[i - 1].destroy(machine);
}

void machine_chips_reset(struct machine *machine)
{
	for (size_t i = 0; i < array_size(chips); i++)
		if (chips[i].reset && is_there(machine, chips[i].kind))
			chips[i].reset(machine);
}

bool machine_press_power_button(struct machine *machine)
{
	if (is_there(machine, BOARD_POWER) && acpi_pm_power_button_is_enabled(&machine->power)) {
		acpi_pm_press_power_button(&machine->power);
		return true;
	}
	if (is_there(machine, BOARD_GPIO_PL061) && pl061_power_key_is_enabled(&machine->pl061)) {
		pl061_press_power_key(&machine->pl061);
		return true;
	}
	return false;
}
