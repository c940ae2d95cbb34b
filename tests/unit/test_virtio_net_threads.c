/* The pairs of one NIC on an I/O thread each, while commands change what they do. */
#include "pcap.h"
#include "virtio_net_fixture.h"

#define ROUNDS        400
#define FRAME         60
#define BUFFER        2000
#define OK            0
#define CONTROL_QUEUE (2 * PAIRS)
#define PCAP_PATH     "test-net-threads.pcap"
#define F_ALL         (F_MQ | F_CTRL_VQ | F_CTRL_RX | F_MAC_ADDR | F_MRG_RXBUF | F_STATUS)

#define COMMAND(...)                                           \
	command(CONTROL_QUEUE, (const uint8_t[]){__VA_ARGS__}, \
		sizeof((const uint8_t[]){__VA_ARGS__}))

static uint8_t command(unsigned int queue, const uint8_t *bytes, uint32_t length)
{
	const struct driver_buffer buffers[] = {
		{slot_address(0), length, false}, {slot_address(1), 1, true}};
	uint16_t id;

	memcpy(slot_bytes(0), bytes, length);
	assert_true(driver_add(&t.drivers[queue], buffers, 2, 0, &id));
	publish(queue);
	assert_int_equal(wait_used(queue, &id), 1);
	return slot_bytes(1)[0];
}

static void to_peer(unsigned int pair, unsigned int seed)
{
	memset(slot_bytes(2 + pair), 0, HEADER);
	make_frame(slot_bytes(2 + pair) + HEADER, FRAME, seed);
	(void)add(2 * pair + 1, 2 + pair, HEADER + FRAME, false);
	publish(2 * pair + 1);
}

static void check_peer(unsigned int pair, unsigned int seed)
{
	uint8_t expected[FRAME], got[HEADER + FRAME];
	uint16_t id;

	make_frame(expected, FRAME, seed);
	assert_int_equal(peer_receive_header(pair, got, sizeof(got)), sizeof(got));
	assert_memory_equal(got + HEADER, expected, FRAME);
	(void)wait_used(2 * pair + 1, &id);
}

static void from_peer(unsigned int pair, unsigned int seed)
{
	uint8_t frame[HEADER + FRAME] = {0};

	make_frame(frame + HEADER, FRAME, seed);
	(void)add(2 * pair, 6 + pair, BUFFER, true);
	publish(2 * pair);
	peer_send_header(pair, frame, sizeof(frame));
}

static void check_driver(unsigned int pair, unsigned int seed)
{
	uint8_t expected[FRAME];
	uint16_t id;

	make_frame(expected, FRAME, seed);
	assert_int_equal(wait_used(2 * pair, &id), HEADER + FRAME);
	assert_memory_equal(slot_bytes(6 + pair) + HEADER, expected, FRAME);
}

static uint64_t frames(unsigned int pair, enum net_direction direction)
{
	return virtio_net_count(t.net, pair, direction, VIRTIO_NET_FRAMES);
}

static void exchange(unsigned int seed)
{
	for (unsigned int i = 0; i < PAIRS; i++) {
		to_peer(i, seed + i);
		from_peer(i, seed + i);
	}
	for (unsigned int i = 0; i < PAIRS; i++) {
		check_peer(i, seed + i);
		check_driver(i, seed + i);
	}
}

static void pairs_have_threads_of_their_own(void **state)
{
	(void)state;
	start_on(PAIRS, NULL, false, IO_ENGINE_AUTO);
	for (unsigned int i = 0; i < PAIRS; i++)
		assert_ptr_equal(
			t.device->queues[2 * i].io_thread, t.device->queues[2 * i + 1].io_thread);
	assert_ptr_not_equal(t.device->queues[0].io_thread, t.device->queues[2].io_thread);
	/* Both places that the control queue may have. */
	assert_ptr_equal(t.device->queues[2].io_thread, t.device->io_thread);
	assert_ptr_equal(t.device->queues[CONTROL_QUEUE].io_thread, t.device->io_thread);
	drive(F_ALL);
	assert_int_equal(COMMAND(4, 0, PAIRS, 0), OK);
	for (unsigned int i = 0; i < ROUNDS; i++)
		exchange(i);
	for (unsigned int i = 0; i < PAIRS; i++) {
		assert_int_equal(frames(i, NET_SEND), ROUNDS);
		assert_int_equal(frames(i, NET_RECEIVE), ROUNDS);
	}
	drive(F_CTRL_VQ | F_CTRL_RX);
	assert_int_equal(command(2, (const uint8_t[]){0, 0, 1}, 3), OK);
	stop();
}

