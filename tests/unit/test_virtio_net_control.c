#include "virtio_net_fixture.h"

#define F_CONTROL \
	(F_CTRL_VQ | F_CTRL_RX | F_RX_EXTRA | F_CTRL_VLAN | F_MAC_ADDR | F_ANNOUNCE | F_STATUS)
#define OFFLOADS (F_CSUM | F_GUEST_CSUM | F_GUEST_TSO4)

#define OK    0
#define ERROR 1
#define NONE  0xee /* no room for an answer */

static unsigned int control_queue = 2; /* without MQ */

/* VIRTIO 1.2 5.1.6.5: class, command and data in one buffer or cut at a place, then the answer. */
static uint8_t command_cut(const void *bytes, uint32_t length, uint32_t cut, uint32_t room)
{
	struct driver_buffer buffers[3];
	uint16_t count = 0, id;

	memcpy(slot_bytes(0), bytes, length);
	slot_bytes(1)[0] = NONE;
	if (cut)
		buffers[count++] = (struct driver_buffer){slot_address(0), cut, false};
	if (length > cut)
		buffers[count++] = (struct driver_buffer){
			slot_address(0) + cut, length - cut, false};
	if (room)
		buffers[count++] = (struct driver_buffer){slot_address(1), room, true};
	assert_true(driver_add(&t.drivers[control_queue], buffers, count, 0, &id));
	publish(control_queue);
	assert_int_equal(wait_used(control_queue, &id), room ? 1 : 0);
	return slot_bytes(1)[0];
}

static uint8_t command(const void *bytes, uint32_t length)
{
	return command_cut(bytes, length, 2, 1);
}

