/* The socket device against a driver that is faked and sockets that are real. */
#include "clock.h"
#include "fake_virtio_host.h"
#include "virtio_vsock.h"
#include "vsock_packet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GUEST_CID    3
#define BUFFER_BYTES 65536
#define POLLS_MAX    1024

static struct io_poll *polls[POLLS_MAX];
static unsigned int poll_count;
static uint64_t now_ns;

void io_poll_start(struct io_thread *thread, struct io_poll *poll)
{
	(void)thread;
	assert_true(poll_count < POLLS_MAX && !poll->started && poll->events);
	poll->started = true;
	polls[poll_count++] = poll;
}

void io_poll_cancel(struct io_thread *thread, struct io_poll *poll)
{
	(void)thread;
	for (unsigned int i = 0; poll->started && i < poll_count; i++) {
		if (polls[i] == poll) {
			polls[i] = polls[--poll_count];
			poll->started = false;
		}
	}
}

/* Until nothing is ready; something that is ready for ever fails the test. */
static void run_polls(void)
{
	unsigned int rounds = 0;

	for (unsigned int i = 0; i < poll_count; i++) {
		struct io_poll *ready = polls[i];
		struct pollfd fd = {.fd = ready->fd, .events = ready->events};

		if (poll(&fd, 1, 0) <= 0)
			continue;
		assert_true(++rounds < 100000);
		io_poll_cancel(NULL, ready);
		ready->ready(ready, fd.revents);
		i = UINT32_MAX; /* the list has changed */
	}
}

static uint64_t read_now(void)
{
	return now_ns;
}

struct fixture {
	struct io_thread io;
	struct virtio_device *device;
	char directory[32], path[64], service_path[80];
	int listener, service;
};

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

