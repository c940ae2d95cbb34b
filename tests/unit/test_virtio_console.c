/*
 * The driver's side is written down from VIRTIO 1.2 5.3 and from what Linux's virtio_console does,
 * not from the device's headers.
 */
#include "fake_virtio_host.h"
#include "virtio_console.h"

#define F_SIZE      (1U << 0)
#define F_MULTIPORT (1U << 1)
#define F_EMERG     (1U << 2)

enum { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, NAME };

#define BAD_ID UINT32_MAX

struct fake_host {
	uint8_t *bytes;
	size_t count;
	size_t limit; /* congested from here on */
	unsigned int resumes;
};

struct fixture {
	struct io_thread io;
	struct virtio_console *console;
	struct virtio_device *device;
	struct fake_host hosts[31];
};

static size_t host_write(void *opaque, const void *bytes, size_t length)
{
	struct fake_host *host = opaque;

	host->bytes = realloc(host->bytes, host->count + length);
	assert_non_null(host->bytes);
	memcpy(host->bytes + host->count, bytes, length);
	host->count += length;
	return length;
}

static bool host_is_congested(void *opaque)
{
	const struct fake_host *host = opaque;

	return host->count >= host->limit;
}

static void host_resume_input(void *opaque)
{
	((struct fake_host *)opaque)->resumes++;
}

static const struct console_port_ops host_ops = {host_write, host_is_congested, host_resume_input};

static const struct virtio_console_port_options plain_port[] = {{.is_console = true}};
static const struct virtio_console_port_options three_ports[] = {
	{.is_console = true},
	{.name = "org.hull.agent"},
	{.name = "log", .is_console = true},
};

static void make(struct fixture *fixture, const struct virtio_console_port_options *ports,
	unsigned int port_count)
{
	struct virtio_console_port_options with_hosts[31];
	const struct virtio_console_options options = {
		.name = "console",
		.io_thread = &fixture->io,
		.ports = with_hosts,
		.port_count = port_count,
	};

	*fixture = (struct fixture){.io.room = UINT32_MAX};
	for (unsigned int i = 0; i < port_count; i++) {
		with_hosts[i] = ports[i];
		fixture->hosts[i].limit = SIZE_MAX;
		with_hosts[i].host = (struct console_port){&host_ops, &fixture->hosts[i]};
	}
	assert_int_equal(virtio_console_create(&options, &fixture->console, NULL), 0);
	fixture->device = virtio_console_device(fixture->console);
	assert_int_equal(fixture->device->device_id, 3);
}

static void finish(struct fixture *fixture)
{
	fixture->device->ops->destroy(fixture->device);
	for (size_t i = 0; i < array_size(fixture->hosts); i++)
		free(fixture->hosts[i].bytes);
}

static struct virtio_console_port *port(struct fixture *fixture, unsigned int index)
{
	return virtio_console_port(fixture->console, index);
}

static void connect_host(struct fixture *fixture, unsigned int index, bool connected)
{
	virtio_console_connected(port(fixture, index), connected);
	fake_settle(&fixture->io);
}

/* --- The driver. --- */

/* Table of 5.3.2. */
static unsigned int rx_queue(unsigned int index)
{
	static const unsigned int queues[] = {0, 4, 6};

	return queues[index];
}

static unsigned int tx_queue(unsigned int index)
{
	static const unsigned int queues[] = {1, 5, 7};

	return queues[index];
}

static void control_buffers(struct fixture *fixture, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		fake_offer(fixture->device, 2, NULL, 0, 4096);
	fake_notify(fixture->device, 2);
	fake_settle(&fixture->io);
}

static void say(struct fixture *fixture, uint32_t id, uint16_t event, uint16_t value)
{
	uint8_t message[8];

	memcpy(message, &id, 4);
	memcpy(message + 4, &event, 2);
	memcpy(message + 6, &value, 2);
	fake_offer(fixture->device, 3, message, sizeof(message), 0);
	fake_notify(fixture->device, 3);
	fake_settle(&fixture->io);
	assert_int_equal(fake_take(fixture->device, 3)->chain.written_bytes, 0);
}

/* The next control message, whole; its buffer is offered again. */
static void hear_bytes(struct fixture *fixture, uint32_t id, uint16_t event, uint16_t value,
	const void *payload, size_t payload_bytes)
{
	const struct fake_chain *chain = fake_take(fixture->device, 2);
	uint8_t message[8];

	memcpy(message, &id, 4);
	memcpy(message + 4, &event, 2);
	memcpy(message + 6, &value, 2);
	assert_int_equal(chain->chain.written_bytes, sizeof(message) + payload_bytes);
	assert_memory_equal(chain->writable, message, sizeof(message));
	if (payload_bytes)
		assert_memory_equal(chain->writable + 8, payload, payload_bytes);
	control_buffers(fixture, 1);
}

