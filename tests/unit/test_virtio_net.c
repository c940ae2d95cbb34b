#include "virtio_net_fixture.h"

#define OFFLOADS (F_CSUM | F_GUEST_CSUM | F_GUEST_TSO4 | F_HOST_TSO4)

static const uint64_t ring_kinds[] = {
	0, F_EVENT_IDX, F_PACKED, F_PACKED | F_EVENT_IDX | F_INDIRECT};

static uint8_t frame[70000], got[70000];

/* The driver sends the frame from the slot, in pieces of at most piece bytes. */
static uint16_t send_slot(
	unsigned int slot, const uint8_t header[HEADER], size_t length, uint32_t piece)
{
	struct driver_buffer buffers[48];
	uint16_t count = 0, id = 0;
	uint32_t left = (uint32_t)(HEADER + length), done = 0;

	memcpy(slot_bytes(slot), header, HEADER);
	memcpy(slot_bytes(slot) + HEADER, frame, length);
	while (left) {
		uint32_t part = left < piece ? left : piece;

		buffers[count++] = (struct driver_buffer){slot_address(slot) + done, part, false};
		done += part;
		left -= part;
	}
	assert_true(driver_add(&t.drivers[TX_QUEUE], buffers, count, 0, &id));
	publish(TX_QUEUE);
	return id;
}

static void give_buffers(unsigned int first, unsigned int count, uint32_t bytes)
{
	for (unsigned int i = 0; i < count; i++)
		(void)add(RX_QUEUE, first + i, bytes, true);
	publish(RX_QUEUE);
}

static unsigned int number_of_buffers(unsigned int slot)
{
	return slot_bytes(slot)[10] + 256U * slot_bytes(slot)[11];
}

static void frames_go_both_ways(void **state)
{
	static const uint8_t header[HEADER];
	static const size_t lengths[] = {14, 60, 1514, 4000, 65557};

	(void)state;
	for (unsigned int i = 0; i < array_size(ring_kinds) * 2; i++) {
		struct net_options options = {0};
		uint16_t id;

		start(&options, false, i % 2 ? IO_ENGINE_AUTO : IO_ENGINE_THREADS);
		drive(ring_kinds[i / 2] | F_MRG_RXBUF);
		give_buffers(0, 2, 0x11000);
		for (unsigned int j = 0; j < array_size(lengths); j++) {
			size_t length = lengths[j];

			make_frame(frame, length, j);
			id = send_slot(10, header, length, 0x800);
			assert_int_equal(peer_receive_stream(got), length);
			assert_memory_equal(got, frame, length);
			assert_int_equal(wait_used(TX_QUEUE, &id), 0);
			peer_send_stream(frame, length);
			assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + length);
			assert_memory_equal(slot_bytes(j % 2) + HEADER, frame, length);
			assert_int_equal(number_of_buffers(j % 2), 1);
			give_buffers(j % 2, 1, 0x11000);
		}
		assert_int_equal(count_of(NET_SEND, VIRTIO_NET_FRAMES), array_size(lengths));
		assert_int_equal(count_of(NET_RECEIVE, VIRTIO_NET_FRAMES), array_size(lengths));
		assert_int_equal(
			count_of(NET_SEND, VIRTIO_NET_BYTES), 14 + 60 + 1514 + 4000 + 65557);
		assert_true(t.events.notifications[RX_QUEUE] > 0);
		assert_int_equal(t.events.faults, 0);
		stop();
	}
}

/* A long frame fills several buffers, and they are its own alone. */
static void long_frames_fill_several_buffers(void **state)
{
	static const uint8_t header[HEADER] = {1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0xaa, 0xbb};
	const uint32_t buffer = 1536;
	const size_t length = 50000;
	uint16_t id;
	size_t at = 0;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(OFFLOADS | F_MRG_RXBUF);
	assert_int_equal(t.header.offloads, 1 | 2);
	assert_int_equal(t.header.pairs, 1);
	give_buffers(0, 60, buffer);
	memcpy(frame, header, HEADER);
	make_frame(frame + HEADER, length, 3);
	peer_send_header(0, frame, HEADER + length);
	for (unsigned int i = 0; at < HEADER + length; i++) {
		size_t part = HEADER + length - at < buffer ? HEADER + length - at : buffer;

		assert_int_equal(wait_used(RX_QUEUE, &id), part);
		if (i == 0) {
			assert_memory_equal(slot_bytes(0), header, 10);
			assert_int_equal(
				number_of_buffers(0), (HEADER + length + buffer - 1) / buffer);
			assert_memory_equal(slot_bytes(0) + HEADER, frame + HEADER, part - HEADER);
		} else {
			assert_memory_equal(slot_bytes(i), frame + at, part);
		}
		at += part;
	}
	/* The next one begins in the next buffer. */
	peer_send_header(0, frame, 100);
	assert_int_equal(wait_used(RX_QUEUE, &id), 100);
	assert_int_equal(number_of_buffers(33), 1);
	stop();
}

