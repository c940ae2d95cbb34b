#include "net_iov.h"
#include "virtio_net_fixture.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PCAP_PATH "test-net.pcap"

static uint8_t got[70000];

static void lists_of_buffers(void **state)
{
	char first[] = "abc", second[] = "", third[] = "defgh";
	const struct iovec iov[] = {{first, 3}, {second, 0}, {third, 5}};
	struct iovec slice[3];
	static const char all[] = "abcdefgh";
	char text[16] = {0};

	(void)state;
	assert_int_equal(net_iov_bytes(iov, 3), 8);
	for (size_t offset = 0; offset < 10; offset++) {
		for (size_t length = 0; length < 10; length++) {
			size_t left = offset < 8 ? 8 - offset : 0;
			size_t expected = length < left ? length : left;
			unsigned int count = net_iov_slice(iov, 3, offset, length, slice);

			memset(text, 0, sizeof(text));
			assert_int_equal(net_iov_read(iov, 3, offset, text, length), expected);
			assert_memory_equal(text, all + (offset < 8 ? offset : 8), expected);
			assert_int_equal(text[expected], 0);
			assert_int_equal(net_iov_bytes(slice, count), expected);
			memset(text, 0, sizeof(text));
			assert_int_equal(net_iov_read(slice, count, 0, text, 16), expected);
			assert_memory_equal(text, all + (offset < 8 ? offset : 8), expected);
		}
	}
	assert_int_equal(net_iov_write(iov, 3, 2, "XYZ", 3), 3);
	assert_int_equal(net_iov_write(iov, 3, 7, "!!", 2), 1);
	assert_string_equal(first, "abX");
	assert_string_equal(third, "YZfg!");
}

/* https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.txt, 4 and 5; nanoseconds. */
static void check_capture(const size_t *lengths, unsigned int count)
{
	FILE *file = fopen(PCAP_PATH, "re");
	uint32_t header[6];

	assert_non_null(file);
	assert_int_equal(fread(header, sizeof(header), 1, file), 1);
	assert_int_equal(header[0], 0xa1b23c4d);
	assert_int_equal(header[1], 4 << 16 | 2);
	assert_int_equal(header[5], 1);
	for (unsigned int i = 0; i < count; i++) {
		uint8_t frame[70000];
		uint32_t record[4];

		assert_int_equal(fread(record, sizeof(record), 1, file), 1);
		assert_true(record[1] < 1000000000);
		assert_int_equal(record[2], lengths[i]);
		assert_int_equal(record[3], lengths[i]);
		assert_int_equal(fread(got, lengths[i], 1, file), 1);
		make_frame(frame, lengths[i], i);
		assert_memory_equal(got, frame, lengths[i]);
	}
	assert_int_equal(fgetc(file), EOF);
	(void)fclose(file);
}

static void send_frames(const size_t *lengths, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint16_t id;

		if (i % 2) {
			uint8_t frame[70000];

			make_frame(frame, lengths[i], i);
			(void)add(RX_QUEUE, 0, 0x11000, true);
			publish(RX_QUEUE);
			peer_send_stream(frame, lengths[i]);
			(void)wait_used(RX_QUEUE, &id);
			continue;
		}
		memset(slot_bytes(1), 0, HEADER);
		make_frame(slot_bytes(1) + HEADER, lengths[i], i);
		(void)add(TX_QUEUE, 1, HEADER + (uint32_t)lengths[i], false);
		publish(TX_QUEUE);
		assert_int_equal(peer_receive_stream(got), lengths[i]);
		(void)wait_used(TX_QUEUE, &id);
	}
}