static void hear(struct fixture *fixture, uint32_t id, uint16_t event, uint16_t value)
{
	hear_bytes(fixture, id, event, value, NULL, 0);
}

static void hear_nothing(struct fixture *fixture)
{
	assert_int_equal(fake_used_count(fixture->device, 2), 0);
}

static void input_buffers(
	struct fixture *fixture, unsigned int index, unsigned int count, size_t size)
{
	for (unsigned int i = 0; i < count; i++)
		fake_offer(fixture->device, rx_queue(index), NULL, 0, size);
	fake_notify(fixture->device, rx_queue(index));
	fake_settle(&fixture->io);
}

static void send_output(struct fixture *fixture, unsigned int index, const void *bytes, size_t size)
{
	fake_offer(fixture->device, tx_queue(index), bytes, size, 0);
	fake_notify(fixture->device, tx_queue(index));
	fake_settle(&fixture->io);
}

static size_t receive(struct fixture *fixture, unsigned int index, const void *bytes, size_t size)
{
	size_t count = virtio_console_receive(port(fixture, index), bytes, size);

	fake_settle(&fixture->io);
	return count;
}

static void expect_input(struct fixture *fixture, unsigned int index, const char *text)
{
	const struct fake_chain *chain = fake_take(fixture->device, rx_queue(index));

	assert_int_equal(chain->chain.written_bytes, strlen(text));
	assert_memory_equal(chain->writable, text, strlen(text));
}

static void expect_host(struct fixture *fixture, unsigned int index, const char *text)
{
	assert_int_equal(fixture->hosts[index].count, strlen(text));
	if (*text)
		assert_memory_equal(fixture->hosts[index].bytes, text, strlen(text));
	fixture->hosts[index].count = 0;
}

/* As Linux does it, up to and with a user of every port. */
static void probe_three(struct fixture *fixture)
{
	make(fixture, three_ports, 3);
	for (unsigned int i = 0; i < 3; i++)
		connect_host(fixture, i, i != 1);
	virtio_console_resize(port(fixture, 0), 80, 24);
	fake_activate(fixture->device, F_SIZE | F_MULTIPORT);
	control_buffers(fixture, 4); /* fewer than there will be messages */
	hear_nothing(fixture);
	say(fixture, BAD_ID, DEVICE_READY, 1);
	for (uint32_t i = 0; i < 3; i++)
		hear(fixture, i, DEVICE_ADD, 1);
	hear_nothing(fixture);
	for (uint32_t i = 0; i < 3; i++) {
		input_buffers(fixture, i, 2, 64);
		say(fixture, i, PORT_READY, 1);
	}
	hear(fixture, 0, CONSOLE_PORT, 1);
	hear_bytes(fixture, 0, RESIZE, 1, "\x50\0\x18\0", 4); /* columns, rows */
	hear(fixture, 0, PORT_OPEN, 1);
	hear_bytes(fixture, 1, NAME, 1, "org.hull.agent", 14);
	hear(fixture, 2, CONSOLE_PORT, 1);
	hear_bytes(fixture, 2, NAME, 1, "log", 3);
	hear(fixture, 2, PORT_OPEN, 1);
	hear_nothing(fixture);
	for (uint32_t i = 0; i < 3; i++)
		say(fixture, i, PORT_OPEN, 1);
	hear_nothing(fixture);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(fixture->hosts[i].resumes, 1);
}

/* --- Tests. --- */

static void options_are_checked(void **state)
{
	static char long_name[129];
	struct virtio_console_port_options ports[32] = {{.name = NULL}};
	struct virtio_console_options options = {.name = "console", .ports = ports};
	struct virtio_console *console;
	struct err err = {0};

	(void)state;
	memset(long_name, 'n', 128);
	options.port_count = 0;
	assert_int_equal(virtio_console_create(&options, &console, &err), -EINVAL);
	options.port_count = 32;
	assert_int_equal(virtio_console_create(&options, &console, &err), -EINVAL);
	options.port_count = 2;
	ports[1].name = "";
	assert_int_equal(virtio_console_create(&options, &console, &err), -EINVAL);
	ports[1].name = long_name;
	assert_int_equal(virtio_console_create(&options, &console, &err), -EINVAL);
	assert_non_null(strstr(err.text, "port 1"));
}