/* One that is longer than what the driver has given waits for more, whole. */
static void long_frames_wait_for_buffers(void **state)
{
	const size_t length = 20000;
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(OFFLOADS | F_MRG_RXBUF);
	memset(frame, 0, HEADER);
	make_frame(frame + HEADER, length, 9);
	for (unsigned int round = 0; round < 20; round++) {
		unsigned int given = 1 + round % 5;
		size_t at = 0;

		give_buffers(0, given, 2000);
		peer_send_header(0, frame, HEADER + length);
		settle();
		assert_false(has_used(RX_QUEUE));
		while (given < 11)
			give_buffers(given++, 1, 2000);
		for (unsigned int i = 0; i < 11; i++) {
			uint32_t used = wait_used(RX_QUEUE, &id);

			assert_int_equal(used, i < 10 ? 2000 : 12);
			memcpy(got + at, slot_bytes(i), used);
			at += used;
		}
		assert_memory_equal(got + HEADER, frame + HEADER, length);
		assert_int_equal(number_of_buffers(0), 11);
	}
	assert_int_equal(count_of(NET_RECEIVE, VIRTIO_NET_NO_ROOM), 0);
	stop();
}

/* The driver goes away while a frame waits. */
static void reset_while_a_frame_waits(void **state)
{
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	for (unsigned int i = 0; i < 3; i++) {
		drive(OFFLOADS | F_MRG_RXBUF);
		give_buffers(0, 2, 2000);
		memset(frame, 0, HEADER);
		make_frame(frame + HEADER, 20000, 9);
		peer_send_header(0, frame, HEADER + 20000);
		settle();
	}
	drive(OFFLOADS | F_MRG_RXBUF);
	give_buffers(0, 2, 2000);
	peer_send_header(0, frame, HEADER + 100);
	assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + 100);
	virtio_device_set_status(t.device, 0);
	assert_int_equal(t.header.offloads, 0);
	stop();
}

/* Nothing is read without buffers, and everything once there are some. */
static void frames_wait_for_the_driver(void **state)
{
	struct net_options options = {0};
	uint16_t id;

	(void)state;
	start(&options, false, IO_ENGINE_AUTO);
	drive(F_MRG_RXBUF | F_EVENT_IDX);
	for (unsigned int i = 0; i < 10; i++) {
		make_frame(frame, 200, i);
		peer_send_stream(frame, 200);
	}
	settle();
	assert_false(has_used(RX_QUEUE));
	for (unsigned int i = 0; i < 10; i++) {
		make_frame(frame, 200, i);
		give_buffers(i, 1, 1526);
		assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + 200);
		assert_memory_equal(slot_bytes(i) + HEADER, frame, 200);
	}
	stop();
}

/* Without mergeable buffers a frame has one chain, and what does not fit is dropped. */
static void small_buffers_drop_frames(void **state)
{
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(0);
	give_buffers(0, 2, 1000);
	memset(frame, 0, HEADER);
	make_frame(frame + HEADER, 5000, 1);
	peer_send_header(0, frame, HEADER + 989);
	peer_send_header(0, frame, HEADER + 5000);
	peer_send_header(0, frame, HEADER + 988);
	assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + 988);
	assert_int_equal(number_of_buffers(0), 1);
	assert_int_equal(count_of(NET_RECEIVE, VIRTIO_NET_NO_ROOM), 2);
	/* Mergeable ones may be as small as a header, or smaller. */
	drive(F_MRG_RXBUF);
	for (unsigned int i = 0; i < 30; i++)
		(void)add(RX_QUEUE, i, 7, true);
	publish(RX_QUEUE);
	peer_send_header(0, frame, HEADER + 100);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(wait_used(RX_QUEUE, &id), 7);
	assert_int_equal(slot_bytes(1)[10 - 7], 16);
	assert_int_equal(t.events.faults, 0);
	stop();
}

