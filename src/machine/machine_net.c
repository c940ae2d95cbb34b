/* See machine_net.h. */
#include "machine_net.h"

#include "config_net.h"
#include "fd.h"
#include "log.h"
#include "machine_internal.h"
#include "machine_io.h"
#include "net_helper.h"
#include "virtio_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct machine_net {
	const struct machine *machine;
	const char *name;         /* borrowed */
	struct net_helper helper; /* of user and passt */
	struct net *backend;
	struct virtio_net *device;
	struct log_limiter link_limiter;
};

static const char *reason(int code)
{
	/* A reset is what Linux makes of a close with frames that nobody has read. */
	return code == -EPIPE || code == -ECONNRESET ? "its peer has closed it"
	       : code == -ENODEV || code == -EBADFD  ? "it has vanished"
	       : code == -EPROTO                     ? "its peer sends no frames"
	                                             : strerrordesc_np(-code);
}

static void link_changed(void *owner, bool up, int code)
{
	struct machine_net *net = owner;

	if (up)
		log_limited(&net->link_limiter, LOG_LEVEL_INFO, "%s: the link of %s is up",
			net->name, net->backend->name);
	else
		log_limited(&net->link_limiter, LOG_LEVEL_WARNING, "%s: the link of %s is down: %s",
			net->name, net->backend->name, reason(code));
}

static void capture_ended(void *owner, int code)
{
	const struct machine_net *net = owner;

	log_line(LOG_LEVEL_WARNING, "%s: its capture has ended: %s", net->name,
		strerrordesc_np(-code));
}

static bool has_helper(const struct config_net *config)
{
	return config->kind == CONFIG_NET_USER || config->kind == CONFIG_NET_PASST;
}

static unsigned int pair_count(const struct config_net *config)
{
	return config->queue_count ? config->queue_count : 1;
}

static int open_backend(
	struct machine_net *net, const struct config_net *config, int helper_fd, struct err *err)
{
	const struct net_options options = {
		.kind = config->kind == CONFIG_NET_TAP ? NET_TAP : NET_SOCKET,
		.path = config->path,
		.fd = has_helper(config) ? helper_fd : config->fd,
		.listen = config->listen,
		.peer = config->peer,
		.bridge = config->bridge,
		.mtu = config->mtu,
		.pairs = pair_count(config),
		.pcap_path = config->pcap_path,
		.rates = {[NET_RECEIVE] = {.bytes_per_second = config->rx_bytes_per_second,
				  .burst_bytes = config->rx_burst_bytes},
			[NET_SEND] = {.bytes_per_second = config->tx_bytes_per_second,
				.burst_bytes = config->tx_burst_bytes}},
	};

	return net_open(&options, &net->backend, err);
}

static int open_vhost(struct machine_net *net, const struct config_net *config, struct err *err)
{
	struct err why = {0};

	if (config->vhost == CONFIG_NET_VHOST_ON)
		return net_open_vhost(net->backend, config->vhost_fd, err);
	if (config->vhost == CONFIG_NET_VHOST_OFF)
		return 0;
	if (config_net_looks_at_frames(config))
		log_line(LOG_LEVEL_DEBUG,
			"%s: without vhost-net, which what was asked for "
			"excludes",
			net->name);
	else if (net_open_vhost(net->backend, -1, &why) < 0)
		log_line(LOG_LEVEL_DEBUG, "%s: without vhost-net: %s", net->name, why.text);
	return 0;
}

static int create(struct machine_net *net, unsigned int number, struct virtio_net_options *options,
	struct err *err)
{
	const struct config *config = net->machine->config;
	const struct config_net *nic = &config->nets[number];
	cleanup_fd int helper_fd = -1;
	int r = 0;