/* A pair that is put off under way is no lost link, and goes on when it may again. */
static void pairs_change_under_traffic(void **state)
{
	(void)state;
	start_on(PAIRS, NULL, false, IO_ENGINE_AUTO);
	drive(F_ALL);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		to_peer(1, i);
		from_peer(1, i);
		assert_int_equal(COMMAND(4, 0, 2, 0), OK);
		if (i % 3)
			assert_int_equal(COMMAND(4, 0, 1, 0), OK);
		to_peer(0, i);
		if (i % 3)
			assert_int_equal(COMMAND(4, 0, 2, 0), OK);
		check_peer(0, i);
		check_peer(1, i);
		check_driver(1, i);
		if (i % 2)
			assert_int_equal(COMMAND(4, 0, 1, 0), OK);
	}
	assert_int_equal(t.link_downs, 0);
	assert_int_equal(t.events.faults, 0);
	stop();
}

/* What a command says holds for the frames of all pairs that come behind its answer. */
static void commands_reach_all_pairs(void **state)
{
	(void)state;
	start_on(PAIRS, NULL, false, IO_ENGINE_AUTO);
	drive(F_ALL);
	assert_int_equal(COMMAND(4, 0, 2, 0), OK);
	assert_int_equal(COMMAND(0, 0, 0), OK); /* not promiscuous */
	for (unsigned int i = 0; i < ROUNDS / 2; i++) {
		uint8_t frame[HEADER + FRAME] = {0};

		assert_int_equal(COMMAND(1, 1, 2, 0, 0, 0, 0, 9), OK); /* another address */
		make_frame(frame + HEADER, FRAME, i);
		for (unsigned int pair = 0; pair < PAIRS; pair++) {
			peer_send_header(pair, frame, sizeof(frame));
			from_peer(pair, i);
			while (virtio_net_count(t.net, pair, NET_RECEIVE, VIRTIO_NET_FILTERED) <
				2 * i + 2)
				(void)sched_yield();
		}
		assert_int_equal(COMMAND(1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56), OK);
		for (unsigned int pair = 0; pair < PAIRS; pair++) {
			peer_send_header(pair, frame, sizeof(frame));
			check_driver(pair, i);
		}
	}
	stop();
}

static void resets_under_traffic(void **state)
{
	(void)state;
	start_on(PAIRS, NULL, false, IO_ENGINE_THREADS);
	for (unsigned int i = 0; i < ROUNDS / 10; i++) {
		uint8_t frame[HEADER + FRAME];

		drive(F_ALL);
		assert_int_equal(COMMAND(4, 0, PAIRS, 0), OK);
		exchange(i);
		for (unsigned int pair = 0; pair < PAIRS; pair++) {
			to_peer(pair, i);
			from_peer(pair, i);
		}
		virtio_device_set_status(t.device, 0);
		for (unsigned int pair = 0; pair < PAIRS; pair++)
			while (read(t.peers[pair], frame, sizeof(frame)) > 0 ||
				read(t.header.net.pairs[pair].fd, frame, sizeof(frame)) > 0)
				continue;
	}
	assert_int_equal(t.events.faults, 0);
	stop();
}