/* A frame that the driver will never have buffers for is given up, and the next one comes. */
static void hopeless_frames_are_dropped(void **state)
{
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(OFFLOADS | F_MRG_RXBUF);
	give_buffers(0, 64, 100); /* all that the queue holds */
	memset(frame, 0, HEADER);
	make_frame(frame + HEADER, 60000, 1);
	peer_send_header(0, frame, HEADER + 60000);
	peer_send_header(0, frame, HEADER + 60);
	assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + 60);
	assert_int_equal(count_of(NET_RECEIVE, VIRTIO_NET_NO_ROOM), 1);
	stop();
}

/* What is sent is the header as it was judged, without what does not belong there. */
static void headers_are_passed_on(void **state)
{
	static const uint8_t header[HEADER] = {0xff, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0x55, 0x55};
	static const uint8_t cleaned[HEADER] = {1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0, 0};
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(OFFLOADS);
	make_frame(frame, 40000, 5);
	for (unsigned int i = 0; i < 10; i++) {
		(void)send_slot(i, header, 40000, 2000 + i);
		assert_int_equal(peer_receive_header(0, got, sizeof(got)), HEADER + 40000);
		assert_memory_equal(got, cleaned, HEADER);
		assert_memory_equal(got + HEADER, frame, 40000);
		(void)wait_used(TX_QUEUE, &id);
	}
	stop();
}

static void bad_frames_are_dropped(void **state)
{
	static const struct {
		uint8_t header[2]; /* flags, gso_type */
		size_t length;
		uint64_t features;
	} cases[] = {
		{{0, 0}, 0, OFFLOADS},
		{{0, 0}, 13, OFFLOADS},
		{{0, 0}, 65558, OFFLOADS},
		{{1, 0}, 60, F_HOST_TSO4}, /* no CSUM */
		{{1, 1}, 60, F_CSUM},      /* no TSO4 */
		{{1, 3}, 60, OFFLOADS},    /* no UFO */
		{{1, 4}, 60, OFFLOADS},    /* no TSO6 */
		{{1, 5}, 60, OFFLOADS},    /* no USO */
		{{1, 0x81}, 60, OFFLOADS}, /* no ECN */
		{{1, 0x80}, 60, OFFLOADS | F_HOST_ECN},
		{{1, 2}, 60, OFFLOADS},
		{{1, 0x7f}, 60, OFFLOADS},
	};
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	for (unsigned int i = 0; i < array_size(cases); i++) {
		uint8_t header[HEADER] = {cases[i].header[0], cases[i].header[1]};
		uint64_t before = count_of(NET_SEND, VIRTIO_NET_INVALID);

		drive(cases[i].features);
		make_frame(frame, cases[i].length, i);
		(void)send_slot(0, header, cases[i].length, 0x20000);
		assert_int_equal(wait_used(TX_QUEUE, &id), 0);
		assert_int_equal(count_of(NET_SEND, VIRTIO_NET_INVALID), before + 1);
		assert_int_equal(t.events.faults, 0);
	}
	/* A good one at last: nothing else was sent. */
	make_frame(frame, 60, 77);
	(void)send_slot(0, (const uint8_t[HEADER]){0}, 60, 0x20000);
	assert_int_equal(peer_receive_header(0, got, sizeof(got)), HEADER + 60);
	assert_memory_equal(got + HEADER, frame, 60);
	assert_int_equal(read(t.peers[0], got, sizeof(got)), -1);
	stop();
}

