/*
 * A virtio console as a terminal (VIRTIO 1.2 5.3): emergency writes before the device has been
 * touched, the terminal's size at first and whenever it changes.
 *
 *     multiport              by control messages instead of the configuration space
 *     sizes=N                how many sizes to report, default 2
 *
 *     terminal: size C R     on the serial console; "terminal: early" and "terminal: live" on the
 *                            virtio console, by emergency writes
 */
#include "board.h"
#include "check.h"
#include "console.h"
#include "devices.h"
#include "mmio.h"
#include "vring.h"
#include "words.h"

#define F_SIZE        FEATURE(0)
#define F_MULTIPORT   FEATURE(1)
#define F_EMERG_WRITE FEATURE(2)

/* 5.3.4 */
#define CONFIG_COLS     0
#define CONFIG_ROWS     2
#define CONFIG_EMERG_WR 8

/* 5.3.6.2 */
#define DEVICE_READY 0
#define DEVICE_ADD   1
#define PORT_READY   3
#define RESIZE       5

#define CONTROL_IN    2
#define CONTROL_OUT   3
#define BUFFERS       8
#define MESSAGE_BYTES 64

struct message {
	uint32_t id;
	uint16_t event, value;
	uint16_t columns, rows; /* of RESIZE */
};

const char check_guest_name[] = "terminal";

_Noreturn void guest_main(uint32_t entry, uint64_t information);

static struct virtio *device;
static struct vring in, out;
static uint64_t messages; /* BUFFERS that the device writes, one that it reads */

_Noreturn static void give_up(const char *why)
{
	console_print("terminal: %s\n", why);
	board_end(false);
}

static struct virtio *find(const char *line)
{
	unsigned int count = devices_find(line);

	for (unsigned int i = 0; i < count; i++)
		if (devices_get(i)->device_id == VIRTIO_CONSOLE)
			return devices_get(i);
	return NULL;
}

/* 5.3.4: in any state, whether or not the feature was accepted. */
static void write_emergency(const char *text)
{
	for (; *text; text++)
		mmio_write32(device->config + CONFIG_EMERG_WR, (uint8_t)*text);
}

static void report(uint16_t columns, uint16_t rows)
{
	console_print("terminal: size %u %u\n", columns, rows);
}

static void report_by_config(uint64_t count)
{
	uint64_t start = board_clock();

	virtio_driver_ok(device);
	write_emergency("terminal: live\r\n");
	for (;;) {
		report(mmio_read16(device->config + CONFIG_COLS),
			mmio_read16(device->config + CONFIG_ROWS));
		if (!--count)
			return;
		while (!(device->transport->interrupt_status(device) & ISR_CONFIGURATION))
			if (virtio_is_late(start))
				give_up("nothing changed");
	}
}

static void place(struct vring *ring, uint16_t queue)
{
	void *memory = board_take(VRING_BYTES, 4096);

	if (!memory)
		give_up("no memory");
	vring_place(ring, (uintptr_t)memory, queue, BUFFERS, false, false);
	vring_configure(ring, device);
	device->transport->enable(device, 1);
}

static void offer(uint16_t slot)
{
	const struct vring_buffer buffer = {
		messages + (uint64_t)slot * MESSAGE_BYTES, MESSAGE_BYTES, true};

	vring_add(&in, slot, &buffer, 1);
	virtio_notify(device, CONTROL_IN);
}

static void say(uint32_t id, uint16_t event)
{
	uint64_t address = messages + (uint64_t)BUFFERS * MESSAGE_BYTES;
	const struct vring_buffer buffer = {address, 8, false};
	uint64_t start = board_clock();
	uint32_t length;
	uint16_t slot;

	*(volatile struct message *)(uintptr_t)address = (struct message){id, event, 1, 0, 0};
	vring_add(&out, 0, &buffer, 1);
	virtio_notify(device, CONTROL_OUT);
	while (!vring_take_used(&out, &slot, &length))
		if (virtio_is_late(start))
			give_up("a control message was not taken");
}

static void report_by_messages(uint64_t count)
{
	uint64_t start = board_clock();
	uint32_t length;
	uint16_t slot;

	messages = (uintptr_t)board_take((BUFFERS + UINT64_C(1)) * MESSAGE_BYTES, 64);
	if (!messages)
		give_up("no memory");
	place(&in, CONTROL_IN);
	place(&out, CONTROL_OUT);
	virtio_driver_ok(device);
	write_emergency("terminal: live\r\n");
	for (uint16_t i = 0; i < BUFFERS; i++)
		offer(i);
	say(0, DEVICE_READY);
	while (count) {
		volatile const struct message *message;

		if (!vring_take_used(&in, &slot, &length)) {
			if (virtio_is_late(start))
				give_up("nothing changed");
			continue;
		}
		message = (volatile const struct message *)(uintptr_t)(messages +
								       (uint64_t)slot *
									       MESSAGE_BYTES);
		if (message->event == DEVICE_ADD)
			say(message->id, PORT_READY);
		if (message->event == RESIZE && length == sizeof(*message)) {
			report(message->columns, message->rows);
			count--;
		}
		offer(slot);
	}
}

_Noreturn void guest_main(uint32_t entry, uint64_t information)
{
	const char *line = board_start(entry, information);
	uint64_t count = words_number(line, "sizes", 2);
	bool multiport = words_has(line, "multiport");

	virtio_set_patience(words_number(line, "patience", 60));
	device = find(line);
	if (!device)
		give_up("no console");
	write_emergency("terminal: early\r\n");
	if (!(virtio_offered(device) & F_EMERG_WRITE) ||
		!virtio_negotiate(device, multiport ? F_MULTIPORT : F_SIZE) ||
		!(device->accepted & (multiport ? F_MULTIPORT : F_SIZE)))
		give_up("the features are not there");
	if (multiport)
		report_by_messages(count);
	else
		report_by_config(count);
	board_end(true);
}