static void a_lost_link_is_told_once(void **state)
{
	uint8_t status;

	(void)state;
	start_on(PAIRS, NULL, false, IO_ENGINE_AUTO);
	drive(F_ALL);
	assert_int_equal(COMMAND(4, 0, PAIRS, 0), OK);
	exchange(0);
	for (unsigned int i = 0; i < PAIRS; i++)
		(void)add(2 * i, 6 + i, BUFFER, true);
	for (unsigned int i = 0; i < PAIRS; i++)
		publish(2 * i);
	for (unsigned int i = 0; i < PAIRS; i++)
		(void)shutdown(t.peers[i], SHUT_RDWR);
	wait_for(&t.link_downs, 1);
	for (unsigned int i = 0; i < PAIRS; i++) {
		uint16_t id;

		to_peer(i, 0);
		(void)wait_used(2 * i + 1, &id);
		assert_int_equal(virtio_net_count(t.net, i, NET_SEND, VIRTIO_NET_NO_LINK), 1);
	}
	settle();
	assert_int_equal(t.link_downs, 1);
	virtio_device_read_config(t.device, 6, &status, 1);
	assert_int_equal(status, 0);
	stop();
}

/* --- A capture that both add to --- */

#define RECORDS 2000

static void never(void *owner, int code)
{
	(void)owner;
	(void)code;
	fail();
}

struct adder {
	struct pcap *pcap;
	uint8_t pattern;
};

static void add_one(void *context)
{
	const struct adder *adder = context;
	uint8_t bytes[300];
	const struct iovec iov = {bytes, sizeof(bytes)};

	memset(bytes, adder->pattern, sizeof(bytes));
	pcap_add(adder->pcap, &iov, 1, 0, 100U * adder->pattern);
}

static void check_records(unsigned int count)
{
	FILE *file = fopen(PCAP_PATH, "re");
	unsigned int found[3] = {0};
	uint32_t record[4];

	assert_non_null(file);
	assert_int_equal(fseek(file, 24, SEEK_SET), 0);
	while (fread(record, sizeof(record), 1, file) == 1) {
		uint8_t bytes[200];

		assert_true(record[2] == 100 || record[2] == 200);
		assert_int_equal(record[2], record[3]);
		assert_int_equal(fread(bytes, record[2], 1, file), 1);
		for (unsigned int i = 0; i < record[2]; i++)
			assert_int_equal(bytes[i], record[2] / 100);
		found[record[2] / 100]++;
	}
	assert_true(feof(file));
	assert_int_equal(found[1] + found[2], count);
	(void)fclose(file);
	(void)unlink(PCAP_PATH);
}

static void records_of_two_threads_are_whole(void **state)
{
	struct io_thread_options options = {.name = "test"};
	struct adder adders[2] = {{.pattern = 1}, {.pattern = 2}};
	struct io_thread *threads[2];
	struct pcap *pcap;
	struct err err = {0};
	uint64_t missed;

	(void)state;
	assert_int_equal(pcap_open(PCAP_PATH, &pcap, &err), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(io_thread_create(&options, &threads[i], &err), 0);
		adders[i].pcap = pcap;
	}
	assert_int_equal(pcap_attach(pcap, threads[0], never, NULL, &err), 0);
	for (unsigned int i = 0; i < RECORDS; i++)
		for (unsigned int j = 0; j < 2; j++)
			while (io_thread_post(threads[j], add_one, &adders[j]) < 0)
				(void)sched_yield();
	for (unsigned int i = 0; i < 2; i++)
		io_thread_call(threads[i], nothing_on_io, NULL);
	pcap_detach(pcap);
	missed = pcap_missed(pcap);
	pcap_close(pcap);
	for (unsigned int i = 0; i < 2; i++)
		io_thread_destroy(threads[i]);
	check_records(2 * RECORDS - (unsigned int)missed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_have_threads_of_their_own),
		cmocka_unit_test(pairs_change_under_traffic),
		cmocka_unit_test(commands_reach_all_pairs),
		cmocka_unit_test(resets_under_traffic),
		cmocka_unit_test(a_lost_link_is_told_once),
		cmocka_unit_test(records_of_two_threads_are_whole),
	};

	return cmocka_run_group_tests_name("virtio_net_threads", tests, NULL, NULL);
}