static void odd_chains(void **state)
{
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_MRG_RXBUF);
	/* A frame in one-byte pieces; a piece of none; a device-writable tail. */
	make_frame(frame, 20, 1);
	(void)send_slot(0, (const uint8_t[HEADER]){0}, 20, 1);
	assert_int_equal(peer_receive_header(0, got, sizeof(got)), HEADER + 20);
	assert_memory_equal(got + HEADER, frame, 20);
	(void)wait_used(TX_QUEUE, &id);
	(void)add(TX_QUEUE, 1, 0, false);
	(void)add(TX_QUEUE, 1, 200, true);
	publish(TX_QUEUE);
	assert_int_equal(wait_used(TX_QUEUE, &id), 0);
	assert_int_equal(wait_used(TX_QUEUE, &id), 0);
	assert_int_equal(count_of(NET_SEND, VIRTIO_NET_INVALID), 2);
	assert_int_equal(t.events.faults, 0);
	/* A buffer to receive into that cannot be written. */
	(void)add(RX_QUEUE, 0, 2000, false);
	publish(RX_QUEUE);
	wait_for(&t.events.faults, 1);
	assert_int_equal(virtio_device_status(t.device) & 64, 64);
	drive(F_MRG_RXBUF);
	assert_int_equal(virtio_device_status(t.device), 15);
	stop();
}

/* The host's queue is full: the frame waits, then goes. */
static void a_full_socket_holds_frames_up(void **state)
{
	struct net_options options = {0};
	uint16_t id;

	(void)state;
	start(&options, false, IO_ENGINE_AUTO);
	drive(0);
	for (unsigned int i = 0; i < 40; i++) {
		make_frame(frame, 60000, i);
		(void)send_slot(i, (const uint8_t[HEADER]){0}, 60000, 0x20000);
	}
	settle();
	for (unsigned int i = 0; i < 40; i++) {
		make_frame(frame, 60000, i);
		assert_int_equal(peer_receive_stream(got), 60000);
		assert_memory_equal(got, frame, 60000);
		(void)wait_used(TX_QUEUE, &id);
	}
	/* A reset finds frames that wait, and the peer finds whole frames. */
	for (unsigned int i = 0; i < 40; i++)
		(void)send_slot(i, (const uint8_t[HEADER]){0}, 60000, 0x20000);
	settle();
	virtio_device_set_status(t.device, 0);
	drive(0);
	make_frame(frame, 100, 200);
	(void)send_slot(0, (const uint8_t[HEADER]){0}, 100, 0x20000);
	while (peer_receive_stream(got) != 100)
		continue;
	assert_memory_equal(got, frame, 100);
	stop();
}

/* However the stream is cut, frames come out as they went in. */
static void the_stream_may_be_cut_anywhere(void **state)
{
	static const size_t lengths[] = {60, 1, 1514, 14, 9014, 61, 65557, 100};
	struct net_options options = {0};
	static uint8_t stream[100000];
	size_t total = 0;

	(void)state;
	start(&options, false, IO_ENGINE_AUTO);
	drive(F_MRG_RXBUF);
	for (unsigned int i = 0; i < array_size(lengths); i++) {
		uint32_t prefix = htonl((uint32_t)lengths[i]);

		memcpy(stream + total, &prefix, 4);
		make_frame(stream + total + 4, lengths[i], i);
		total += 4 + lengths[i];
	}
	for (size_t piece = 1; piece < total; piece = piece * 3 + 1) {
		unsigned int slot = 0;
		uint16_t id;

		for (size_t at = 0; at < total;) {
			size_t part = total - at < piece ? total - at : piece;

			if (slot < 8)
				give_buffers(slot++, 1, 0x11000);
			write_all(t.peers[0], stream + at, part);
			if (at < 500 || part > 1000)
				settle();
			at += part;
		}
		while (slot < 8)
			give_buffers(slot++, 1, 0x11000);
		for (unsigned int i = 0, used = 0; i < array_size(lengths); i++) {
			if (lengths[i] < 14)
				continue;
			make_frame(frame, lengths[i], i);
			assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + lengths[i]);
			assert_memory_equal(slot_bytes(used++) + HEADER, frame, lengths[i]);
		}
		drive(F_MRG_RXBUF);
	}
	stop();
}

