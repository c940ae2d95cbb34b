/*
 * The host kernel's virtio-net (Documentation of linux/vhost.h): one descriptor of /dev/vhost-net
 * serves one queue pair of a tap, reads the driver's split rings by itself and calls nobody.
 *
 * Any thread of the process that opened it; the kernel serialises. Nothing is kept here: callers
 * remember what they have set. Queue 0 is the receive queue, 1 the transmit queue.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "gmem.h"

#include <stdint.h>

#define VHOST_NET_PATH "/dev/vhost-net"

/* The descriptor, whose memory is this process's and which has all that Hull asks of it; or -errno,
 * with a sentence that says what to do. */
must_check int vhost_net_open(struct err *err);
/* Likewise with one that somebody else has opened: 0 or -errno. The caller keeps it. */
must_check int vhost_net_adopt(int fd, struct err *err);

/* What every ring has in common; no queue runs. features: as the driver has accepted them; those
 * that are not about rings are left out. */
must_check int vhost_net_set_up(int fd, uint64_t features, const struct gmem *gmem);

struct vhost_queue {
	uint16_t size;
	uint64_t descriptor_area, driver_area, device_area; /* guest addresses; checked already */
	int doorbell_fd; /* written to when something was made available */
	int notify_fd;   /* written to for a used buffer notification */
	int error_fd;    /* written to when the driver broke the rules, and nothing goes on */
};

/* From the beginning of its rings; the queue does not run. */
must_check int vhost_net_set_queue(
	int fd, unsigned int queue, const struct vhost_queue *config, const struct gmem *gmem);
/* Also while it runs. */
must_check int vhost_net_set_notify(int fd, unsigned int queue, int notify_fd);
/* Runs it on the tap, from where it stopped. */
must_check int vhost_net_run(int fd, unsigned int queue, int tap_fd);
/* Nothing is in flight when it returns. Stopping what does not run does nothing. */
void vhost_net_stop(int fd, unsigned int queue);
/* Of a queue that was stopped: free running index of the next available entry, as of the next used
 * one. */
must_check int vhost_net_position(int fd, unsigned int queue, uint16_t *ret_position);