#define COMMAND(...) command((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static uint16_t status_word(void)
{
	uint8_t bytes[2];

	virtio_device_read_config(t.device, 6, bytes, 2);
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Does a frame with this destination (and VLAN, or -1) reach the driver? */
static bool reaches(const uint8_t destination[6], int vlan)
{
	uint64_t before = count_of(NET_RECEIVE, VIRTIO_NET_FILTERED);
	uint8_t frame[HEADER + 64] = {0};
	uint16_t id;
	uint32_t length;

	memcpy(frame + HEADER, destination, 6);
	if (vlan >= 0) {
		frame[HEADER + 12] = 0x81;
		frame[HEADER + 14] = (uint8_t)(vlan >> 8);
		frame[HEADER + 15] = (uint8_t)vlan;
	}
	(void)add(0, 2, 2000, true);
	publish(0);
	peer_send_header(0, frame, sizeof(frame));
	for (;;) {
		if (driver_get_used(&t.drivers[0], &id, &length))
			return true;
		if (count_of(NET_RECEIVE, VIRTIO_NET_FILTERED) > before)
			return false;
		(void)sched_yield();
	}
}

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t multicast[6] = {0x01, 0x00, 0x5e, 0, 0, 1};
static const uint8_t multicast2[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t other[6] = {0x52, 0x54, 0, 0, 0, 9};

static void receive_modes(void **state)
{
	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	assert_true(reaches(other, -1)); /* promiscuous at first */
	assert_true(reaches(multicast, 5));
	assert_int_equal(COMMAND(0, 0, 0), OK);
	assert_true(reaches(nic_mac, -1));
	assert_true(reaches(broadcast, -1));
	assert_false(reaches(other, -1));
	assert_false(reaches(multicast, -1));
	assert_int_equal(COMMAND(0, 1, 1), OK); /* all multicast */
	assert_true(reaches(multicast, -1));
	assert_int_equal(COMMAND(0, 3, 1), OK); /* none wins */
	assert_false(reaches(multicast, -1));
	assert_int_equal(COMMAND(0, 2, 1), OK); /* all unicast */
	assert_true(reaches(other, -1));
	assert_int_equal(COMMAND(0, 4, 1), OK);
	assert_false(reaches(nic_mac, -1));
	assert_int_equal(COMMAND(0, 5, 1), OK);
	assert_false(reaches(broadcast, -1));
	assert_int_equal(COMMAND(0, 0, 1), OK);
	assert_true(reaches(broadcast, -1));
	stop();
}

static void address_tables(void **state)
{
	uint8_t table[2 + 4 + 6 * 70 + 4 + 6] = {1, 0};

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	assert_int_equal(COMMAND(0, 0, 0), OK);
	/* One of each. */
	table[2] = 1;
	memcpy(table + 6, other, 6);
	table[12] = 1;
	memcpy(table + 16, multicast, 6);
	assert_int_equal(command(table, 22), OK);
	assert_true(reaches(other, -1));
	assert_true(reaches(multicast, -1));
	assert_false(reaches(multicast2, -1));
	/* One that is cut anywhere changes nothing. */
	table[6] ^= 2;
	for (uint32_t length = 2; length < 22; length++)
		assert_int_equal(command(table, length), ERROR);
	assert_int_equal(command(table, 23), ERROR);
	assert_true(reaches(other, -1));
	table[6] ^= 2;
	/* More than fit: all of that kind. */
	memset(table + 2, 0, sizeof(table) - 2);
	table[2] = 70;
	assert_int_equal(command_cut(table, sizeof(table) - 6, 100, 1), OK);
	assert_true(reaches(other, -1));
	assert_false(reaches(multicast, -1));
	/* A count beyond any length. */
	memset(table + 2, 0xff, 4);
	assert_int_equal(command(table, sizeof(table)), ERROR);
	/* None at all. */
	memset(table + 2, 0, 8);
	assert_int_equal(command(table, 10), OK);
	assert_false(reaches(other, -1));
	stop();
}

static void vlans(void **state)
{
	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	assert_true(reaches(nic_mac, 7));
	assert_int_equal(COMMAND(0, 0, 0), OK);
	assert_false(reaches(nic_mac, 7));
	assert_int_equal(COMMAND(2, 0, 7, 0), OK);
	assert_true(reaches(nic_mac, 7));
	assert_false(reaches(nic_mac, 8));
	assert_int_equal(COMMAND(2, 0, 0xff, 0x0f), OK);
	assert_true(reaches(nic_mac, 0xfff));
	assert_int_equal(COMMAND(2, 1, 7, 0), OK);
	assert_false(reaches(nic_mac, 7));
	assert_int_equal(COMMAND(2, 0, 0, 0x10), ERROR);
	/* Without the feature all are wanted. */
	drive((F_CONTROL & ~F_CTRL_VLAN) | F_MRG_RXBUF);
	assert_int_equal(COMMAND(0, 0, 0), OK);
	assert_true(reaches(nic_mac, 7));
	assert_int_equal(COMMAND(2, 0, 7, 0), ERROR);
	stop();
}

static void addresses(void **state)
{
	uint8_t mac[6];

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	assert_int_equal(COMMAND(1, 1, 0x02, 1, 2, 3, 4, 5), OK);
	virtio_device_read_config(t.device, 0, mac, 6);
	assert_memory_equal(mac, ((uint8_t[]){0x02, 1, 2, 3, 4, 5}), 6);
	assert_int_equal(COMMAND(0, 0, 0), OK);
	assert_true(reaches(mac, -1));
	assert_false(reaches(nic_mac, -1));
	assert_int_equal(COMMAND(1, 1, 0x03, 1, 2, 3, 4, 5), ERROR); /* of a group */
	/* Back to its own with a reset. */
	virtio_device_set_status(t.device, 0);
	virtio_device_read_config(t.device, 0, mac, 6);
	assert_memory_equal(mac, nic_mac, 6);
	stop();
	/* And never another one where that matters. */
	start(NULL, true, IO_ENGINE_AUTO);
	drive(F_CONTROL);
	assert_int_equal(COMMAND(1, 1, 0x02, 1, 2, 3, 4, 5), ERROR);
	assert_int_equal(COMMAND(1, 1, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56), OK);
	stop();
}

static void wrong_commands(void **state)
{
	static const struct {
		uint8_t bytes[12];
		uint32_t length;
	} cases[] = {
		{{0}, 0},
		{{0}, 1},
		{{0, 0}, 2},
		{{0, 0, 2}, 3},
		{{0, 0, 1, 0}, 4},
		{{0, 6, 1}, 3},
		{{0, 255, 1}, 3},
		{{1, 1, 2, 2, 2, 2, 2}, 7},
		{{1, 1, 2, 2, 2, 2, 2, 2, 2}, 9},
		{{1, 2}, 2},
		{{2, 0, 1}, 3},
		{{2, 0, 1, 0, 0}, 5},
		{{2, 2, 1, 0}, 4},
		{{3, 0, 0}, 3},
		{{3, 1}, 2},
		{{4, 0, 1, 0}, 4},                    /* no MQ */
		{{5, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10}, /* no CTRL_GUEST_OFFLOADS */
		{{6, 0, 0}, 3},
		{{255, 255, 255}, 3},
	};

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL);
	for (unsigned int i = 0; i < array_size(cases); i++) {
		for (uint32_t cut = 0; cut <= cases[i].length; cut++)
			assert_int_equal(
				command_cut(cases[i].bytes, cases[i].length, cut, 1), ERROR);
		if (cases[i].length)
			assert_int_equal(command_cut(cases[i].bytes, cases[i].length, 0, 0), NONE);
	}
	/* None of the features. */
	drive(F_CTRL_VQ);
	assert_int_equal(COMMAND(0, 0, 1), ERROR);
	assert_int_equal(COMMAND(0, 2, 1), ERROR);
	assert_int_equal(COMMAND(1, 0, 0, 0, 0, 0, 0, 0, 0, 0), ERROR);
	assert_int_equal(COMMAND(1, 1, 2, 2, 2, 2, 2, 2), ERROR);
	assert_int_equal(COMMAND(3, 0), ERROR);
	assert_int_equal(t.events.faults, 0);
	stop();
}

static void offloads(void **state)
{
	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CTRL_VQ | F_GUEST_OFFLOADS | OFFLOADS);
	assert_int_equal(t.header.offloads, 1 | 2);
	assert_int_equal(COMMAND(5, 0, 0, 0, 0, 0, 0, 0, 0, 0), OK);
	assert_int_equal(t.header.offloads, 0);
	assert_int_equal(COMMAND(5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0), OK);
	assert_int_equal(t.header.offloads, 1 | 2);
	assert_int_equal(COMMAND(5, 0, 0x80, 0, 0, 0, 0, 0, 0, 0), OK); /* not without checksums */
	assert_int_equal(t.header.offloads, 0);
	assert_int_equal(COMMAND(5, 0, 0x02, 1, 0, 0, 0, 0, 0, 0), ERROR); /* TSO6: not agreed */
	assert_int_equal(COMMAND(5, 0, 0x02, 0, 0, 0, 0, 0, 0), ERROR);
	stop();
}

static void pairs(void **state)
{
	uint8_t frame[HEADER + 60] = {0};
	uint8_t got[100];
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	control_queue = 4;
	drive(F_CTRL_VQ | F_MQ | F_MRG_RXBUF);
	assert_int_equal(t.header.pairs, 1);
	memset(frame + HEADER, 0x22, 60);
	/* The second pair sleeps until it is asked for. */
	(void)add(2, 2, 2000, true);
	publish(2);
	memcpy(slot_bytes(3), frame, sizeof(frame));
	(void)add(3, 3, sizeof(frame), false);
	publish(3);
	peer_send_header(1, frame, sizeof(frame));
	settle();
	assert_false(has_used(2));
	assert_false(has_used(3));
	assert_int_equal(COMMAND(4, 0, 0, 0), ERROR);
	assert_int_equal(COMMAND(4, 0, 3, 0), ERROR);
	assert_int_equal(COMMAND(4, 0, 2, 1), ERROR);
	assert_int_equal(COMMAND(4, 0, 2), ERROR);
	assert_int_equal(COMMAND(4, 1, 2, 0), ERROR);
	assert_int_equal(COMMAND(4, 0, 2, 0), OK);
	assert_int_equal(t.header.pairs, 2);
	assert_int_equal(wait_used(2, &id), sizeof(frame));
	(void)wait_used(3, &id);
	assert_int_equal(peer_receive_header(1, got, sizeof(got)), sizeof(frame));
	assert_int_equal(COMMAND(4, 0, 1, 0), OK);
	assert_int_equal(t.header.pairs, 1);
	/* Without MQ the control queue is the third. */
	control_queue = 2;
	drive(F_CTRL_VQ | F_CTRL_RX);
	assert_int_equal(COMMAND(0, 0, 1), OK);
	stop();
}

static void configuration(void **state)
{
	struct net_options options = {0};
	uint8_t config[16];

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	virtio_device_read_config(t.device, 0, config, sizeof(config));
	assert_memory_equal(config, nic_mac, 6);
	assert_int_equal(config[6], 1);
	assert_int_equal(config[8], PAIRS);
	assert_int_equal(config[10] | config[11] << 8, 9000);
	assert_int_equal(config[12], 0);
	assert_int_equal(t.device->offered_features,
		F_MAC | F_MTU | F_MRG_RXBUF | F_CONTROL | F_MQ | F_GUEST_OFFLOADS | 0x3 | BIT(7) |
			BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) |
			BIT(54) | BIT(55) | F_HOST_USO);
	stop();
	start(&options, false, IO_ENGINE_AUTO);
	assert_int_equal(t.device->offered_features, F_MAC | F_MRG_RXBUF | F_CONTROL);
	assert_int_equal(t.device->queue_count, 3);
	stop();
}