static void what_passes_is_captured(void **state)
{
	static const size_t lengths[] = {60, 14, 1514, 65557, 100, 9000, 65557, 60};
	struct net_options options = {.pcap_path = PCAP_PATH};
	struct stat status;

	(void)state;
	start(&options, false, IO_ENGINE_AUTO);
	drive(F_MRG_RXBUF);
	send_frames(lengths, array_size(lengths));
	stop();
	check_capture(lengths, array_size(lengths));
	assert_int_equal(stat(PCAP_PATH, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	(void)unlink(PCAP_PATH);
}

/* The file cannot grow any more: the capture ends, and nothing else. */
static void a_full_file_ends_the_capture(void **state)
{
	static const size_t lengths[] = {60, 60, 9000, 60, 60, 9000, 60};
	struct net_options options = {.pcap_path = PCAP_PATH};
	struct rlimit old, small;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4096;
	start(&options, false, IO_ENGINE_THREADS);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	drive(F_MRG_RXBUF);
	send_frames(lengths, array_size(lengths));
	wait_for(&t.captures_ended, 1);
	send_frames(lengths, array_size(lengths));
	stop();
	assert_int_equal(t.captures_ended, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	(void)unlink(PCAP_PATH);
}

static void refuse(const struct net_options *options, const char *sentence)
{
	struct net *net = NULL;
	struct err err = {0};

	assert_true(net_open(options, &net, &err) < 0);
	if (!strstr(err.text, sentence))
		fail_msg("'%s' is not in '%s'", sentence, err.text);
}

static void what_cannot_be_opened_is_named(void **state)
{
	int fds[2];

	(void)state;
	refuse(&(struct net_options){.kind = NET_SOCKET, .fd = -1, .path = "test-no-socket"},
		"socket 'test-no-socket': nobody can be reached there");
	refuse(&(struct net_options){.kind = NET_SOCKET, .fd = 987, .path = NULL},
		"socket fd:987: the descriptor is no socket");
	refuse(&(struct net_options){.kind = NET_SOCKET, .fd = -1, .path = "test-unit", .peer = ""},
		"the path is empty");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	refuse(&(struct net_options){.kind = NET_TAP, .fd = fds[0], .pairs = 1},
		"tap: the descriptor is no tap");
	(void)close(fds[1]);
	make_pair(SOCK_STREAM, fds);
	refuse(&(struct net_options){.kind = NET_SOCKET, .fd = fds[0], .pcap_path = "/dev/null"},
		"capture '/dev/null': it is not a regular file");
	(void)close(fds[1]);
}

static void send_one(const uint8_t *frame, size_t length)
{
	uint16_t id;

	memset(slot_bytes(1), 0, HEADER);
	memcpy(slot_bytes(1) + HEADER, frame, length);
	(void)add(TX_QUEUE, 1, (uint32_t)(HEADER + length), false);
	publish(TX_QUEUE);
	(void)wait_used(TX_QUEUE, &id);
}

/* A peer that may come and go; what is sent meanwhile is lost, as on a cable that leads nowhere. */
static void datagrams(void **state)
{
	struct net_options options = {.path = "test-net-a", .peer = "test-net-b"};
	struct sockaddr_un own = {.sun_family = AF_UNIX, .sun_path = "test-net-b"};
	struct sockaddr_un nic = {.sun_family = AF_UNIX, .sun_path = "test-net-a"};
	uint8_t frame[1000];
	uint16_t id;

	(void)state;
	(void)unlink("test-net-b");
	make_frame(frame, sizeof(frame), 1);
	start(&options, false, IO_ENGINE_AUTO);
	drive(F_MRG_RXBUF);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t lost = count_of(NET_SEND, VIRTIO_NET_REFUSED);
		uint64_t sent = count_of(NET_SEND, VIRTIO_NET_FRAMES);
		int peer;

		send_one(frame, sizeof(frame));
		assert_int_equal(count_of(NET_SEND, VIRTIO_NET_REFUSED), lost + 1);
		peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(peer, (struct sockaddr *)&own, sizeof(own)), 0);
		assert_int_equal(connect(peer, (struct sockaddr *)&nic, sizeof(nic)), 0);
		/* It looks for its peer again in a while. */
		while (count_of(NET_SEND, VIRTIO_NET_FRAMES) == sent)
			send_one(frame, sizeof(frame));
		assert_int_equal(recv(peer, got, sizeof(got), 0), sizeof(frame));
		assert_memory_equal(got, frame, sizeof(frame));
		(void)add(RX_QUEUE, 0, 2000, true);
		publish(RX_QUEUE);
		assert_int_equal(send(peer, frame, sizeof(frame), 0), sizeof(frame));
		assert_int_equal(wait_used(RX_QUEUE, &id), HEADER + sizeof(frame));
		assert_memory_equal(slot_bytes(0) + HEADER, frame, sizeof(frame));
		(void)close(peer);
		(void)unlink("test-net-b");
	}
	assert_int_equal(t.link_downs, 0);
	stop();
	assert_int_equal(access("test-net-a", F_OK), -1);
}

/* With the kernel's own tap, where this process may have one. */
static void a_tap(void **state)
{
	struct net_options options = {.kind = NET_TAP, .fd = -1, .pairs = 2, .mtu = 4000};
	struct net *net, *other;
	struct err err = {0};
	uint8_t header[HEADER] = {0}, frame[100];
	struct iovec iov[2] = {{header, sizeof(header)}, {frame, sizeof(frame)}};
	struct io_thread_options thread_options = {.name = "test"};
	struct io_thread *threads[2];
	const struct net_events events = {.link_changed = count_link};
	char *name;

	(void)state;
	if (net_open(&options, &net, &err) != 0) {
		print_message("no tap here: %s\n", err.text);
		skip();
	}
	assert_int_equal(net->mtu, 4000);
	assert_int_equal(net->pair_count, 2);
	assert_true(net->has_vnet_header);
	assert_int_equal(net->receive_offloads & 15, 15);
	name = strchr(net->name, '\'') + 1;
	*strchr(name, '\'') = '\0';
	assert_true(if_nametoindex(name) > 0);
	options.path = name;
	options.pairs = 2;
	options.bridge = "no-such-bridge";
	assert_int_equal(net_open(&options, &other, &err), -ENODEV);
	assert_non_null(strstr(err.text, "cannot be put into the bridge 'no-such-bridge'"));
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(io_thread_create(&thread_options, &threads[i], &err), 0);
	assert_int_equal(net_attach(net, threads, &events, &err), 0);
	make_frame(frame, sizeof(frame), 1);
	/* On this thread, which is not the I/O thread: nothing runs there now. */
	assert_int_equal(net_send(net, 0, iov, 2), 0);
	assert_int_equal(net_send(net, 1, iov, 2), 0);
	assert_int_equal(net_set_pairs(net, 1), 0);
	assert_int_equal(net_send(net, 1, iov, 2), -EAGAIN);
	assert_int_equal(net_receive(net, 1, iov, 2), -EAGAIN);
	assert_true(net_link_is_up(net));
	assert_int_equal(net_set_pairs(net, 2), 0);
	assert_int_equal(net_send(net, 1, iov, 2), 0);
	header[0] = 1;
	header[1] = 1;    /* TCP over IPv4 in segments, */
	header[4] = 0xff; /* ... of a size that is not in the frame */
	header[6] = 0xff;
	header[7] = 0xff;
	assert_int_equal(net_send(net, 0, iov, 2), -EINVAL);
	net_detach(net);
	for (unsigned int i = 0; i < 2; i++)
		io_thread_destroy(threads[i]);
	net_close(net);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_buffers),
		cmocka_unit_test(what_passes_is_captured),
		cmocka_unit_test(a_full_file_ends_the_capture),
		cmocka_unit_test(what_cannot_be_opened_is_named),
		cmocka_unit_test(datagrams),
		cmocka_unit_test(a_tap),
	};

	return cmocka_run_group_tests_name("net_backend", tests, NULL, NULL);
}
