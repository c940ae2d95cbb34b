/* See config_publish.h. */
#include "config_publish.h"

#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define SYNTAX "[ADDRESS:]HOST_PORT:GUEST_PORT[/udp]"

static int parse_port(const char *value, uint16_t *ret_port)
{
	uint64_t port;

	if (parse_u64(value, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

/* In brackets or not; the text as it was given is kept. */
static int parse_address(char *value, struct config_publish *rule)
{
	size_t length = strlen(value);
	uint8_t address[16];
	bool bracketed = length >= 2 && value[0] == '[' && value[length - 1] == ']';

	if (bracketed) {
		value[length - 1] = '\0';
		value++;
		length -= 2;
	}
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, value, address) != 1 ||
		length >= sizeof(rule->address))
		return -EINVAL;
	memcpy(rule->address, value, length + 1);
	return 0;
}

/* Cuts copy at its last occurrence of c: what is behind it, or NULL. */
static char *cut_last(char *copy, char c)
{
	char *found = strrchr(copy, c);

	if (found)
		*found++ = '\0';
	return found;
}

int config_publish_parse(const char *value, struct config_publish *ret_rule, struct err *err)
{
	struct config_publish rule = {.address = "127.0.0.1"};
	char copy[96];
	char *protocol, *guest, *host;

	if (strlen(value) >= sizeof(copy))
		return err_set(err, EINVAL, "longer than " SYNTAX " can be");
	memcpy(copy, value, strlen(value) + 1);
	protocol = cut_last(copy, '/');
	if (protocol && strcmp(protocol, "udp") != 0 && strcmp(protocol, "tcp") != 0)
		return err_set(err, EINVAL, "the protocol is neither tcp nor udp");
	rule.udp = protocol && protocol[0] == 'u';
	guest = cut_last(copy, ':');
	host = guest ? cut_last(copy, ':') : NULL;
	if (!guest || parse_port(guest, &rule.guest_port) < 0 ||
		parse_port(host ? host : copy, &rule.host_port) < 0)
		return err_set(err, EINVAL, "not " SYNTAX " with ports from 1 to 65535");
	if (host && parse_address(copy, &rule) < 0)
		return err_set(err, EINVAL,
			"the address is neither one of IPv4 nor one of IPv6 in brackets");
	*ret_rule = rule;
	return 0;
}

void config_publish_show(const struct config_publish *rule, struct text *text)
{
	bool ipv6 = strchr(rule->address, ':') != NULL;

	if (strcmp(rule->address, "127.0.0.1") != 0)
		text_addf(text, ipv6 ? "[%s]:" : "%s:", rule->address);
	text_addf(text, "%u:%u%s", rule->host_port, rule->guest_port, rule->udp ? "/udp" : "");
}
