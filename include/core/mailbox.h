/*
 * Small messages from any thread to the main loop, in order. Behind it is a pipe: a message is one
 * atomic write, so there is no lock and no allocation, and sending never blocks.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "loop.h"

#include <stdint.h>

struct mail {
	uint32_t kind; /* the owner's own numbering */
	uint32_t value;
	const void *about;
};

struct mailbox {
	struct loop *loop; /* borrowed */
	struct loop_source source;
	int write_fd;
	void (*received)(void *owner, const struct mail *mail);
	void *owner;
};

must_check int mailbox_init(struct mailbox *mailbox, struct loop *loop,
	void (*received)(void *owner, const struct mail *mail), void *owner, struct err *err);
void mailbox_fini(struct mailbox *mailbox); /* one that is all zero is accepted */

/* Any thread. -EAGAIN: the box is full (a page of messages is unread) and the message is lost. */
int mailbox_send(struct mailbox *mailbox, struct mail mail);

/* Main thread: throws away what is unread. */
void mailbox_drain(struct mailbox *mailbox);
