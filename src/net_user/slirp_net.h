/*
 * libslirp between the stream of frames and the host's sockets: its callbacks, and the loop.
 *
 * One thread, one of these per process. Memory is bounded: the guest's frames are taken as they
 * come and what cannot be sent is dropped by libslirp, as on any network; frames to the guest wait
 * in one buffer, and while that is nearly full no socket of the host is read, so that senders are
 * slowed down by their own protocols.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "net_user.h"

struct slirp_net;

/* Opens the published ports. stream_fd: borrowed. -EADDRINUSE and the like with a sentence. */
must_check int slirp_net_create(int stream_fd, const struct net_user_options *options,
	struct slirp_net **ret_net, struct err *err);

void slirp_net_destroy(struct slirp_net *net); /* NULL is accepted */

/* 0: the VM closed the stream; -EPROTO: it was no stream of frames; -errno. */
must_check int slirp_net_run(struct slirp_net *net);
