/* See mailbox.h. */
#include "mailbox.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void mail_ready(void *owner, short revents)
{
	struct mailbox *mailbox = owner;
	struct mail mail;

	(void)revents;
	if (read(mailbox->source.fd, &mail, sizeof(mail)) == sizeof(mail))
		mailbox->received(mailbox->owner, &mail);
}

int mailbox_init(struct mailbox *mailbox, struct loop *loop,
	void (*received)(void *owner, const struct mail *mail), void *owner, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set_errno(err, errno, "cannot create a pipe");
	*mailbox = (struct mailbox){
		.loop = loop,
		.source = {.fd = fds[0], .events = POLLIN, .ready = mail_ready, .owner = mailbox},
		.write_fd = fds[1],
		.received = received,
		.owner = owner,
	};
	if (loop_attach(loop, &mailbox->source) < 0) {
		mailbox_fini(mailbox);
		return err_set(err, ENOSPC, "too many event sources");
	}
	return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
	if (!mailbox->loop)
		return;
	loop_detach(mailbox->loop, &mailbox->source);
	fd_close(&mailbox->source.fd);
	fd_close(&mailbox->write_fd);
	mailbox->loop = NULL;
}

int mailbox_send(struct mailbox *mailbox, struct mail mail)
{
	/* POSIX: a write of at most PIPE_BUF bytes is whole or not at all. */
	return write(mailbox->write_fd, &mail, sizeof(mail)) < 0 ? -errno : 0;
}

void mailbox_drain(struct mailbox *mailbox)
{
	struct mail mail;

	while (read(mailbox->source.fd, &mail, sizeof(mail)) > 0)
		continue;
}