static void plain_console(void **state)
{
	struct fixture fixture;
	uint32_t config[3];

	(void)state;
	make(&fixture, plain_port, 1);
	assert_int_equal(fixture.device->offered_features, F_SIZE | F_EMERG);
	assert_int_equal(fixture.device->queue_count, 2);
	assert_int_equal(fixture.device->config_bytes, 12);
	virtio_console_resize(port(&fixture, 0), 132, 43);
	assert_int_equal(fixture.io.config_changes, 1);
	virtio_console_resize(port(&fixture, 0), 132, 43);
	assert_int_equal(fixture.io.config_changes, 1);
	fixture.device->ops->read_config(fixture.device, 0, config, 12);
	assert_int_equal(config[0], 43 << 16 | 132);
	assert_int_equal(config[1], 1);
	assert_int_equal(config[2], 0);
	/* nobody there yet: the host waits */
	assert_int_equal(receive(&fixture, 0, "early", 5), 0);
	fake_activate(fixture.device, F_SIZE);
	assert_int_equal(fixture.hosts[0].resumes, 1);
	assert_int_equal(receive(&fixture, 0, "typed", 5), 5);
	assert_int_equal(fake_used_count(fixture.device, 0), 0);
	input_buffers(&fixture, 0, 3, 4);
	expect_input(&fixture, 0, "type");
	expect_input(&fixture, 0, "d");
	send_output(&fixture, 0, "login: ", 7);
	expect_host(&fixture, 0, "login: ");
	assert_int_equal(fake_take(fixture.device, 1)->chain.written_bytes, 0);
	finish(&fixture);
}

static void config_reads_of_every_shape(void **state)
{
	uint8_t whole[12];
	struct fixture fixture;

	(void)state;
	make(&fixture, three_ports, 3);
	assert_int_equal(fixture.device->offered_features, F_SIZE | F_MULTIPORT | F_EMERG);
	assert_int_equal(fixture.device->queue_count, 8);
	virtio_console_resize(port(&fixture, 0), 0x1234, 0x5678);
	fixture.device->ops->read_config(fixture.device, 0, whole, 12);
	assert_memory_equal(whole, "\x34\x12\x78\x56\3\0\0\0\0\0\0\0", 12);
	for (uint32_t offset = 0; offset < 12; offset++)
		for (uint32_t size = 0; size <= 12 - offset; size++) {
			uint8_t part[13];

			memset(part, 0xee, sizeof(part));
			fixture.device->ops->read_config(fixture.device, offset, part, size);
			assert_memory_equal(part, whole + offset, size);
			assert_int_equal(part[size], 0xee);
		}
	finish(&fixture);
}

static void emergency_writes(void **state)
{
	static const uint8_t four[] = {'!', 'x', 'x', 'x'};
	struct fixture fixture;

	(void)state;
	make(&fixture, plain_port, 1);
	/* at any time; one byte of whatever is written to the field, nothing elsewhere */
	fixture.device->ops->write_config(fixture.device, 8, "O", 1);
	fixture.device->ops->write_config(fixture.device, 8, "ops", 2);
	fixture.device->ops->write_config(fixture.device, 8, four, 4);
	for (uint32_t offset = 0; offset < 12; offset++)
		if (offset != 8)
			fixture.device->ops->write_config(fixture.device, offset, "y", 1);
	expect_host(&fixture, 0, ""); /* not on the vCPU's thread */
	fake_settle(&fixture.io);
	expect_host(&fixture, 0, "Oo!");
	/* flooded: late, not lost */
	fixture.io.room = 0;
	fixture.device->ops->write_config(fixture.device, 8, "a", 1);
	fixture.io.room = UINT32_MAX;
	fixture.device->ops->write_config(fixture.device, 8, "b", 1);
	fake_settle(&fixture.io);
	expect_host(&fixture, 0, "ab");
	for (unsigned int i = 0; i < 100000; i++)
		fixture.device->ops->write_config(fixture.device, 8, "z", 1);
	fake_settle(&fixture.io);
	assert_in_range(fixture.hosts[0].count, 1000, 100000);
	finish(&fixture);
}

static void linux_probes(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	send_output(&fixture, 1, "to the agent", 12);
	expect_host(&fixture, 1, "to the agent");
	send_output(&fixture, 2, "a line", 6);
	expect_host(&fixture, 2, "a line");
	expect_host(&fixture, 0, "");
	assert_int_equal(receive(&fixture, 2, "x", 1), 1);
	expect_input(&fixture, 2, "x");
	assert_int_equal(fixture.io.broken, 0);
	finish(&fixture);
}

/* A driver that does not know of ports has the first one. */
static void multiport_is_not_taken_up(void **state)
{
	struct fixture fixture;

	(void)state;
	make(&fixture, three_ports, 3);
	fake_activate(fixture.device, 0);
	input_buffers(&fixture, 0, 1, 8);
	assert_int_equal(receive(&fixture, 0, "hi", 2), 2);
	expect_input(&fixture, 0, "hi");
	send_output(&fixture, 0, "ho", 2);
	expect_host(&fixture, 0, "ho");
	assert_int_equal(receive(&fixture, 1, "hi", 2), 0);
	send_output(&fixture, 1, "nobody", 6);
	expect_host(&fixture, 1, "");
	fake_offer(fixture.device, 3, "\0\0\0\0\0\0\1\0", 8, 0);
	fake_notify(fixture.device, 3);
	control_buffers(&fixture, 2);
	hear_nothing(&fixture);
	finish(&fixture);
}

