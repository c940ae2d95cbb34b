/*
 * i8042 keyboard controller, IBM PS/2 Hardware Interface Technical Reference "Keyboard/Auxiliary
 * Device Controller". See i8042.h.
 *
 * The controller passes its self-test; both of its device interfaces say that they are broken, and
 * every byte meant for a device is answered with "resend" and a time-out, as real controllers do
 * when nothing is plugged in. Commands complete at once, so the input buffer is always empty. A20
 * is always open: what guests write about it is forgotten.
 */
#include "i8042.h"

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM      0x04
#define STATUS_COMMAND     0x08
#define STATUS_UNLOCKED    0x10
#define STATUS_AUXILIARY   0x20
#define STATUS_TIMEOUT     0x40

#define CONFIGURATION_KEYBOARD_IRQ       0x01
#define CONFIGURATION_SYSTEM             0x04
#define CONFIGURATION_KEYBOARD_DISABLED  0x10
#define CONFIGURATION_AUXILIARY_DISABLED 0x20 /* stuck: that there is one is never claimed */
#define CONFIGURATION_TRANSLATE          0x40
#define CONFIGURATION_RESET \
	(CONFIGURATION_SYSTEM | CONFIGURATION_AUXILIARY_DISABLED | CONFIGURATION_TRANSLATE)

#define COMMAND_READ_CONFIGURATION  0x20 /* to 0x3f: the controller's memory; this is its first */
#define COMMAND_WRITE_CONFIGURATION 0x60 /* to 0x7f */
#define COMMAND_AUXILIARY_TEST      0xa9
#define COMMAND_SELF_TEST           0xaa
#define COMMAND_KEYBOARD_TEST       0xab
#define COMMAND_KEYBOARD_DISABLE    0xad
#define COMMAND_KEYBOARD_ENABLE     0xae
#define COMMAND_READ_INPUT_PORT     0xc0
#define COMMAND_READ_OUTPUT_PORT    0xd0
#define COMMAND_WRITE_OUTPUT_PORT   0xd1
#define COMMAND_KEYBOARD_LOOP       0xd2
#define COMMAND_AUXILIARY_LOOP      0xd3
#define COMMAND_AUXILIARY_WRITE     0xd4
#define COMMAND_PULSE               0xf0 /* to 0xff: pulls each line whose bit is 0 */

#define OUTPUT_PORT_NOT_RESET 0x01 /* bit 0 of the output port and of COMMAND_PULSE */

#define REPLY_SELF_TEST_PASSED 0x55
#define REPLY_CLOCK_STUCK_LOW  0x01
#define REPLY_INPUT_PORT       0x80 /* not locked */
#define REPLY_OUTPUT_PORT      0xcf /* not in reset, A20 open */
#define REPLY_RESEND           0xfe

static void settle_irq(struct i8042 *i8042)
{
	bool level = i8042->output_status && !(i8042->output_status & STATUS_AUXILIARY) &&
	             (i8042->configuration & CONFIGURATION_KEYBOARD_IRQ);

	if (level == i8042->irq_level)
		return;
	i8042->irq_level = level;
	irq_set_level(&i8042->options.keyboard_irq, level);
}

/* A byte that was not fetched is lost: the buffer holds one. */
static void reply(struct i8042 *i8042, uint8_t byte, uint8_t status)
{
	i8042->output = byte;
	i8042->output_status = STATUS_OUTPUT_FULL | status;
}

static void set_power_on_state(struct i8042 *i8042)
{
	i8042->configuration = CONFIGURATION_RESET;
	i8042->pending_command = 0;
	i8042->output_status = 0;
	i8042->last_was_command = false;
}

