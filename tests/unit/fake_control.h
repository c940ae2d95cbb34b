/* What a fake hull says at its end of the control socket. A peer that has gone does not matter. */
#pragma once

#include <string.h>
#include <sys/socket.h>

static inline void control_say(int control, const char *words)
{
	(void)send(control, words, strlen(words), MSG_NOSIGNAL);
}

/* "ok", and the descriptor with it. */
static inline void control_pass(int control, int fd)
{
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(char[]){"ok\n"}, 3};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = bytes,
		.msg_controllen = sizeof(bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	(void)sendmsg(control, &message, MSG_NOSIGNAL);
}