static void guest_opens_and_closes(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	say(&fixture, 2, PORT_OPEN, 0);
	assert_int_equal(receive(&fixture, 2, "abc", 3), 0);
	assert_int_equal(fake_used_count(fixture.device, rx_queue(2)), 0);
	say(&fixture, 2, PORT_OPEN, 1);
	assert_int_equal(fixture.hosts[2].resumes, 2);
	assert_int_equal(receive(&fixture, 2, "abc", 3), 3);
	expect_input(&fixture, 2, "abc");
	/* a port that failed in the guest is closed, too */
	say(&fixture, 2, PORT_READY, 0);
	assert_int_equal(receive(&fixture, 2, "abc", 3), 0);
	say(&fixture, 2, PORT_OPEN, 1);
	assert_int_equal(receive(&fixture, 2, "abc", 3), 0);
	hear_nothing(&fixture);
	finish(&fixture);
}

static void host_comes_and_goes(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	connect_host(&fixture, 1, true);
	hear(&fixture, 1, PORT_OPEN, 1);
	connect_host(&fixture, 1, true);
	hear_nothing(&fixture);
	assert_int_equal(receive(&fixture, 1, "first", 5), 5);
	expect_input(&fixture, 1, "first");
	connect_host(&fixture, 1, false);
	hear(&fixture, 1, PORT_OPEN, 0);
	hear_nothing(&fixture);
	finish(&fixture);
}

/* Bytes of one session, its end, the next one's beginning and its bytes: in that order, however
 * late the guest has buffers. */
static void sessions_keep_their_order(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	connect_host(&fixture, 1, true);
	hear(&fixture, 1, PORT_OPEN, 1);
	input_buffers(&fixture, 1, 0, 0);
	assert_int_equal(receive(&fixture, 1, "a", 1), 1); /* takes both buffers away */
	assert_int_equal(receive(&fixture, 1, "b", 1), 1);
	expect_input(&fixture, 1, "a");
	expect_input(&fixture, 1, "b");
	assert_int_equal(receive(&fixture, 1, "old", 3), 3);
	connect_host(&fixture, 1, false);
	connect_host(&fixture, 1, true);
	assert_int_equal(receive(&fixture, 1, "new", 3), 3);
	hear_nothing(&fixture);
	input_buffers(&fixture, 1, 1, 64);
	expect_input(&fixture, 1, "old");
	hear(&fixture, 1, PORT_OPEN, 0);
	hear(&fixture, 1, PORT_OPEN, 1);
	hear_nothing(&fixture);
	input_buffers(&fixture, 1, 1, 64);
	expect_input(&fixture, 1, "new");
	finish(&fixture);
}

/* Without buffers for messages, what happens meanwhile is not lost and does not pile up. */
static void messages_wait_for_buffers(void **state)
{
	struct fixture fixture;
	unsigned int heard = 0;

	(void)state;
	make(&fixture, three_ports, 3);
	fake_activate(fixture.device, F_SIZE | F_MULTIPORT);
	for (unsigned int i = 0; i < 1000; i++) {
		say(&fixture, 0, DEVICE_READY, 1);
		say(&fixture, i % 3, PORT_READY, 1);
		virtio_console_resize(port(&fixture, 0), (uint16_t)(100 + i), 50);
		connect_host(&fixture, 1, i % 2);
	}
	/* too small: back they go, empty */
	for (unsigned int i = 0; i < 100; i++)
		fake_offer(fixture.device, 2, NULL, 0, i % 8);
	fake_notify(fixture.device, 2);
	fake_settle(&fixture.io);
	assert_int_equal(fake_used_count(fixture.device, 2), 100);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(fake_take(fixture.device, 2)->chain.written_bytes, 0);
	control_buffers(&fixture, 50);
	heard = fake_used_count(fixture.device, 2);
	assert_in_range(heard, 8, 12);
	hear(&fixture, 0, DEVICE_ADD, 1);
	hear(&fixture, 0, CONSOLE_PORT, 1);
	hear_bytes(&fixture, 0, RESIZE, 1, "\x4b\x04\x32\0", 4); /* the latest */
	finish(&fixture);
}

static void size_changes(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	virtio_console_resize(port(&fixture, 0), 100, 30);
	fake_settle(&fixture.io);
	hear_bytes(&fixture, 0, RESIZE, 1, "\x64\0\x1e\0", 4);
	assert_int_equal(fixture.io.config_changes, 2);
	virtio_console_resize(port(&fixture, 2), 100, 30);
	fake_settle(&fixture.io);
	hear_bytes(&fixture, 2, RESIZE, 1, "\x64\0\x1e\0", 4);
	assert_int_equal(fixture.io.config_changes, 2);    /* it speaks of port 0 */
	virtio_console_resize(port(&fixture, 1), 100, 30); /* no console */
	fake_settle(&fixture.io);
	hear_nothing(&fixture);
	finish(&fixture);
}