/* True when the command resets the machine. */
static bool run_command(struct i8042 *i8042, uint8_t command)
{
	i8042->pending_command = 0;
	if (command >= COMMAND_PULSE)
		return !(command & OUTPUT_PORT_NOT_RESET);
	switch (command) {
	case COMMAND_READ_CONFIGURATION:
		reply(i8042, i8042->configuration, 0);
		break;
	case COMMAND_AUXILIARY_TEST:
	case COMMAND_KEYBOARD_TEST:
		reply(i8042, REPLY_CLOCK_STUCK_LOW, 0);
		break;
	case COMMAND_SELF_TEST:
		set_power_on_state(i8042);
		reply(i8042, REPLY_SELF_TEST_PASSED, 0);
		break;
	case COMMAND_KEYBOARD_DISABLE:
		i8042->configuration |= CONFIGURATION_KEYBOARD_DISABLED;
		break;
	case COMMAND_KEYBOARD_ENABLE:
		i8042->configuration &= (uint8_t)~CONFIGURATION_KEYBOARD_DISABLED;
		break;
	case COMMAND_READ_INPUT_PORT:
		reply(i8042, REPLY_INPUT_PORT, 0);
		break;
	case COMMAND_READ_OUTPUT_PORT:
		reply(i8042, REPLY_OUTPUT_PORT, 0);
		break;
	case COMMAND_WRITE_CONFIGURATION ... COMMAND_WRITE_CONFIGURATION + 0x1f:
	case COMMAND_WRITE_OUTPUT_PORT ... COMMAND_AUXILIARY_WRITE:
		i8042->pending_command = command;
		break;
	default:
		break;
	}
	return false;
}

/* True when the byte resets the machine. */
static bool take_data(struct i8042 *i8042, uint8_t byte)
{
	uint8_t command = i8042->pending_command;

	i8042->pending_command = 0;
	switch (command) {
	case COMMAND_WRITE_CONFIGURATION:
		i8042->configuration = byte | CONFIGURATION_AUXILIARY_DISABLED;
		break;
	case COMMAND_WRITE_CONFIGURATION + 1 ... COMMAND_WRITE_CONFIGURATION + 0x1f:
		break;
	case COMMAND_WRITE_OUTPUT_PORT:
		return !(byte & OUTPUT_PORT_NOT_RESET);
	case COMMAND_KEYBOARD_LOOP:
	case COMMAND_AUXILIARY_LOOP: /* without STATUS_AUXILIARY: Linux stops looking for a mouse */
		reply(i8042, byte, 0);
		break;
	case COMMAND_AUXILIARY_WRITE:
		reply(i8042, REPLY_RESEND, STATUS_AUXILIARY | STATUS_TIMEOUT);
		break;
	default:
		reply(i8042, REPLY_RESEND, STATUS_TIMEOUT);
		break;
	}
	return false;
}

static void write_port(struct i8042 *i8042, uint8_t byte, bool is_command)
{
	bool resets;

	pthread_mutex_lock(&i8042->lock);
	resets = is_command ? run_command(i8042, byte) : take_data(i8042, byte);
	i8042->last_was_command = is_command;
	settle_irq(i8042);
	pthread_mutex_unlock(&i8042->lock);
	if (resets)
		guest_end_report(&i8042->options.end, GUEST_END_RESET, 0);
}

static uint64_t i8042_data_read(void *device, uint64_t offset, unsigned int size)
{
	struct i8042 *i8042 = device;
	uint8_t byte;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&i8042->lock);
	byte = i8042->output;
	i8042->output_status = 0;
	settle_irq(i8042);
	pthread_mutex_unlock(&i8042->lock);
	return byte;
}

static uint64_t i8042_status_read(void *device, uint64_t offset, unsigned int size)
{
	struct i8042 *i8042 = device;
	unsigned int status = STATUS_UNLOCKED;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&i8042->lock);
	status |= i8042->output_status;
	status |= i8042->configuration & CONFIGURATION_SYSTEM ? STATUS_SYSTEM : 0;
	status |= i8042->last_was_command ? STATUS_COMMAND : 0;
	pthread_mutex_unlock(&i8042->lock);
	return status;
}

static void i8042_data_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	(void)offset;
	(void)size;
	write_port(device, (uint8_t)value, false);
}

static void i8042_command_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	(void)offset;
	(void)size;
	write_port(device, (uint8_t)value, true);
}

const struct bus_ops i8042_data_bus_ops = {i8042_data_read, i8042_data_write};
const struct bus_ops i8042_command_bus_ops = {i8042_status_read, i8042_command_write};

void i8042_init(struct i8042 *i8042, const struct i8042_options *options)
{
	*i8042 = (struct i8042){.options = *options};
	(void)pthread_mutex_init(&i8042->lock, NULL); /* cannot fail without attributes */
	set_power_on_state(i8042);
}

void i8042_fini(struct i8042 *i8042)
{
	(void)pthread_mutex_destroy(&i8042->lock);
}

void i8042_reset(struct i8042 *i8042)
{
	pthread_mutex_lock(&i8042->lock);
	set_power_on_state(i8042);
	settle_irq(i8042);
	pthread_mutex_unlock(&i8042->lock);
}
