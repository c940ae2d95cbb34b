/* See pit.h. Intel 8254 data sheet "Programming"; KVM API 4.71, 4.72 (KVM_GET_PIT2, KVM_SET_PIT2).
 */
#include "pit.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#define PORT_CONTROL   3
#define CONTROL_ACCESS 0x30 /* 0: a latch command, which programs nothing */

/* The kernel's names for how the next byte of a count is taken (struct kvm_pit_channel_state). */
enum access_state { ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_WORD_LOW = 3, ACCESS_WORD_HIGH = 4 };

void pit_init(struct pit *pit, const int *vm_fd)
{
	*pit = (struct pit){.vm_fd = vm_fd};
	(void)pthread_mutex_init(&pit->lock, NULL);
}

void pit_fini(struct pit *pit)
{
	(void)pthread_mutex_destroy(&pit->lock);
}

void pit_reset(struct pit *pit)
{
	pit->created = false;
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		pit->control[i] = 0;
}

/* Lock held. KVM has checked that it can, at start-up; a failure leaves the ports unclaimed. */
static void create(struct pit *pit)
{
	const struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (!pit->created)
		pit->created = ioctl(*pit->vm_fd, KVM_CREATE_PIT2, &config) == 0;
}

static void apply_control(struct kvm_pit_channel_state *channel, uint8_t control)
{
	channel->rw_mode = channel->read_state = channel->write_state = control >> 4 & 3;
	channel->mode = control >> 1 & 7;
	channel->bcd = control & 1;
}

static void apply_count(struct kvm_pit_channel_state *channel, uint8_t value)
{
	switch (channel->write_state) {
	case ACCESS_HIGH:
		channel->count = (uint32_t)value << 8;
		break;
	case ACCESS_WORD_LOW:
		channel->write_latch = value;
		channel->write_state = ACCESS_WORD_HIGH;
		return;
	case ACCESS_WORD_HIGH:
		channel->count = channel->write_latch | (uint32_t)value << 8;
		channel->write_state = ACCESS_WORD_LOW;
		break;
	default:
		channel->count = value;
		break;
	}
	if (channel->count == 0)
		channel->count = 0x10000;
}

/* Lock held. What the guest has said so far goes into the timer that now exists. */
static void replay(struct pit *pit, unsigned int port, uint8_t value)
{
	struct kvm_pit_state2 state;

	create(pit);
	if (ioctl(*pit->vm_fd, KVM_GET_PIT2, &state) < 0)
		return;
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		if (pit->control[i])
			apply_control(&state.channels[i], pit->control[i]);
		pit->control[i] = 0;
	}
	if (port < PIT_CHANNELS)
		apply_count(&state.channels[port], value);
	(void)ioctl(*pit->vm_fd, KVM_SET_PIT2, &state);
}

static void pit_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pit *pit = device;
	uint8_t byte = (uint8_t)value;

	(void)size;
	(void)pthread_mutex_lock(&pit->lock);
	if (offset != PORT_CONTROL)
		replay(pit, (unsigned int)offset, byte);
	else if (byte >> 6 < PIT_CHANNELS && byte & CONTROL_ACCESS)
		pit->control[byte >> 6] = byte;
	if (pit->created && offset == PORT_CONTROL)
		replay(pit, PORT_CONTROL, byte);
	(void)pthread_mutex_unlock(&pit->lock);
}

/* A counter that was never loaded reads as anything; the next read is KVM's. */
static uint64_t pit_read(void *device, uint64_t offset, unsigned int size)
{
	struct pit *pit = device;

	(void)offset;
	(void)size;
	(void)pthread_mutex_lock(&pit->lock);
	replay(pit, PORT_CONTROL, 0);
	(void)pthread_mutex_unlock(&pit->lock);
	return 0;
}

/* Port 0x61: gate and output of channel 2. Bit 0 is the gate, which is only told to the timer. */
static void speaker_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pit *pit = device;
	struct kvm_pit_state2 state;

	(void)offset;
	(void)size;
	(void)pthread_mutex_lock(&pit->lock);
	replay(pit, PORT_CONTROL, 0);
	if (ioctl(*pit->vm_fd, KVM_GET_PIT2, &state) == 0) {
		state.channels[2].gate = value & 1;
		(void)ioctl(*pit->vm_fd, KVM_SET_PIT2, &state);
	}
	(void)pthread_mutex_unlock(&pit->lock);
}

const struct bus_ops pit_bus_ops = {.read = pit_read, .write = pit_write};
const struct bus_ops pit_speaker_bus_ops = {.read = pit_read, .write = speaker_write};