static void links(void **state)
{
	struct net_options options = {.path = "test-net-listener", .listen = true};
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "test-net-listener"};
	uint8_t frame[64] = {0};
	uint16_t id;

	(void)state;
	start(&options, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	assert_int_equal(status_word(), 0);
	/* Nobody is there: what is sent is gone. */
	memset(slot_bytes(4), 0, 100);
	(void)add(1, 4, 100, false);
	publish(1);
	assert_int_equal(wait_used(1, &id), 0);
	assert_int_equal(count_of(NET_SEND, VIRTIO_NET_NO_LINK), 1);
	for (unsigned int i = 1; i < 4; i++) {
		unsigned int changes = t.events.config_changes;

		t.peers[0] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(
			connect(t.peers[0], (struct sockaddr *)&address, sizeof(address)), 0);
		wait_for(&t.link_ups, i);
		wait_for(&t.events.config_changes, changes + 2);
		assert_int_equal(status_word(), 1 | 2); /* up, and asked to announce itself */
		assert_int_equal(COMMAND(3, 0), OK);
		assert_int_equal(status_word(), 1);
		if (i == 1) {
			(void)add(0, 5, 2000, true);
			publish(0);
		}
		peer_send_stream(frame, sizeof(frame));
		assert_int_equal(wait_used(0, &id), HEADER + sizeof(frame));
		/* A driver without buffers has no interest in what happens on the link. */
		(void)add(0, 6, 2000, true);
		publish(0);
		if (i == 2) /* half a frame, and no more */
			write_all(t.peers[0], "\0\0\1\0", 4);
		if (i == 3) /* no frame is that long */
			write_all(t.peers[0], "\377\0\1\0", 4);
		else
			(void)close(t.peers[0]);
		wait_for(&t.link_downs, i);
		while (status_word() != 0)
			(void)sched_yield();
	}
	stop();
	assert_int_equal(access("test-net-listener", F_OK), -1);
}