	if (has_helper(nic))
		r = net_helper_start(config, number, &net->helper, &helper_fd, err);
	if (r == 0)
		r = open_backend(net, nic, take_fd(&helper_fd), err);
	if (r == 0)
		r = open_vhost(net, nic, err);
	if (r < 0)
		return err_prefix(err, r, "%s", net->name);
	if (has_helper(nic))
		(void)snprintf(net->backend->name, sizeof(net->backend->name), "%s",
			nic->kind == CONFIG_NET_USER ? "user" : "passt");
	options->name = net->name;
	options->mtu = has_helper(nic) && !nic->mtu ? NET_HELPER_MTU : nic->mtu;
	options->antispoof = nic->antispoof;
	options->backend = net->backend;
	options->gmem = &net->machine->gmem;
	options->sink = (struct virtio_net_sink){
		.link_changed = link_changed, .capture_ended = capture_ended, .owner = net};
	config_net_mac(config, number, options->mac);
	return virtio_net_create(options, &net->device, err);
}

int machine_net_create(struct machine *machine, unsigned int number, const char *name,
	const struct machine_io *io, unsigned int first, const struct virtio_fault_sink *fault_sink,
	struct machine_net **ret_net, struct err *err)
{
	const unsigned int pairs = pair_count(&machine->config->nets[number]);
	struct io_thread *threads[NET_PAIRS_MAX];
	struct virtio_net_options options = {.io_threads = threads,
		.io_thread_count = pairs < io->count ? pairs : io->count,
		.fault_sink = *fault_sink};
	struct machine_net *net = calloc(1, sizeof(*net));
	int r;

	if (!net)
		return err_set_errno(err, ENOMEM, "%s", name);
	for (unsigned int i = 0; i < options.io_thread_count; i++)
		threads[i] = machine_io_thread(io, first + i);
	net->machine = machine;
	net->name = name;
	r = create(net, number, &options, err);
	if (r < 0) {
		machine_net_destroy(net);
		return r;
	}
	*ret_net = net;
	return 0;
}

int machine_net_wait(struct machine_net *net, struct err *err)
{
	int r = net_helper_wait(&net->helper, err);

	return r < 0 ? err_prefix(err, r, "%s", net->name) : 0;
}

struct virtio_device *machine_net_device(struct machine_net *net)
{
	return virtio_net_device(net->device);
}

void machine_net_set_link(struct machine_net *net, bool up)
{
	virtio_net_set_link(net->device, up);
}

static void report_queue(
	const struct machine_net *net, unsigned int pair, enum net_direction direction)
{
	static const char *const words[] = {[NET_RECEIVE] = "received", [NET_SEND] = "sent"};
	cleanup_text struct text text = {0};

	for (unsigned int i = 0; i < VIRTIO_NET_COUNTS; i++) {
		enum virtio_net_count which = (enum virtio_net_count)i;
		uint64_t count = virtio_net_count(net->device, pair, direction, which);

		if (count || which == VIRTIO_NET_FRAMES)
			text_addf(&text, "%s%" PRIu64 " %s", text.length ? ", " : "", count,
				virtio_net_count_name(which));
	}
	log_line(net->machine->config->timing ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		"%s, queue pair %u: %s %s", net->name, pair, words[direction], text_string(&text));
}

void machine_net_report(const struct machine_net *net)
{
	uint64_t missed = net_capture_missed(net->backend);

	if (missed)
		log_line(LOG_LEVEL_WARNING,
			"%s: its capture lacks %" PRIu64 " frames: the file was too slow",
			net->name, missed);
	if (net->backend->has_vhost)
		log_line(net->machine->config->timing ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
			"%s: frames are moved by vhost-net, which does not count them", net->name);
	for (unsigned int i = 0; i < net->backend->pair_count; i++) {
		report_queue(net, i, NET_RECEIVE);
		report_queue(net, i, NET_SEND);
	}
}

void machine_net_destroy(struct machine_net *net)
{
	if (!net)
		return;
	virtio_net_destroy(net->device);
	net_close(net->backend);
	net_helper_stop(&net->helper);
	free(net);
}