static void ports_come_and_go(void **state)
{
	static const struct virtio_console_port_options ports[] = {
		{.is_console = true}, {.name = "later", .unplugged = true}};
	struct fixture fixture;
	struct console_port host = {&host_ops, &fixture.hosts[2]};

	(void)state;
	make(&fixture, ports, 2);
	fake_activate(fixture.device, F_MULTIPORT);
	control_buffers(&fixture, 8);
	say(&fixture, BAD_ID, DEVICE_READY, 1);
	hear(&fixture, 0, DEVICE_ADD, 1);
	hear_nothing(&fixture);
	say(&fixture, 1, PORT_READY, 1); /* there is none */
	hear_nothing(&fixture);

	fixture.hosts[2].limit = 5;
	virtio_console_plug(port(&fixture, 1), &host);
	fake_settle(&fixture.io);
	hear(&fixture, 1, DEVICE_ADD, 1);
	connect_host(&fixture, 1, true);
	say(&fixture, 1, PORT_READY, 1);
	hear_bytes(&fixture, 1, NAME, 1, "later", 5);
	hear(&fixture, 1, PORT_OPEN, 1);
	say(&fixture, 1, PORT_OPEN, 1);
	assert_int_equal(receive(&fixture, 1, "for the old port", 16), 16);
	send_output(&fixture, 1, "12345", 5);
	send_output(&fixture, 1, "held back", 9);
	expect_host(&fixture, 2, "12345");
	assert_int_equal(fake_used_count(fixture.device, tx_queue(1)), 1);

	/* gone: the held chain has gone back before the guest hears of it */
	fixture.hosts[2].limit = SIZE_MAX;
	virtio_console_unplug(port(&fixture, 1));
	assert_int_equal(fake_used_count(fixture.device, tx_queue(1)), 2);
	expect_host(&fixture, 2, "held back");
	fake_settle(&fixture.io);
	hear(&fixture, 1, DEVICE_REMOVE, 1);
	send_output(&fixture, 1, "nobody", 6);
	expect_host(&fixture, 2, "");
	assert_int_equal(fake_used_count(fixture.device, tx_queue(1)), 3);
	assert_int_equal(receive(&fixture, 1, "x", 1), 0);
	say(&fixture, 1, PORT_READY, 1);
	say(&fixture, 1, PORT_OPEN, 1);
	hear_nothing(&fixture);

	/* and back again, without what was left over */
	virtio_console_plug(port(&fixture, 1), &host);
	fake_settle(&fixture.io);
	hear(&fixture, 1, DEVICE_ADD, 1);
	say(&fixture, 1, PORT_READY, 1);
	hear_bytes(&fixture, 1, NAME, 1, "later", 5);
	hear_nothing(&fixture);
	connect_host(&fixture, 1, true);
	hear(&fixture, 1, PORT_OPEN, 1);
	say(&fixture, 1, PORT_OPEN, 1);
	input_buffers(&fixture, 1, 1, 64);
	assert_int_equal(receive(&fixture, 1, "anew", 4), 4);
	expect_input(&fixture, 1, "anew");
	finish(&fixture);
}

/* What changes back and forth before the guest has heard of it. */
static void plugging_while_the_guest_is_deaf(void **state)
{
	struct fixture fixture;
	struct console_port host = {&host_ops, &fixture.hosts[1]};

	(void)state;
	probe_three(&fixture);
	while (fake_queue(fixture.device, 2)->available_count >
		fake_queue(fixture.device, 2)->popped_count)
		connect_host(&fixture, 0, fake_used_count(fixture.device, 2) % 2);
	while (fake_used_count(fixture.device, 2))
		(void)fake_take(fixture.device, 2);
	virtio_console_unplug(port(&fixture, 1));
	virtio_console_plug(port(&fixture, 1), &host);
	virtio_console_unplug(port(&fixture, 2));
	virtio_console_plug(port(&fixture, 2), &host);
	virtio_console_unplug(port(&fixture, 2));
	control_buffers(&fixture, 20);
	hear(&fixture, 1, DEVICE_REMOVE, 1);
	hear(&fixture, 1, DEVICE_ADD, 1);
	hear(&fixture, 2, DEVICE_REMOVE, 1);
	hear_nothing(&fixture);
	finish(&fixture);
}