static void make(struct fixture *fixture)
{
	struct virtio_vsock_options options = {
		.name = "vsock", .guest_cid = GUEST_CID, .read_clock = read_now};

	*fixture = (struct fixture){.io.room = UINT32_MAX};
	now_ns = 1000;
	(void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/vsock-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/v", fixture->directory);
	(void)snprintf(
		fixture->service_path, sizeof(fixture->service_path), "%s_52", fixture->path);
	fixture->listener = listen_at(fixture->path);
	fixture->service = listen_at(fixture->service_path);
	options.io_thread = &fixture->io;
	options.path = fixture->path;
	options.listener = fixture->listener;
	assert_int_equal(virtio_vsock_create(&options, &fixture->device, NULL), 0);
	fake_activate(fixture->device, 0);
}

static void remove_sockets(const struct fixture *fixture)
{
	(void)close(fixture->listener);
	(void)close(fixture->service);
	(void)unlink(fixture->path);
	(void)unlink(fixture->service_path);
	assert_int_equal(rmdir(fixture->directory), 0);
}

static void finish(struct fixture *fixture)
{
	fake_reset(fixture->device);
	assert_int_equal(poll_count, 0);
	assert_null(fixture->io.timer);
	fixture->device->ops->destroy(fixture->device);
	remove_sockets(fixture);
}

static void offer(struct fixture *fixture, unsigned int count, size_t bytes)
{
	for (unsigned int i = 0; i < count; i++)
		fake_offer(fixture->device, 0, NULL, 0, bytes);
	fake_notify(fixture->device, 0);
	run_polls();
}

static struct vsock_header packet(enum vsock_op op, uint32_t guest_port, uint32_t host_port)
{
	return (struct vsock_header){
		.source_cid = GUEST_CID,
		.destination_cid = VSOCK_HOST_CID,
		.source_port = guest_port,
		.destination_port = host_port,
		.type = VSOCK_TYPE_STREAM,
		.op = (uint16_t)op,
		.buf_alloc = 1 << 20,
	};
}

static void send_packet(struct fixture *fixture, const struct vsock_header *header,
	const void *payload, size_t bytes)
{
	uint8_t *all = malloc(VSOCK_HEADER_BYTES + bytes);

	assert_non_null(all);
	vsock_header_encode(header, all);
	if (bytes)
		memcpy(all + VSOCK_HEADER_BYTES, payload, bytes);
	fake_offer(fixture->device, 1, all, VSOCK_HEADER_BYTES + bytes, 0);
	free(all);
	fake_notify(fixture->device, 1);
	run_polls();
}

static void send_op(struct fixture *fixture, enum vsock_op op, uint32_t host_port)
{
	struct vsock_header header = packet(op, 1000, host_port);

	send_packet(fixture, &header, NULL, 0);
}

static const uint8_t *expect(struct fixture *fixture, enum vsock_op op, struct vsock_header *header)
{
	const struct fake_chain *chain = fake_take(fixture->device, 0);

	vsock_header_decode(chain->writable, header);
	assert_int_equal(header->op, op);
	assert_int_equal(header->source_cid, VSOCK_HOST_CID);
	assert_int_equal(header->destination_cid, GUEST_CID);
	assert_int_equal(chain->chain.written_bytes, VSOCK_HEADER_BYTES + header->length);
	return chain->writable + VSOCK_HEADER_BYTES;
}

/* Of guest port 1000, to the service. */
static int connect_guest(struct fixture *fixture)
{
	struct vsock_header header;
	int fd;

	send_op(fixture, VSOCK_OP_REQUEST, 52);
	(void)expect(fixture, VSOCK_OP_RESPONSE, &header);
	assert_int_equal(header.buf_alloc, BUFFER_BYTES);
	fd = accept(fixture->service, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

static void guest_connects(void **state)
{
	struct fixture fixture;
	struct vsock_header header;
	char bytes[16];
	int fd;

	(void)state;
	make(&fixture);
	offer(&fixture, 16, 4096);
	send_op(&fixture, VSOCK_OP_REQUEST, 53); /* nobody listens */
	(void)expect(&fixture, VSOCK_OP_RST, &header);
	fd = connect_guest(&fixture);
	header = packet(VSOCK_OP_RW, 1000, 52);
	header.length = 5;
	send_packet(&fixture, &header, "hello", 5);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(write(fd, "world!", 6), 6);
	run_polls();
	assert_memory_equal(expect(&fixture, VSOCK_OP_RW, &header), "world!", 6);
	assert_int_equal(header.fwd_cnt, 5);
	header = packet(VSOCK_OP_SHUTDOWN, 1000, 52);
	header.flags = VSOCK_SHUTDOWN_BOTH;
	send_packet(&fixture, &header, NULL, 0);
	(void)expect(&fixture, VSOCK_OP_RST, &header);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 0);
	(void)close(fd);
	finish(&fixture);
}

static int call(struct fixture *fixture, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->path);
	assert_int_equal(connect(fd, (void *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	run_polls();
	return fd;
}

static void client_connects(void **state)
{
	struct fixture fixture;
	struct vsock_header header;
	char line[64] = "", expected[64];
	int fd;

	(void)state;
	make(&fixture);
	offer(&fixture, 16, 4096);
	fd = call(&fixture, "CONN");
	assert_int_equal(write(fd, "ECT 77\nearly", 12), 12);
	run_polls();
	(void)expect(&fixture, VSOCK_OP_REQUEST, &header);
	assert_int_equal(header.destination_port, 77);
	(void)snprintf(expected, sizeof(expected), "OK %u\n", header.source_port);
	header = packet(VSOCK_OP_RESPONSE, 77, header.source_port);
	send_packet(&fixture, &header, NULL, 0);
	assert_int_equal(read(fd, line, sizeof(line)), strlen(expected));
	assert_string_equal(line, expected);
	assert_memory_equal(expect(&fixture, VSOCK_OP_RW, &header), "early", 5);
	(void)close(fd);
	run_polls();
	(void)expect(&fixture, VSOCK_OP_SHUTDOWN, &header);
	assert_int_equal(header.flags, VSOCK_SHUTDOWN_BOTH);
	finish(&fixture);
}

/* A client that comes by itself, to a device without a path. */
static void passed_client_connects(void **state)
{
	struct virtio_vsock_options options = {
		.name = "vsock", .guest_cid = GUEST_CID, .read_clock = read_now, .listener = -1};
	struct fixture fixture = {.io.room = UINT32_MAX};
	struct vsock_header header;
	char bytes[64], expected[64];
	int ends[2];

	(void)state;
	options.io_thread = &fixture.io;
	assert_int_equal(virtio_vsock_create(&options, &fixture.device, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(virtio_vsock_connect(fixture.device, 77, ends[0]), -ENODEV);
	assert_int_equal(read(ends[1], bytes, sizeof(bytes)), 0);
	(void)close(ends[1]);
	fake_activate(fixture.device, 0);
	offer(&fixture, 16, 4096);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(virtio_vsock_connect(fixture.device, 77, ends[0]), 0);
	run_polls();
	(void)expect(&fixture, VSOCK_OP_REQUEST, &header);
	assert_int_equal(header.destination_port, 77);
	(void)snprintf(expected, sizeof(expected), "OK %u\n", header.source_port);
	header = packet(VSOCK_OP_RESPONSE, 77, header.source_port);
	send_packet(&fixture, &header, NULL, 0);
	assert_int_equal(read(ends[1], bytes, sizeof(bytes)), strlen(expected));
	assert_memory_equal(bytes, expected, strlen(expected));
	/* The guest reaches nobody. */
	send_op(&fixture, VSOCK_OP_REQUEST, 52);
	(void)expect(&fixture, VSOCK_OP_RST, &header);
	fake_reset(fixture.device);
	assert_int_equal(poll_count, 0);
	assert_int_equal(read(ends[1], bytes, sizeof(bytes)), 0);
	(void)close(ends[1]);
	fixture.device->ops->destroy(fixture.device);
}

static void bad_lines_end_the_client(void **state)
{
	static const char *const lines[] = {"\n", "CONNECT\n", "CONNECT \n", "CONNECT x\n",
		"CONNECT 4294967296\n", "CONNECT -1\n", "connect 1\n", "CONNECT 99999999999\n",
		"CONNECT 000000000000000000000000000000000001\n"};
	struct fixture fixture;
	char byte;

	(void)state;
	make(&fixture);
	offer(&fixture, 16, 4096);
	for (size_t i = 0; i < array_size(lines); i++) {
		int fd = call(&fixture, lines[i]);

		assert_true(read(fd, &byte, 1) <= 0);
		(void)close(fd);
	}
	assert_int_equal(fake_used_count(fixture.device, 0), 0);
	finish(&fixture);
}

static void silence_times_out(void **state)
{
	struct fixture fixture;
	struct vsock_header header;
	char byte;
	int fds[2];

	(void)state;
	make(&fixture);
	offer(&fixture, 16, 4096);
	fds[0] = call(&fixture, "CONNECT 1\n");
	fds[1] = call(&fixture, "CONN");
	(void)expect(&fixture, VSOCK_OP_REQUEST, &header);
	assert_non_null(fixture.io.timer);
	now_ns = fixture.io.timer->deadline_ns;
	fake_expire(&fixture.io);
	(void)expect(&fixture, VSOCK_OP_RST, &header);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(read(fds[i], &byte, 1), 0);
		(void)close(fds[i]);
	}
	finish(&fixture);
}

/* A peer that does not read: the guest may fill our buffer, and is reset when it goes on. */
static void ignored_credit_is_reset(void **state)
{
	static uint8_t bytes[32768];
	struct fixture fixture;
	struct vsock_header header;
	unsigned int sent = 0;
	int fd;

	(void)state;
	make(&fixture);
	offer(&fixture, 256, 4096);
	fd = connect_guest(&fixture);
	do {
		header = packet(VSOCK_OP_RW, 1000, 52);
		header.length = sizeof(bytes);
		send_packet(&fixture, &header, bytes, sizeof(bytes));
		assert_true(++sent < 1000);
		header.op = 0;
		while (fake_used_count(fixture.device, 0))
			vsock_header_decode(fake_take(fixture.device, 0)->writable, &header);
	} while (header.op != VSOCK_OP_RST);
	assert_true(sent > 2);
	(void)close(fd);
	finish(&fixture);
}

/* The guest has sent all, shut and forgotten the connection; its peer does not read. */
static void reader_that_stops_gives_its_place(void **state)
{
	static uint8_t bytes[16384];
	struct fixture fixture;
	struct vsock_header header = {0};
	uint32_t sent = 0, forwarded = 0;
	int fd;

	(void)state;
	make(&fixture);
	offer(&fixture, 256, 4096);
	fd = connect_guest(&fixture);
	while (BUFFER_BYTES - (sent - forwarded) >= sizeof(bytes)) {
		header = packet(VSOCK_OP_RW, 1000, 52);
		header.length = sizeof(bytes);
		send_packet(&fixture, &header, bytes, sizeof(bytes));
		sent += (uint32_t)sizeof(bytes);
		while (fake_used_count(fixture.device, 0)) {
			vsock_header_decode(fake_take(fixture.device, 0)->writable, &header);
			assert_int_equal(header.op, VSOCK_OP_CREDIT_UPDATE);
			forwarded = header.fwd_cnt;
		}
	}
	header = packet(VSOCK_OP_SHUTDOWN, 1000, 52);
	header.flags = VSOCK_SHUTDOWN_BOTH;
	send_packet(&fixture, &header, NULL, 0);
	send_op(&fixture, VSOCK_OP_RST, 52);
	assert_non_null(fixture.io.timer);
	assert_int_equal(poll_count, 2);
	now_ns = fixture.io.timer->deadline_ns;
	fake_expire(&fixture.io);
	assert_null(fixture.io.timer);
	assert_int_equal(poll_count, 1); /* the listener's */
	(void)close(fd);
	finish(&fixture);
}

#define PART_BYTES 16384

/* Parts until the host's end takes no more and the device keeps one; how many bytes that were. */
static size_t fill(struct fixture *fixture)
{
	static uint8_t part[PART_BYTES];
	struct vsock_header header = packet(VSOCK_OP_RW, 1000, 52);
	size_t bytes = 0;

	header.length = sizeof(part);
	while (!virtio_vsock_deliver(fixture->device).bytes) {
		memset(part, (int)(bytes / sizeof(part)), sizeof(part));
		send_packet(fixture, &header, part, sizeof(part));
		bytes += sizeof(part);
	}
	return bytes;
}

static size_t read_to_the_end(int fd)
{
	uint8_t buffer[PART_BYTES];
	size_t bytes = 0;
	ssize_t count;

	while ((count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < count; i++)
			assert_int_equal(buffer[i], (uint8_t)(bytes++ / PART_BYTES));
		run_polls();
	}
	assert_int_equal(count, 0);
	return bytes;
}

static void what_was_sent_survives_the_driver(void **state)
{
	struct fixture fixture;
	struct vsock_header header = packet(VSOCK_OP_RW, 1000, 52);
	uint8_t *all = calloc(1, VSOCK_HEADER_BYTES + PART_BYTES);
	size_t bytes;
	int fd;

	(void)state;
	assert_non_null(all);
	make(&fixture);
	offer(&fixture, 16, 4096);
	fd = connect_guest(&fixture);
	bytes = fill(&fixture);
	/* Made available, and reset before anybody looked. */
	header.length = PART_BYTES;
	vsock_header_encode(&header, all);
	memset(all + VSOCK_HEADER_BYTES, (int)(bytes / PART_BYTES), PART_BYTES);
	fake_offer(fixture.device, 1, all, VSOCK_HEADER_BYTES + PART_BYTES, 0);
	free(all);
	fake_reset(fixture.device);
	assert_true(virtio_vsock_deliver(fixture.device).bytes > PART_BYTES);
	/* The next driver knows nothing of it, not even by the same ports. */
	fake_activate(fixture.device, 0);
	offer(&fixture, 4, 4096);
	(void)close(connect_guest(&fixture));
	assert_int_equal(read_to_the_end(fd), bytes + PART_BYTES);
	assert_int_equal(virtio_vsock_deliver(fixture.device).bytes, 0);
	(void)close(fd);
	finish(&fixture);
}

static void readers_that_stop_do_not_outlive_the_device(void **state)
{
	struct fixture fixture;
	size_t bytes;
	int fds[2];

	(void)state;
	make(&fixture);
	offer(&fixture, 16, 4096);
	fds[0] = connect_guest(&fixture);
	bytes = fill(&fixture);
	fake_reset(fixture.device);
	/* One is given up by the clock, */
	now_ns = fixture.io.timer->deadline_ns;
	fake_expire(&fixture.io);
	assert_int_equal(poll_count, 0);
	assert_true(read_to_the_end(fds[0]) < bytes);
	/* another with the device. */
	fake_activate(fixture.device, 0);
	offer(&fixture, 16, 4096);
	fds[1] = connect_guest(&fixture);
	(void)fill(&fixture);
	fake_reset(fixture.device);
	assert_int_equal(poll_count, 1);
	fixture.device->ops->destroy(fixture.device);
	assert_int_equal(poll_count, 0);
	assert_null(fixture.io.timer);
	(void)close(fds[0]);
	(void)close(fds[1]);
	remove_sockets(&fixture);
}

/* Nothing is read from the host beyond what the guest has room for. */
static void guest_credit_is_kept(void **state)
{
	struct fixture fixture;
	struct vsock_header header = packet(VSOCK_OP_REQUEST, 1000, 52);
	int fd;

	(void)state;
	make(&fixture);
	offer(&fixture, 16, 4096);
	header.buf_alloc = 4;
	send_packet(&fixture, &header, NULL, 0);
	(void)expect(&fixture, VSOCK_OP_RESPONSE, &header);
	fd = accept(fixture.service, NULL, NULL);
	assert_int_equal(write(fd, "123456789", 9), 9);
	run_polls();
	assert_memory_equal(expect(&fixture, VSOCK_OP_RW, &header), "1234", 4);
	assert_int_equal(header.length, 4);
	(void)expect(&fixture, VSOCK_OP_CREDIT_REQUEST, &header);
	assert_int_equal(fake_used_count(fixture.device, 0), 0);
	header = packet(VSOCK_OP_CREDIT_UPDATE, 1000, 52);
	header.fwd_cnt = 4;
	send_packet(&fixture, &header, NULL, 0);
	assert_memory_equal(expect(&fixture, VSOCK_OP_RW, &header), "56789", 5);
	(void)close(fd);
	finish(&fixture);
}

static void hostile_packets(void **state)
{
	struct fixture fixture;
	struct vsock_header header;
	int fd;

	(void)state;
	make(&fixture);
	offer(&fixture, 64, 4096);
	fake_offer(fixture.device, 1, "short", 5, 0);
	header = packet(VSOCK_OP_REQUEST, 1000, 52);
	header.source_cid = 4;
	send_packet(&fixture, &header, NULL, 0);
	header.source_cid = GUEST_CID;
	header.destination_cid = 5;
	send_packet(&fixture, &header, NULL, 0);
	send_op(&fixture, VSOCK_OP_RST, 52);
	assert_int_equal(fake_used_count(fixture.device, 1), 4);
	assert_int_equal(fake_used_count(fixture.device, 0), 0);
	header = packet(VSOCK_OP_REQUEST, 1000, 52);
	header.type = 9;
	send_packet(&fixture, &header, NULL, 0);
	(void)expect(&fixture, VSOCK_OP_RST, &header);
	assert_int_equal(header.type, 9);
	for (unsigned int op = VSOCK_OP_RESPONSE; op < 300; op++) {
		if (op == VSOCK_OP_RST)
			continue;
		send_op(&fixture, op, 52);
		offer(&fixture, 1, 4096);
		(void)expect(&fixture, VSOCK_OP_RST, &header);
	}
	fd = connect_guest(&fixture);
	header = packet(VSOCK_OP_RW, 1000, 52);
	header.length = UINT32_MAX;
	send_packet(&fixture, &header, "x", 1);
	(void)expect(&fixture, VSOCK_OP_RST, &header);
	(void)close(fd);
	assert_int_equal(fixture.io.broken, 0);
	finish(&fixture);
}

/* No receive buffers: packets of the guest wait, nothing spins, nothing is lost. */
static void no_receive_buffers(void **state)
{
	struct fixture fixture;
	struct vsock_header header;
	unsigned int resets = 0;

	(void)state;
	make(&fixture);
	for (unsigned int i = 0; i < 1000; i++)
		send_op(&fixture, VSOCK_OP_RW, 52);
	fake_settle(&fixture.io);
	assert_true(fake_used_count(fixture.device, 1) < 1000);
	offer(&fixture, 5, VSOCK_HEADER_BYTES - 1); /* too small: back, empty */
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(fake_take(fixture.device, 0)->chain.written_bytes, 0);
	offer(&fixture, 1000, VSOCK_HEADER_BYTES);
	fake_settle(&fixture.io);
	assert_int_equal(fake_used_count(fixture.device, 1), 1000);
	for (; fake_used_count(fixture.device, 0); resets++)
		(void)expect(&fixture, VSOCK_OP_RST, &header);
	assert_int_equal(resets, 1000);
	finish(&fixture);
}

static void connections_are_bounded(void **state)
{
	struct fixture fixture;
	struct vsock_header header;

	(void)state;
	make(&fixture);
	offer(&fixture, 1024, 4096);
	for (uint32_t i = 0; i < VIRTIO_VSOCK_CONNECTIONS_MAX + 3; i++) {
		header = packet(VSOCK_OP_REQUEST, i, 52);
		send_packet(&fixture, &header, NULL, 0);
		(void)expect(&fixture,
			i < VIRTIO_VSOCK_CONNECTIONS_MAX ? VSOCK_OP_RESPONSE : VSOCK_OP_RST,
			&header);
	}
	/* A new driver begins with none. */
	fake_reset(fixture.device);
	fake_activate(fixture.device, 0);
	while (true) {
		int fd = accept(fixture.service, NULL, NULL);

		if (fd < 0)
			break;
		(void)close(fd);
	}
	offer(&fixture, 4, 4096);
	(void)close(connect_guest(&fixture));
	finish(&fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_connects),
		cmocka_unit_test(client_connects),
		cmocka_unit_test(passed_client_connects),
		cmocka_unit_test(bad_lines_end_the_client),
		cmocka_unit_test(silence_times_out),
		cmocka_unit_test(ignored_credit_is_reset),
		cmocka_unit_test(reader_that_stops_gives_its_place),
		cmocka_unit_test(what_was_sent_survives_the_driver),
		cmocka_unit_test(readers_that_stop_do_not_outlive_the_device),
		cmocka_unit_test(guest_credit_is_kept),
		cmocka_unit_test(hostile_packets),
		cmocka_unit_test(no_receive_buffers),
		cmocka_unit_test(connections_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