static void source_addresses_are_checked(void **state)
{
	uint16_t id;

	(void)state;
	start(NULL, true, IO_ENGINE_AUTO);
	drive(0);
	make_frame(frame, 60, 1);
	(void)send_slot(0, (const uint8_t[HEADER]){0}, 60, 0x20000);
	(void)wait_used(TX_QUEUE, &id);
	assert_int_equal(count_of(NET_SEND, VIRTIO_NET_SPOOFED), 1);
	memcpy(frame + 6, nic_mac, 6);
	(void)send_slot(0, (const uint8_t[HEADER]){0}, 60, 20);
	assert_int_equal(peer_receive_header(0, got, sizeof(got)), HEADER + 60);
	assert_memory_equal(got + HEADER, frame, 60);
	stop();
}

/* Every frame comes in the end, and a reset need not wait for it. */
static void limits_delay(void **state)
{
	struct net_options options = {.rates = {{.bytes_per_second = 100000, .burst_bytes = 1},
					      {.bytes_per_second = 100000, .burst_bytes = 1}}};
	uint16_t id;

	(void)state;
	start(&options, false, IO_ENGINE_AUTO);
	drive(F_MRG_RXBUF);
	give_buffers(0, 10, 2000);
	make_frame(frame, 300, 1);
	for (unsigned int i = 0; i < 5; i++) {
		(void)send_slot(20 + i, (const uint8_t[HEADER]){0}, 300, 0x20000);
		peer_send_stream(frame, 300);
	}
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(peer_receive_stream(got), 300);
		assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + 300);
		(void)wait_used(TX_QUEUE, &id);
	}
	for (unsigned int i = 0; i < 5; i++) {
		(void)send_slot(20 + i, (const uint8_t[HEADER]){0}, 300, 0x20000);
		peer_send_stream(frame, 300);
	}
	stop();
}

/* --- A flood --- */

static _Atomic bool is_flooding;

/* The same short frame as fast as the socket takes it. */
static void *flood(void *unused)
{
	static const uint8_t one[4 + 60] = {0, 0, 0, 60};
	size_t at = 0;

	(void)unused;
	while (atomic_load(&is_flooding)) {
		ssize_t r = write(t.peers[0], one + at, sizeof(one) - at);

		if (r > 0)
			at = (at + (size_t)r) % sizeof(one);
		else
			(void)sched_yield();
	}
	return NULL;
}

/* Whoever else the I/O thread serves gets there while frames come without end. */
static void a_flood_leaves_room_for_others(void **state)
{
	struct net_options options = {0};
	unsigned int frames = 0;
	pthread_t flooder;

	(void)state;
	for (unsigned int engine = 0; engine < 2; engine++) {
		start(&options, false, engine ? IO_ENGINE_AUTO : IO_ENGINE_THREADS);
		drive(F_MRG_RXBUF);
		give_buffers(0, 64, 100);
		atomic_store(&is_flooding, true);
		assert_int_equal(pthread_create(&flooder, NULL, flood, NULL), 0);
		for (unsigned int calls = 0; calls < 100 || frames < 1000; calls++) {
			uint32_t length;
			uint16_t id;

			io_thread_call(t.threads[0], nothing_on_io, NULL);
			while (driver_get_used(&t.drivers[RX_QUEUE], &id, &length)) {
				assert_int_equal(length, HEADER + 60);
				(void)add(RX_QUEUE, frames++ % 64, 100, true);
			}
			publish(RX_QUEUE);
		}
		atomic_store(&is_flooding, false);
		(void)pthread_join(flooder, NULL);
		stop();
		frames = 0;
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_both_ways),
		cmocka_unit_test(long_frames_fill_several_buffers),
		cmocka_unit_test(long_frames_wait_for_buffers),
		cmocka_unit_test(reset_while_a_frame_waits),
		cmocka_unit_test(frames_wait_for_the_driver),
		cmocka_unit_test(small_buffers_drop_frames),
		cmocka_unit_test(hopeless_frames_are_dropped),
		cmocka_unit_test(headers_are_passed_on),
		cmocka_unit_test(bad_frames_are_dropped),
		cmocka_unit_test(odd_chains),
		cmocka_unit_test(a_full_socket_holds_frames_up),
		cmocka_unit_test(the_stream_may_be_cut_anywhere),
		cmocka_unit_test(source_addresses_are_checked),
		cmocka_unit_test(limits_delay),
		cmocka_unit_test(a_flood_leaves_room_for_others),
	};

	return cmocka_run_group_tests_name("virtio_net", tests, NULL, NULL);
}