static void hostile_control_messages(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t length;
	} cases[] = {
		{"nothing at all", "", 0},
		{"one byte", "\0", 1},
		{"one byte short", "\0\0\0\0\0\0\0", 7},
		{"a port behind the last", "\3\0\0\0\3\0\1\0", 8},
		{"open behind the last", "\3\0\0\0\6\0\1\0", 8},
		{"the highest id", "\xff\xff\xff\xff\3\0\1\0", 8},
		{"an id that wraps to 0 in 8 bits", "\0\1\0\0\6\0\0\0", 8},
		{"an id that wraps to 0 in 16 bits", "\0\0\1\0\6\0\0\0", 8},
		{"a negative id", "\0\0\0\x80\6\0\0\0", 8},
		{"DEVICE_ADD from the driver", "\0\0\0\0\1\0\1\0", 8},
		{"DEVICE_REMOVE from the driver", "\0\0\0\0\2\0\1\0", 8},
		{"CONSOLE_PORT from the driver", "\0\0\0\0\4\0\1\0", 8},
		{"RESIZE from the driver", "\0\0\0\0\5\0\1\0\1\0\1\0", 12},
		{"PORT_NAME from the driver", "\0\0\0\0\7\0\1\0name", 12},
		{"an unknown event", "\0\0\0\0\x8\0\1\0", 8},
		{"the highest event", "\0\0\0\0\xff\xff\xff\xff", 8},
		{"DEVICE_READY in the high byte", "\0\0\0\0\0\1\1\0", 8},
	};
	static const uint8_t long_message[70000] = {0, 0, 0, 0, 8};
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	for (size_t i = 0; i < array_size(cases); i++) {
		fake_offer(fixture.device, 3, cases[i].bytes, cases[i].length, 0);
		fake_notify(fixture.device, 3);
		fake_settle(&fixture.io);
		if (fake_used_count(fixture.device, 2))
			fail_msg("%s: was answered", cases[i].name);
		if (receive(&fixture, 0, ".", 1) != 1)
			fail_msg("%s: closed port 0", cases[i].name);
		assert_int_equal(fake_take(fixture.device, 3)->chain.written_bytes, 0);
	}
	fake_offer(fixture.device, 3, long_message, sizeof(long_message), 0);
	fake_offer(fixture.device, 3, NULL, 0, 4096);       /* writable instead */
	fake_offer(fixture.device, 2, long_message, 64, 0); /* readable instead */
	fake_notify(fixture.device, 3);
	fake_settle(&fixture.io);
	assert_int_equal(fake_used_count(fixture.device, 3), 2);
	hear_nothing(&fixture);
	assert_int_equal(fixture.io.broken, 0);
	/* and it goes on as ever */
	say(&fixture, 1, PORT_OPEN, 0);
	connect_host(&fixture, 1, true);
	hear(&fixture, 1, PORT_OPEN, 1);
	finish(&fixture);
}

static void buffers_of_every_size(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 63, 64, 4095, 4096, 4097, 16383, 16384, 16385,
		65536, 262143, 262144, 262145, 1 << 20};
	uint8_t *bytes = malloc(1 << 20);
	struct fixture fixture;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < 1 << 20; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 13);
	probe_three(&fixture);
	for (size_t i = 0; i < array_size(sizes); i++) {
		send_output(&fixture, 2, bytes, sizes[i]);
		assert_int_equal(fake_take(fixture.device, tx_queue(2))->chain.written_bytes, 0);
		assert_int_equal(fixture.hosts[2].count, sizes[i]);
		assert_memory_equal(fixture.hosts[2].bytes, bytes, sizes[i]);
		fixture.hosts[2].count = 0;
	}
	/* to a queue for input that also has something to read, or no room */
	fake_offer(fixture.device, rx_queue(0), bytes, 100, 0);
	fake_offer(fixture.device, rx_queue(0), bytes, 100, 3);
	fake_offer(fixture.device, rx_queue(0), NULL, 0, 0);
	assert_int_equal(receive(&fixture, 0, bytes, 200), 200);
	/* 64 and 64 of the probe's, 0, 3, 0: the rest waits */
	assert_int_equal(fake_used_count(fixture.device, rx_queue(0)), 5);
	input_buffers(&fixture, 0, 1, 1 << 20);
	for (unsigned int i = 0; i < 5; i++)
		(void)fake_take(fixture.device, rx_queue(0));
	assert_int_equal(fake_take(fixture.device, rx_queue(0))->chain.written_bytes, 69);
	free(bytes);
	finish(&fixture);
}

