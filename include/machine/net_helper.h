/*
 * The process that is the network of a NIC of kind user or passt, and the stream of frames that
 * leads to it. Main thread.
 *
 * Of kind user it is this program again (net_user.h); of kind passt it is passt. Either ends when
 * the stream is closed, whatever closed it; user's is killed besides when the VM's process ends.
 */
#pragma once

#include "config.h"
#include "err.h"

#include <sys/types.h>

struct net_helper {
	pid_t pid;     /* 0: none */
	int status_fd; /* owned, while pid is not 0; -1: none. What the process has to say before it
	                  is ready */
	enum config_net_kind kind;
};

/* The MTU of a NIC whose configuration names none: large, because each frame costs a pass through a
 * protocol stack in user space. */
#define NET_HELPER_MTU 65520

/* The hidden command by which this program is started again; its word is the NIC, as --net has it.
 */
#define NET_HELPER_COMMAND "net-helper"

/* Starts the process for the index-th NIC; from the main thread, with whose end user's is killed.
 * ret_fd: the stream, owned by the caller; frames may be written before net_helper_wait returns.
 * What cannot work (no libslirp in this build, no passt) is told by the one or the other. */
must_check int net_helper_start(const struct config *config, unsigned int index,
	struct net_helper *ret_helper, int *ret_fd, struct err *err);

/* Waits until the network is there: 0, or why it cannot be, as a sentence. Once. An empty one (all
 * zero) is there. */
must_check int net_helper_wait(struct net_helper *helper, struct err *err);

/* The caller has closed the stream, or is about to. An empty one is nothing to stop. */
void net_helper_stop(struct net_helper *helper);
