/*
 * A NIC whose queues the host's kernel runs. The kernel is faked here: vhost.h's functions write
 * down what they are told, and the test does what the kernel would.
 */
#include "vhost.h"
#include "virtio_net_fixture.h"

#include <pthread.h>

#define FIRST_FD      100 /* of vhost-net; the pairs' follow */
#define CONTROL_QUEUE (2 * PAIRS)
#define F_ALL         (F_MQ | F_CTRL_VQ | F_MRG_RXBUF | F_STATUS | F_CSUM | F_RESET)
#define F_RESET       BIT(40)
#define FRAME         60
#define BUFFER        2000
#define OK            0

static struct {
	pthread_mutex_t lock;
	uint64_t features;
	unsigned int set_ups;
	bool refuses_set_up, refuses_to_run;
	struct {
		struct vhost_queue config;
		int tap_fd; /* that it runs on; -1: it does not */
	} queues[PAIRS][2];
} kernel = {.lock = PTHREAD_MUTEX_INITIALIZER};

int vhost_net_open(struct err *err)
{
	return err_set(err, ENOENT, "not here");
}

int vhost_net_adopt(int fd, struct err *err)
{
	(void)fd;
	return err_set(err, EBUSY, "another's");
}

int vhost_net_set_up(int fd, uint64_t features, const struct gmem *gmem)
{
	assert_true(fd >= FIRST_FD && fd < FIRST_FD + PAIRS);
	assert_ptr_equal(gmem, &t.gmem);
	assert_int_equal(kernel.queues[fd - FIRST_FD][0].tap_fd, -1);
	assert_int_equal(kernel.queues[fd - FIRST_FD][1].tap_fd, -1);
	kernel.features = features;
	kernel.set_ups++;
	return kernel.refuses_set_up ? -ENOMEM : 0;
}

int vhost_net_set_queue(
	int fd, unsigned int queue, const struct vhost_queue *config, const struct gmem *gmem)
{
	assert_ptr_equal(gmem, &t.gmem);
	assert_int_equal(kernel.queues[fd - FIRST_FD][queue].tap_fd, -1);
	kernel.queues[fd - FIRST_FD][queue].config = *config;
	return 0;
}

int vhost_net_set_notify(int fd, unsigned int queue, int notify_fd)
{
	(void)pthread_mutex_lock(&kernel.lock);
	kernel.queues[fd - FIRST_FD][queue].config.notify_fd = notify_fd;
	(void)pthread_mutex_unlock(&kernel.lock);
	return 0;
}

static void set_tap(int fd, unsigned int queue, int tap_fd)
{
	(void)pthread_mutex_lock(&kernel.lock);
	kernel.queues[fd - FIRST_FD][queue].tap_fd = tap_fd;
	(void)pthread_mutex_unlock(&kernel.lock);
}

static int tap_of(unsigned int pair, unsigned int queue)
{
	int fd;

	(void)pthread_mutex_lock(&kernel.lock);
	fd = kernel.queues[pair][queue].tap_fd;
	(void)pthread_mutex_unlock(&kernel.lock);
	return fd;
}

int vhost_net_run(int fd, unsigned int queue, int tap_fd)
{
	if (kernel.refuses_to_run)
		return -EINVAL;
	set_tap(fd, queue, tap_fd);
	return 0;
}

void vhost_net_stop(int fd, unsigned int queue)
{
	set_tap(fd, queue, -1);
}

int vhost_net_position(int fd, unsigned int queue, uint16_t *ret_position)
{
	assert_int_equal(tap_of((unsigned int)(fd - FIRST_FD), queue), -1);
	*ret_position = 0;
	return 0;
}

static void begin(unsigned int threads)
{
	kernel.set_ups = 0;
	kernel.refuses_set_up = kernel.refuses_to_run = false;
	for (unsigned int i = 0; i < PAIRS; i++)
		kernel.queues[i][0].tap_fd = kernel.queues[i][1].tap_fd = -1;
	t.vhost_fd = FIRST_FD;
	start_on(threads, NULL, false, IO_ENGINE_AUTO);
}

static void check_runs(unsigned int pair, bool runs)
{
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(tap_of(pair, i), runs ? t.backend->pairs[pair].fd : -1);
}

static uint8_t use_pairs(uint8_t count)
{
	const struct driver_buffer buffers[] = {
		{slot_address(0), 4, false}, {slot_address(1), 1, true}};
	uint16_t id;

	memcpy(slot_bytes(0), (const uint8_t[]){4, 0, count, 0}, 4);
	assert_true(driver_add(&t.drivers[CONTROL_QUEUE], buffers, 2, 0, &id));
	publish(CONTROL_QUEUE);
	assert_int_equal(wait_used(CONTROL_QUEUE, &id), 1);
	return slot_bytes(1)[0];
}

