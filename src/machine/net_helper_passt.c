/* See net_helper_passt.h. */
#include "net_helper_passt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void printf_like(2, 3) add(struct passt_arguments *arguments, const char *format, ...)
{
	char *word = NULL;
	va_list args;

	if (arguments->failed || arguments->count == PASST_WORDS_MAX) {
		arguments->failed = true;
		return;
	}
	va_start(args, format);
	if (vasprintf(&word, format, args) < 0)
		word = NULL;
	va_end(args);
	if (word)
		arguments->words[arguments->count++] = word;
	else
		arguments->failed = true;
}

/* Addresses of the host's are written without brackets. */
static void add_port(struct passt_arguments *arguments, const struct config_publish *rule)
{
	add(arguments, "%s", rule->udp ? "--udp-ports" : "--tcp-ports");
	add(arguments, "%s/%u:%u", rule->address, rule->host_port, rule->guest_port);
}

int passt_arguments_init(struct passt_arguments *arguments, const struct config_net *net, int fd,
	unsigned int default_mtu)
{
	*arguments = (struct passt_arguments){0};
	add(arguments, "passt");
	add(arguments, "--quiet");
	add(arguments, "--fd");
	add(arguments, "%d", fd);
	add(arguments, "--mtu");
	add(arguments, "%u", net->mtu ? net->mtu : default_mtu);
	if (net->restrict_host)
		add(arguments, "--no-map-gw");
	if (net->dns) {
		add(arguments, "--dns");
		add(arguments, "%s", net->dns);
	}
	for (unsigned int i = 0; i < net->publish_count; i++)
		add_port(arguments, &net->publish[i]);
	return arguments->failed ? -ENOMEM : 0;
}

void passt_arguments_fini(struct passt_arguments *arguments)
{
	for (unsigned int i = 0; i < arguments->count; i++)
		free(arguments->words[i]);
	arguments->count = 0;
}

const char *passt_last_line(char *said)
{
	size_t length = strlen(said);
	char *newline;

	while (length > 0 && said[length - 1] == '\n')
		said[--length] = '\0';
	newline = strrchr(said, '\n');
	if (length == 0)
		return "it ended without a reason";
	return newline ? newline + 1 : said;
}