static void pulled_cable(void **state)
{
	uint8_t frame[HEADER + 64] = {0}, heard[256];
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	make_frame(frame + HEADER, sizeof(frame) - HEADER, 1);
	for (unsigned int i = 1; i < 4; i++) {
		unsigned int changes = t.events.config_changes;

		virtio_net_set_link(t.net, false);
		virtio_net_set_link(t.net, false);
		assert_int_equal(t.events.config_changes, changes + 1);
		assert_int_equal(status_word(), 0);
		memset(slot_bytes(4), 0, 100);
		(void)add(1, 4, 100, false);
		publish(1);
		assert_int_equal(wait_used(1, &id), 0);
		assert_int_equal(count_of(NET_SEND, VIRTIO_NET_NO_LINK), i);
		(void)add(0, 5, 2000, true);
		publish(0);
		peer_send_header(0, frame, sizeof(frame));
		wait_count(NET_RECEIVE, VIRTIO_NET_NO_LINK, i);
		settle();
		assert_false(has_used(0));
		changes = t.events.config_changes;
		virtio_net_set_link(t.net, true);
		assert_int_equal(
			status_word(), 1); /* up, and in a while asked to announce itself */
		wait_for(&t.events.config_changes, changes + 2);
		assert_int_equal(status_word(), 1 | 2);
		assert_int_equal(COMMAND(3, 0), OK);
		peer_send_header(0, frame, sizeof(frame));
		assert_int_equal(wait_used(0, &id), sizeof(frame));
		(void)add(1, 4, 100, false);
		publish(1);
		assert_int_equal(wait_used(1, &id), 0);
		assert_int_equal(peer_receive_header(0, heard, sizeof(heard)), 100);
	}
	assert_int_equal(count_of(NET_SEND, VIRTIO_NET_FRAMES), 3);
	stop();
}

/* A frame that waits for more buffers when the cable is pulled is not heard afterwards. */
static void pulled_while_a_frame_waits(void **state)
{
	uint8_t frame[HEADER + 4000] = {0};
	uint16_t id;

	(void)state;
	start(NULL, false, IO_ENGINE_AUTO);
	drive(F_CONTROL | F_MRG_RXBUF);
	make_frame(frame + HEADER, sizeof(frame) - HEADER, 1);
	(void)add(0, 5, 2000, true);
	publish(0);
	peer_send_header(0, frame, sizeof(frame));
	settle();
	virtio_net_set_link(t.net, false);
	wait_count(NET_RECEIVE, VIRTIO_NET_NO_LINK, 1);
	virtio_net_set_link(t.net, true);
	peer_send_header(0, frame, HEADER + 60);
	assert_int_equal(wait_used(0, &id), HEADER + 60);
	assert_int_equal(count_of(NET_RECEIVE, VIRTIO_NET_FRAMES), 1);
	stop();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(receive_modes),
		cmocka_unit_test(address_tables),
		cmocka_unit_test(vlans),
		cmocka_unit_test(addresses),
		cmocka_unit_test(wrong_commands),
		cmocka_unit_test(offloads),
		cmocka_unit_test(pairs),
		cmocka_unit_test(configuration),
		cmocka_unit_test(links),
		cmocka_unit_test(pulled_cable),
		cmocka_unit_test(pulled_while_a_frame_waits),
	};

	return cmocka_run_group_tests_name("virtio_net_control", tests, NULL, NULL);
}