static void tell(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void what_cannot_be_opened_changes_nothing(void **state)
{
	struct net net = {.ops = &header_ops, .pair_count = PAIRS};
	struct err err = {0};
	int given = dup(STDIN_FILENO);

	(void)state;
	for (unsigned int i = 0; i < NET_PAIRS_MAX; i++)
		net.pairs[i].vhost_fd = -1;
	assert_int_equal(net_open_vhost(&net, -1, &err), -EINVAL);
	assert_string_equal(err.text, "vhost goes with a tap that has IFF_VNET_HDR");
	net.has_vnet_header = true;
	assert_int_equal(net_open_vhost(&net, -1, &err), -ENOENT);
	assert_int_equal(net_open_vhost(&net, given, &err), -EBUSY);
	assert_int_equal(fcntl(given, F_GETFD), -1);
	assert_false(net.has_vhost);
	assert_int_equal(net.pairs[0].vhost_fd, -1);
}

static void the_kernel_runs_the_rings(void **state)
{
	const struct vhost_queue *config;

	(void)state;
	begin(PAIRS);
	assert_false(virtio_device_features(t.device) & F_PACKED);
	check_runs(0, false);
	drive(F_ALL | F_EVENT_IDX);
	check_runs(0, true);
	check_runs(1, false);
	assert_int_equal(kernel.set_ups, PAIRS);
	assert_int_equal(kernel.features, F_ALL | F_EVENT_IDX | F_VERSION_1);
	for (unsigned int i = 0; i < 2 * PAIRS; i++) {
		config = &kernel.queues[i / 2][i % 2].config;
		assert_int_equal(config->size, QUEUE_SIZE);
		assert_int_equal(config->descriptor_area, t.drivers[i].descriptor_area);
		assert_int_equal(config->driver_area, t.drivers[i].driver_area);
		assert_int_equal(config->device_area, t.drivers[i].device_area);
		assert_int_equal(config->doorbell_fd, t.device->queues[i].notify_fd);
		assert_int_equal(t.events.notifications[i], 0);
		tell(config->notify_fd);
		wait_for(&t.events.notifications[i], 1);
	}
	/* What the driver makes available is the kernel's to see. */
	(void)add(TX_QUEUE, 0, HEADER + FRAME, false);
	publish(TX_QUEUE);
	settle();
	assert_false(has_used(TX_QUEUE));
	assert_int_equal(t.events.faults, 0);
	stop();
	check_runs(0, false);
}

static void pairs_run_while_they_are_used(void **state)
{
	(void)state;
	begin(PAIRS);
	drive(F_ALL);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(use_pairs(2), OK);
		check_runs(0, true);
		check_runs(1, true);
		assert_int_equal(use_pairs(1), OK);
		check_runs(0, true);
		check_runs(1, false);
	}
	assert_int_equal(use_pairs(2), OK);
	virtio_device_set_status(t.device, 0);
	check_runs(0, false);
	check_runs(1, false);
	/* Without MQ the control queue is the third, and Hull's. */
	drive(F_CTRL_VQ);
	check_runs(0, true);
	check_runs(1, false);
	stop();
}

static _Atomic int first_interrupt_fd;

static int interrupt_fd(void *transport, unsigned int queue)
{
	(void)transport;
	return first_interrupt_fd + (int)queue;
}

static int no_interrupt_fd(void *transport, unsigned int queue)
{
	(void)transport;
	(void)queue;
	return -1;
}

static void the_interrupt_itself_is_preferred(void **state)
{
	int own;

	(void)state;
	begin(1);
	first_interrupt_fd = 1000;
	t.device->notifier.used_buffer_fd = no_interrupt_fd;
	drive(F_ALL);
	own = kernel.queues[0][1].config.notify_fd;
	assert_true(own > 0 && own < FIRST_FD);
	t.device->notifier.used_buffer_fd = interrupt_fd;
	virtio_device_notifier_changed(t.device);
	assert_int_equal(kernel.queues[0][1].config.notify_fd, 1001);
	assert_int_equal(t.events.notifications[1], 1);
	virtio_device_notifier_changed(t.device);
	assert_int_equal(t.events.notifications[1], 1);
	first_interrupt_fd = 2000;
	virtio_device_notifier_changed(t.device);
	assert_int_equal(kernel.queues[0][0].config.notify_fd, 2000);
	drive(F_ALL);
	assert_int_equal(kernel.queues[0][1].config.notify_fd, 2001);
	t.device->notifier.used_buffer_fd = no_interrupt_fd;
	virtio_device_notifier_changed(t.device);
	assert_int_equal(kernel.queues[0][1].config.notify_fd, own);
	/* Nobody is notified of queues that do not run. */
	virtio_device_set_status(t.device, 0);
	t.events.notifications[1] = 0;
	t.device->notifier.used_buffer_fd = interrupt_fd;
	virtio_device_notifier_changed(t.device);
	assert_int_equal(t.events.notifications[1], 0);
	stop();
}