static void congestion_loses_nothing(void **state)
{
	enum { COUNT = 3000, SIZE = 997 };
	uint8_t *all = malloc(COUNT * SIZE);
	struct fixture fixture;

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < COUNT * SIZE; i++)
		all[i] = (uint8_t)(i * 2246822519U >> 11);
	probe_three(&fixture);
	fixture.hosts[0].limit = 10000;
	for (unsigned int i = 0; i < COUNT; i++)
		fake_offer(fixture.device, tx_queue(0), all + (size_t)i * SIZE, SIZE, 0);
	fake_notify(fixture.device, tx_queue(0));
	fake_settle(&fixture.io);
	assert_in_range(fixture.hosts[0].count, 10000, 10000 + 4096);
	/* the others are not in its way */
	send_output(&fixture, 2, "free", 4);
	expect_host(&fixture, 2, "free");
	while (fixture.hosts[0].count < COUNT * SIZE) {
		unsigned int used = fake_used_count(fixture.device, tx_queue(0));

		assert_true(used <= fixture.hosts[0].count / SIZE);
		fake_notify(fixture.device, tx_queue(0)); /* helps nothing */
		fake_settle(&fixture.io);
		assert_int_equal(fake_used_count(fixture.device, tx_queue(0)), used);
		assert_false(virtio_console_is_drained(port(&fixture, 0)));
		fixture.hosts[0].limit = fixture.hosts[0].count + 10000;
		virtio_console_drained(port(&fixture, 0));
		fake_settle(&fixture.io);
	}
	assert_true(virtio_console_is_drained(port(&fixture, 0)));
	assert_int_equal(fixture.hosts[0].count, COUNT * SIZE);
	assert_memory_equal(fixture.hosts[0].bytes, all, COUNT * SIZE);
	assert_int_equal(fake_used_count(fixture.device, tx_queue(0)), COUNT);
	free(all);
	finish(&fixture);
}

static void input_waits_for_the_guest(void **state)
{
	enum { TOTAL = 200000 };
	uint8_t *all = malloc(TOTAL);
	struct fixture fixture;
	size_t sent = 0, got = 0;

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < TOTAL; i++)
		all[i] = (uint8_t)(i * 3266489917U >> 15);
	probe_three(&fixture);
	while (got < TOTAL) {
		unsigned int resumes;
		size_t count;

		do {
			resumes = fixture.hosts[0].resumes;
			count = receive(&fixture, 0, all + sent, TOTAL - sent);
			sent += count;
		} while (count);
		/* no asking again while there is no room */
		assert_int_equal(fixture.hosts[0].resumes, resumes);
		assert_true(sent - got <= 16384 + 2 * 64); /* bounded */
		input_buffers(&fixture, 0, 1, 1000);
		while (fake_used_count(fixture.device, rx_queue(0))) {
			const struct fake_chain *chain = fake_take(fixture.device, rx_queue(0));

			assert_memory_equal(
				chain->writable, all + got, (size_t)chain->chain.written_bytes);
			got += chain->chain.written_bytes;
		}
		if (sent < TOTAL) /* and the host was told */
			assert_int_equal(fixture.hosts[0].resumes, resumes + 1);
	}
	assert_int_equal(got, TOTAL);
	free(all);
	finish(&fixture);
}

/* A full mailbox: the host's thread waits instead of losing the news. */
static void flooded_thread_loses_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	fixture.io.room = 0;
	assert_int_equal(receive(&fixture, 0, "abc", 3), 3);
	expect_input(&fixture, 0, "abc");
	connect_host(&fixture, 1, true);
	hear(&fixture, 1, PORT_OPEN, 1);
	fixture.io.room = 1;
	for (unsigned int i = 0; i < 1000; i++) /* one message at a time is enough */
		virtio_console_drained(port(&fixture, 0));
	assert_int_equal(fixture.io.post_count, 1);
	fake_settle(&fixture.io);
	finish(&fixture);
}

static void work_comes_in_slices(void **state)
{
	static const uint8_t bytes[65536];
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	for (unsigned int i = 0; i < 64; i++)
		fake_offer(fixture.device, tx_queue(0), bytes, sizeof(bytes), 0);
	for (unsigned int i = 0; i < 5000; i++)
		fake_offer(fixture.device, tx_queue(0), NULL, 0, 0);
	fake_notify(fixture.device, tx_queue(0));
	assert_true(fixture.hosts[0].count <= 1 << 20);
	assert_non_null(fixture.io.timer);
	fake_settle(&fixture.io);
	assert_int_equal(fixture.hosts[0].count, 64 * sizeof(bytes));
	assert_int_equal(fake_used_count(fixture.device, tx_queue(0)), 5064);
	for (unsigned int i = 0; i < 5000; i++)
		fake_offer(fixture.device, 3, bytes, 7, 0);
	fake_notify(fixture.device, 3);
	assert_true(fake_used_count(fixture.device, 3) < 5000);
	fake_settle(&fixture.io);
	assert_int_equal(fake_used_count(fixture.device, 3), 5000);
	finish(&fixture);
}

