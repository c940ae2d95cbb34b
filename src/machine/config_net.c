/* See config_net.h. */
#include "config_net.h"

#include "config_publish.h"
#include "config_value.h"
#include "config_words.h"
#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static void net_fini(struct config_net *net)
{
	free(net->path);
	free(net->peer);
	free(net->bridge);
	free(net->pcap_path);
	free(net->dns);
	free(net->publish);
	*net = (struct config_net){0};
}
#define cleanup_net cleanup_with(net_fini)

void config_nets_fini(struct config *config)
{
	for (unsigned int i = 0; i < config->net_count; i++)
		net_fini(&config->nets[i]);
	free(config->nets);
}

static int set_string(
	char **slot, const char *name, const char *value, size_t length_max, struct err *err)
{
	size_t length = strlen(value);

	if (length == 0 || length > length_max)
		return err_set(err, EINVAL, "%s=" QUOTED " does not have 1 to %zu characters", name,
			value, length_max);
	return config_value_copy(slot, value, err);
}

static int set_number(unsigned int *field, const char *name, const char *value, unsigned int least,
	unsigned int most, struct err *err)
{
	uint64_t number;

	if (parse_u64(value, most, &number) < 0 || number < least)
		return err_set(err, EINVAL, "%s='%.40s' is not a number from %u to %u", name, value,
			least, most);
	*field = (unsigned int)number;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int parse_mac(const char *value, uint8_t ret_mac[6])
{
	uint8_t mac[6];

	for (unsigned int i = 0; i < 6; i++) {
		int high = hex_digit(value[0]), low = high < 0 ? -1 : hex_digit(value[1]);

		if (low < 0 || value[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		value += 3;
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

static int set_mac(struct config_net *net, const char *name, const char *value, struct err *err)
{
	static const uint8_t nil[6];

	if (parse_mac(value, net->mac) < 0)
		return err_set(err, EINVAL,
			"%s='%.40s' is not a MAC address, as in %s=52:54:00:12:34:56", name, value,
			name);
	if ((net->mac[0] & 1) || memcmp(net->mac, nil, sizeof(nil)) == 0)
		return err_set(err, EINVAL,
			"%s='%.40s' is not the address of one NIC: its first byte is odd, or it is "
			"all zero",
			name, value);
	net->has_mac = true;
	return 0;
}

static int set_mtu(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return set_number(&net->mtu, name, value, CONFIG_NET_MTU_MIN, CONFIG_NET_MTU_MAX, err);
}

static int set_queues(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return set_number(&net->queue_count, name, value, 1, CONFIG_NET_QUEUES_MAX, err);
}

static int set_pcap(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return set_string(&net->pcap_path, name, value, PATH_MAX, err);
}

static int set_rx_rate(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return config_words_limit(
		name, value, true, &net->rx_bytes_per_second, &net->rx_burst_bytes, err);
}

static int set_tx_rate(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return config_words_limit(
		name, value, true, &net->tx_bytes_per_second, &net->tx_burst_bytes, err);
}

static int set_antispoof(
	struct config_net *net, const char *name, const char *value, struct err *err)
{
	(void)name;
	(void)value;
	(void)err;
	net->antispoof = true;
	return 0;
}

static int set_listen(struct config_net *net, const char *name, const char *value, struct err *err)
{
	(void)name;
	(void)value;
	(void)err;
	net->listen = true;
	return 0;
}

static int set_bridge(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return set_string(&net->bridge, name, value, IFNAMSIZ - 1, err);
}

/* fd:N, or -EINVAL. */
static int set_descriptor(int *field, const char *value)
{
	uint64_t fd;

	if (strncmp(value, "fd:", 3) != 0 || parse_u64(value + 3, INT_MAX, &fd) < 0)
		return -EINVAL;
	*field = (int)fd;
	return 0;
}

static const char *const vhost_words[] = {
	[CONFIG_NET_VHOST_OFF] = "off",
	[CONFIG_NET_VHOST_AUTO] = "auto",
	[CONFIG_NET_VHOST_ON] = "on",
};

static int set_vhost(struct config_net *net, const char *name, const char *value, struct err *err)
{
	for (size_t i = 0; i < array_size(vhost_words); i++) {
		if (strcmp(vhost_words[i], value) != 0)
			continue;
		net->vhost = (enum config_net_vhost)i;
		net->vhost_fd = -1;
		return 0;
	}
	if (set_descriptor(&net->vhost_fd, value) < 0)
		return err_set(
			err, EINVAL, "%s='%.40s' is not one of on, off, auto, fd:N", name, value);
	net->vhost = CONFIG_NET_VHOST_ON;
	return 0;
}

static int set_peer(struct config_net *net, const char *name, const char *value, struct err *err)
{
	return set_string(
		&net->peer, name, value, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1, err);
}

static int set_restrict(
	struct config_net *net, const char *name, const char *value, struct err *err)
{
	bool on = strcmp(value, "on") == 0;

	if (!on && strcmp(value, "off") != 0)
		return err_set(err, EINVAL, "%s='%.40s' is neither on nor off", name, value);
	net->restrict_host = on;
	return 0;
}

static int set_publish(struct config_net *net, const char *name, const char *value, struct err *err)
{
	struct config_publish rule;
	struct config_publish *rules;
	int r = config_publish_parse(value, &rule, err);

	if (r < 0)
		return err_prefix(err, r, "%s=" QUOTED, name, value);
	if (net->publish_count == CONFIG_NET_PUBLISH_MAX)
		return err_set(
			err, EINVAL, "more than %d ports are published", CONFIG_NET_PUBLISH_MAX);
	rules = reallocarray(net->publish, net->publish_count + 1, sizeof(*rules));
	if (!rules)
		return err_set(err, ENOMEM, "out of memory");
	net->publish = rules;
	rules[net->publish_count++] = rule;
	return 0;
}

static int set_dns(struct config_net *net, const char *name, const char *value, struct err *err)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, value, address) != 1 && inet_pton(AF_INET6, value, address) != 1)
		return err_set(err, EINVAL, "%s='%.60s' is not an IP address", name, value);
	return set_string(&net->dns, name, value, INET6_ADDRSTRLEN, err);
}

#define TAP    (1U << CONFIG_NET_TAP)
#define SOCKET (1U << CONFIG_NET_SOCKET)
#define USER   (1U << CONFIG_NET_USER)
#define PASST  (1U << CONFIG_NET_PASST)
#define ALL    (TAP | SOCKET | USER | PASST)

static const struct net_word {
	const char *name;
	unsigned int kinds; /* that have it */
	bool has_value;
	int (*set)(struct config_net *net, const char *name, const char *value, struct err *err);
} net_words[] = {
	{"mac", ALL, true, set_mac},
	{"mtu", ALL, true, set_mtu},
	{"queues", TAP, true, set_queues},
	{"bridge", TAP, true, set_bridge},
	{"vhost", TAP, true, set_vhost},
	{"listen", SOCKET, false, set_listen},
	{"peer", SOCKET, true, set_peer},
	{"restrict", USER | PASST, true, set_restrict},
	{"publish", USER | PASST, true, set_publish},
	{"dns", PASST, true, set_dns},
	{"antispoof", ALL, false, set_antispoof},
	{"rx-rate", ALL, true, set_rx_rate},
	{"tx-rate", ALL, true, set_tx_rate},
	{"pcap", ALL, true, set_pcap},
};

static const struct net_kind {
	const char *word;
	bool has_value;
} net_kinds[] = {
	[CONFIG_NET_NONE] = {"none", false},
	[CONFIG_NET_TAP] = {"tap", true},
	[CONFIG_NET_SOCKET] = {"socket", true},
	[CONFIG_NET_USER] = {"user", false},
	[CONFIG_NET_PASST] = {"passt", false},
};

static int wrong_word(enum config_net_kind kind, const char *name, struct err *err)
{
	cleanup_text struct text list = {0};

	for (size_t i = 0; i < array_size(net_words); i++)
		if (net_words[i].kinds & 1U << kind)
			text_addf(&list, "%s%s%s", list.length ? ", " : "", net_words[i].name,
				net_words[i].has_value ? "=" : "");
	if (!list.length)
		return err_set(err, EINVAL, "%s takes no further words, but was given '%.40s'",
			net_kinds[kind].word, name);
	return err_set(err, EINVAL, "'%.40s' is not one of the words of %s: %s", name,
		net_kinds[kind].word, text_string(&list));
}

static int set_word(void *object, const char *name, const char *value, struct err *err)
{
	struct config_net *net = object;

	for (size_t i = 0; i < array_size(net_words); i++) {
		const struct net_word *word = &net_words[i];

		if (strcmp(word->name, name) != 0 || !(word->kinds & 1U << net->kind))
			continue;
		if (word->has_value && !value)
			return err_set(err, EINVAL, "%s lacks its value: write %s=...", name, name);
		if (!word->has_value && value)
			return err_set(err, EINVAL, "%s takes no value, but was given '%.40s'",
				name, value);
		return word->set(net, name, value, err);
	}
	return wrong_word(net->kind, name, err);
}

/* fd:N, the name of an interface or the path of a socket. */
static int set_place(struct config_net *net, const char *value, struct err *err)
{
	size_t most = net->kind == CONFIG_NET_TAP
	                      ? IFNAMSIZ - 1
	                      : sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (strncmp(value, "fd:", 3) == 0) {
		if (set_descriptor(&net->fd, value) < 0)
			return err_set(err, EINVAL,
				QUOTED " is not fd:N with a descriptor's number", value);
		return 0;
	}
	return set_string(&net->path, net_kinds[net->kind].word, value, most, err);
}

static int set_kind(struct config_net *net, char *first, struct err *err)
{
	char *value = strchr(first, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < array_size(net_kinds); i++) {
		if (strcmp(net_kinds[i].word, first) != 0)
			continue;
		net->kind = (enum config_net_kind)i;
		if (value && !net_kinds[i].has_value)
			return err_set(err, EINVAL, "%s takes no value, but was given '%.40s'",
				first, value);
		if (!value && net->kind == CONFIG_NET_SOCKET)
			return err_set(err, EINVAL,
				"socket lacks its place: write socket=PATH or socket=fd:N");
		return value ? set_place(net, value, err) : 0;
	}
	return err_set(err, EINVAL,
		"'%.40s' is not one of none, tap, tap=NAME, tap=fd:N, socket=PATH, socket=fd:N, "
		"user, "
		"passt",
		first);
}

bool config_net_looks_at_frames(const struct config_net *net)
{
	return net->antispoof || net->pcap_path || net->rx_bytes_per_second ||
	       net->tx_bytes_per_second;
}

static int check_net(const struct config_net *net, struct err *err)
{
	if (net->listen && (net->peer || net->fd >= 0))
		return err_set(err, EINVAL, "listen goes with a socket's path alone");
	if (net->peer && net->fd >= 0)
		return err_set(err, EINVAL, "peer goes with a socket's path, not with fd:N");
	if (net->fd >= 0 && net->bridge)
		return err_set(err, EINVAL, "bridge goes with a tap's name, not with fd:N");
	if (net->kind == CONFIG_NET_USER && net->mtu && net->mtu < CONFIG_NET_MTU_MIN_IPV6)
		return err_set(err, EINVAL, "mtu=%u is less than user needs, which is %d", net->mtu,
			CONFIG_NET_MTU_MIN_IPV6);
	if (net->vhost == CONFIG_NET_VHOST_ON && config_net_looks_at_frames(net))
		return err_set(err, EINVAL,
			"vhost=on moves frames past antispoof, rx-rate, tx-rate and pcap: leave "
			"one or the other out");
	if (net->vhost_fd >= 0 && net->queue_count > 1)
		return err_set(err, EINVAL, "vhost=fd:N serves one queue: write vhost=on");
	if (net->fd >= 0 && net->queue_count > 1)
		return err_set(err, EINVAL, "tap=fd:N has one queue: give the tap by its name");
	return 0;
}

int config_net_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	cleanup_net struct config_net net = {.fd = -1, .vhost_fd = -1, .restrict_host = true};
	cleanup_text struct text first = {0};
	const char *words = config_words_first(value, &first);
	struct config_net *nets;
	int r;

	if (first.failed)
		return err_set(err, ENOMEM, "out of memory");
	r = first.length
	            ? set_kind(&net, first.data, err)
	            : err_set(err, EINVAL, QUOTED " does not begin with a kind of network", value);
	if (r == 0)
		r = config_words_each(words, set_word, &net, err);
	if (r == 0)
		r = check_net(&net, err);
	if (r < 0)
		return r;
	if (all->net_count == CONFIG_NETS_MAX)
		return err_set(err, EINVAL, "there are %d NICs already, and more cannot be",
			CONFIG_NETS_MAX);
	nets = reallocarray(all->nets, all->net_count + 1, sizeof(*nets));
	if (!nets)
		return err_set(err, ENOMEM, "out of memory");
	all->nets = nets;
	nets[all->net_count++] = net;
	net = (struct config_net){0}; /* OWNER: the list */
	return 0;
}

static void show_words(const struct config_net *net, struct text *text)
{
	if (net->has_mac)
		text_addf(text, ",mac=%02x:%02x:%02x:%02x:%02x:%02x", net->mac[0], net->mac[1],
			net->mac[2], net->mac[3], net->mac[4], net->mac[5]);
	if (net->mtu)
		text_addf(text, ",mtu=%u", net->mtu);
	if (net->queue_count)
		text_addf(text, ",queues=%u", net->queue_count);
	if (net->bridge)
		text_addf(text, ",bridge=%s", net->bridge);
	if (net->vhost_fd >= 0)
		text_addf(text, ",vhost=fd:%d", net->vhost_fd);
	else if (net->vhost != CONFIG_NET_VHOST_OFF)
		text_addf(text, ",vhost=%s", vhost_words[net->vhost]);
	if (net->listen)
		text_add(text, ",listen");
	if (net->peer)
		text_addf(text, ",peer=%s", net->peer);
	if (!net->restrict_host)
		text_add(text, ",restrict=off");
	for (unsigned int i = 0; i < net->publish_count; i++) {
		text_add(text, ",publish=");
		config_publish_show(&net->publish[i], text);
	}
	if (net->dns)
		text_addf(text, ",dns=%s", net->dns);
	if (net->antispoof)
		text_add(text, ",antispoof");
	config_words_show_limit(text, "rx-rate", net->rx_bytes_per_second, net->rx_burst_bytes);
	config_words_show_limit(text, "tx-rate", net->tx_bytes_per_second, net->tx_burst_bytes);
	if (net->pcap_path)
		text_addf(text, ",pcap=%s", net->pcap_path);
}

bool config_net_show(const void *config, unsigned int index, struct text *text)
{
	const struct config *all = config;
	const struct config_net *net;

	if (index >= all->net_count)
		return false;
	net = &all->nets[index];
	text_add(text, net_kinds[net->kind].word);
	if (net->fd >= 0)
		text_addf(text, "=fd:%d", net->fd);
	if (net->path) {
		text_add(text, "=");
		config_words_show_first(net->path, text);
	}
	show_words(net, text);
	return true;
}

int config_nets_validate(const struct config *config, struct err *err)
{
	for (unsigned int i = 0; i < config->net_count; i++)
		if (config->nets[i].kind == CONFIG_NET_NONE && config->net_count > 1)
			return err_set(err, EINVAL, "--net none does not go with another --net");
	for (unsigned int i = 0; i < config->net_count; i++)
		for (unsigned int j = 0; j < i; j++)
			if (config->nets[i].has_mac && config->nets[j].has_mac &&
				memcmp(config->nets[i].mac, config->nets[j].mac, 6) == 0)
				return err_set(err, EINVAL, "two NICs have the same MAC address");
	return 0;
}

void config_net_mac(const struct config *config, unsigned int index, uint8_t ret_mac[6])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	if (config->nets[index].has_mac) {
		memcpy(ret_mac, config->nets[index].mac, 6);
		return;
	}
	for (unsigned int i = 0; i < sizeof(config->uuid); i++)
		hash = (hash ^ config->uuid[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ index) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	for (unsigned int i = 0; i < 6; i++)
		ret_mac[i] = (uint8_t)(hash >> 8 * i);
	ret_mac[0] = (uint8_t)((ret_mac[0] & 0xfc) | 2); /* unicast, locally administered */
}
