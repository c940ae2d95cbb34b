/* The address of the guest's first NIC, for kernels that read `ip=` (see config_net.h). */
#include "config_net.h"

#include "config_value.h"
#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ip {
	char address[INET_ADDRSTRLEN];
	char gateway[INET_ADDRSTRLEN]; /* "": none */
	unsigned int prefix;
};

/* The length bytes of value are an IPv4 address. */
static int take_address(const char *value, size_t length, char ret_address[INET_ADDRSTRLEN])
{
	struct in_addr parsed;

	if (length >= INET_ADDRSTRLEN)
		return -EINVAL;
	memcpy(ret_address, value, length);
	ret_address[length] = '\0';
	return inet_pton(AF_INET, ret_address, &parsed) == 1 ? 0 : -EINVAL;
}

static int parse_ip(const char *value, struct ip *ip)
{
	size_t length = strcspn(value, "/");
	size_t prefix_length;
	char prefix[4];
	uint64_t bits;

	*ip = (struct ip){0};
	if (take_address(value, length, ip->address) < 0 || !value[length])
		return -EINVAL;
	value += length + 1;
	prefix_length = strcspn(value, ",");
	if (prefix_length >= sizeof(prefix))
		return -EINVAL;
	memcpy(prefix, value, prefix_length);
	prefix[prefix_length] = '\0';
	if (parse_u64(prefix, 32, &bits) < 0 || bits == 0)
		return -EINVAL;
	ip->prefix = (unsigned int)bits;
	value += prefix_length;
	return *value ? take_address(value + 1, strlen(value + 1), ip->gateway) : 0;
}

int config_ip_set(void *field, const char *value, struct err *err)
{
	struct ip ip;

	if (strcmp(value, "auto") != 0 && parse_ip(value, &ip) < 0)
		return err_set(err, EINVAL,
			QUOTED " is neither auto nor ADDRESS/PREFIX[,GATEWAY], as in "
			       "192.168.5.2/24,192.168.5.1",
			value);
	return config_value_copy(field, value, err);
}

void config_ip_word(const char *ip_text, struct text *text)
{
	struct ip ip;
	struct in_addr mask;
	char mask_text[INET_ADDRSTRLEN] = "";

	if (parse_ip(ip_text, &ip) < 0) {
		text_add(text, "ip=dhcp");
		return;
	}
	mask.s_addr = htonl(UINT32_MAX << (32 - ip.prefix));
	(void)inet_ntop(
		AF_INET, &mask, mask_text, sizeof(mask_text)); /* the buffer is large enough */
	text_addf(text, "ip=%s::%s:%s:::off", ip.address, ip.gateway, mask_text);
}