static void reset_with_data_on_its_way(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	connect_host(&fixture, 1, true);
	fixture.hosts[0].limit = 1;
	send_output(&fixture, 0, "seen", 4);
	send_output(&fixture, 0, "held", 4);
	send_output(&fixture, 0, "not looked at", 13);
	expect_host(&fixture, 0, "seen");
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(receive(&fixture, 1, "left over", 9), 9);
	virtio_console_drained(port(&fixture, 0)); /* on its way during the reset */
	fixture.hosts[0].limit = 0;
	fake_reset(fixture.device);
	expect_host(&fixture, 0, "held");
	fake_settle(&fixture.io);
	expect_host(&fixture, 0, "");
	connect_host(&fixture, 1, false);
	assert_int_equal(receive(&fixture, 0, "x", 1), 0);
	hear_nothing(&fixture);

	/* the next driver starts from nothing */
	fixture.hosts[0].limit = SIZE_MAX;
	fake_activate(fixture.device, F_MULTIPORT);
	control_buffers(&fixture, 16);
	hear_nothing(&fixture);
	say(&fixture, BAD_ID, DEVICE_READY, 1);
	for (uint32_t i = 0; i < 3; i++)
		hear(&fixture, i, DEVICE_ADD, 1);
	input_buffers(&fixture, 1, 4, 64);
	say(&fixture, 1, PORT_READY, 1);
	hear_bytes(&fixture, 1, NAME, 1, "org.hull.agent", 14);
	say(&fixture, 1, PORT_OPEN, 1);
	hear_nothing(&fixture);
	/* a session that has ended belongs to the past */
	assert_int_equal(fake_used_count(fixture.device, rx_queue(1)), 0);
	finish(&fixture);
}

/* Back from hibernation Linux speaks of ports that it was told of in another life. */
static void port_ready_without_device_add(void **state)
{
	struct fixture fixture;

	(void)state;
	probe_three(&fixture);
	fake_reset(fixture.device);
	fake_activate(fixture.device, F_MULTIPORT);
	control_buffers(&fixture, 16);
	say(&fixture, 2, PORT_READY, 1);
	say(&fixture, 2, PORT_OPEN, 1);
	hear(&fixture, 2, CONSOLE_PORT, 1);
	hear_bytes(&fixture, 2, NAME, 1, "log", 3);
	hear(&fixture, 2, PORT_OPEN, 1);
	input_buffers(&fixture, 2, 1, 64);
	assert_int_equal(receive(&fixture, 2, "x", 1), 1);
	expect_input(&fixture, 2, "x");
	finish(&fixture);
}

static void one_queue_is_reset(void **state)
{
	struct fixture fixture;
	struct virtq *queue;

	(void)state;
	probe_three(&fixture);
	fixture.hosts[0].limit = 0;
	send_output(&fixture, 0, "held", 4);
	expect_host(&fixture, 0, "");
	fixture.device->ops->quiesce(fixture.device, tx_queue(0));
	assert_int_equal(fixture.io.quiesced, 1);
	expect_host(&fixture, 0, "held");
	queue = fake_queue(fixture.device, tx_queue(0));
	assert_false(queue->running);
	fixture.hosts[0].limit = SIZE_MAX;
	virtio_console_drained(port(&fixture, 0));
	fake_settle(&fixture.io);
	queue->running = true;
	send_output(&fixture, 0, "again", 5);
	expect_host(&fixture, 0, "again");
	for (unsigned int i = 0; i < 8; i++)
		fixture.device->ops->quiesce(fixture.device, i);
	assert_int_equal(fixture.io.quiesced, 9);
	finish(&fixture);
}

static void each_queue_may_break(void **state)
{
	(void)state;
	for (unsigned int queue = 0; queue < 8; queue++) {
		struct fixture fixture;

		probe_three(&fixture);
		fake_queue(fixture.device, queue)->corrupt = true;
		(void)receive(&fixture, 0, "x", 1);
		(void)receive(&fixture, 2, "x", 1);
		connect_host(&fixture, 1, true);
		(void)receive(&fixture, 1, "x", 1);
		for (unsigned int i = 0; i < 8; i++) {
			fake_offer(fixture.device, i, "12345678", 8, 0);
			fake_notify(fixture.device, i);
			fake_settle(&fixture.io);
		}
		assert_int_equal(fixture.io.broken, 1);
		fake_reset(fixture.device);
		finish(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(plain_console),
		cmocka_unit_test(config_reads_of_every_shape),
		cmocka_unit_test(emergency_writes),
		cmocka_unit_test(linux_probes),
		cmocka_unit_test(multiport_is_not_taken_up),
		cmocka_unit_test(guest_opens_and_closes),
		cmocka_unit_test(host_comes_and_goes),
		cmocka_unit_test(sessions_keep_their_order),
		cmocka_unit_test(messages_wait_for_buffers),
		cmocka_unit_test(size_changes),
		cmocka_unit_test(ports_come_and_go),
		cmocka_unit_test(plugging_while_the_guest_is_deaf),
		cmocka_unit_test(hostile_control_messages),
		cmocka_unit_test(buffers_of_every_size),
		cmocka_unit_test(congestion_loses_nothing),
		cmocka_unit_test(input_waits_for_the_guest),
		cmocka_unit_test(flooded_thread_loses_nothing),
		cmocka_unit_test(work_comes_in_slices),
		cmocka_unit_test(reset_with_data_on_its_way),
		cmocka_unit_test(port_ready_without_device_add),
		cmocka_unit_test(one_queue_is_reset),
		cmocka_unit_test(each_queue_may_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
