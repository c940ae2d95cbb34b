/*
 * The words that passt is started with (passt(1)), and what it has to say.
 */
#pragma once

#include "compiler.h"
#include "config.h"

#define PASST_WORDS_MAX (24 + 2 * CONFIG_NET_PUBLISH_MAX)

struct passt_arguments {
	char *words[PASST_WORDS_MAX + 1]; /* owned; NULL behind the last */
	unsigned int count;
	bool failed;
};

/* fd: the stream's number in the new process. -ENOMEM. */
must_check int passt_arguments_init(struct passt_arguments *arguments, const struct config_net *net,
	int fd, unsigned int default_mtu);
void passt_arguments_fini(struct passt_arguments *arguments);

/* The last line of what it printed, without its newline: the reason. Changes said. */
const char *passt_last_line(char *said);