static void a_queue_alone_is_reset(void **state)
{
	struct bring_up to;

	(void)state;
	begin(1);
	drive(F_ALL);
	to = all_queues();
	to.queue_size = QUEUE_SIZE / 2;
	assert_true(virtio_device_reset_queue(t.device, RX_QUEUE));
	assert_int_equal(tap_of(0, 0), -1);
	assert_int_equal(tap_of(0, 1), t.backend->pairs[0].fd);
	bring_up_queue(&to, RX_QUEUE, 0);
	check_runs(0, true);
	assert_int_equal(kernel.queues[0][0].config.size, QUEUE_SIZE / 2);
	stop();
}

static void a_broken_ring_needs_a_reset(void **state)
{
	(void)state;
	begin(PAIRS);
	for (unsigned int i = 0; i < 3; i++) {
		drive(F_ALL);
		assert_int_equal(use_pairs(2), OK);
		tell(kernel.queues[1][1].config.error_fd);
		wait_for(&t.events.faults, i + 1);
		settle();
		assert_int_equal(virtio_device_status(t.device), 0x40 | 15);
		check_runs(0, false);
		check_runs(1, false);
	}
	/* The next driver is not blamed. */
	drive(F_ALL);
	settle();
	assert_int_equal(t.events.faults, 3);
	check_runs(0, true);
	stop();
}

/* Hull carries frames as if there were no vhost-net. */
static void check_hull_sends(void)
{
	uint8_t expected[FRAME], got[HEADER + FRAME];
	uint16_t id;

	memset(slot_bytes(2), 0, HEADER);
	make_frame(slot_bytes(2) + HEADER, FRAME, 1);
	(void)add(TX_QUEUE, 2, HEADER + FRAME, false);
	publish(TX_QUEUE);
	make_frame(expected, FRAME, 1);
	assert_int_equal(peer_receive_header(0, got, sizeof(got)), sizeof(got));
	assert_memory_equal(got + HEADER, expected, FRAME);
	(void)wait_used(TX_QUEUE, &id);
}

static void what_the_kernel_refuses_hull_runs(void **state)
{
	(void)state;
	begin(1);
	kernel.refuses_set_up = true;
	drive(F_ALL);
	check_hull_sends();
	kernel.refuses_set_up = false;
	/* Behind the hand-over: found out within a second, and taken back. */
	kernel.refuses_to_run = true;
	drive(F_ALL);
	check_hull_sends();
	assert_true(t.events.notifications[TX_QUEUE] > 0);
	kernel.refuses_to_run = false;
	drive(F_ALL);
	check_runs(0, true);
	assert_int_equal(t.events.faults, 0);
	stop();
}

static void a_lost_link_is_found(void **state)
{
	uint16_t id;

	(void)state;
	begin(PAIRS);
	drive(F_ALL);
	assert_int_equal(use_pairs(2), OK);
	(void)add(TX_QUEUE, 0, HEADER + FRAME, false);
	publish(TX_QUEUE);
	(void)close(t.peers[0]);
	t.peers[0] = -1;
	wait_for(&t.link_downs, 1);
	/* What waits is dropped. */
	(void)wait_used(TX_QUEUE, &id);
	wait_count(NET_SEND, VIRTIO_NET_NO_LINK, 1);
	check_runs(0, false);
	while (tap_of(1, 0) >= 0 || tap_of(1, 1) >= 0)
		(void)sched_yield();
	/* A driver that comes later has Hull. */
	drive(F_ALL);
	check_runs(0, false);
	assert_int_equal(t.events.faults, 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_opened_changes_nothing),
		cmocka_unit_test(the_kernel_runs_the_rings),
		cmocka_unit_test(pairs_run_while_they_are_used),
		cmocka_unit_test(the_interrupt_itself_is_preferred),
		cmocka_unit_test(a_queue_alone_is_reset),
		cmocka_unit_test(a_broken_ring_needs_a_reset),
		cmocka_unit_test(what_the_kernel_refuses_hull_runs),
		cmocka_unit_test(a_lost_link_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
