/*
 * hull net-helper: what `hull run` starts for a NIC of kind user (net_helper.h). Its word is that
 * NIC, as --net has it.
 */
#include "net_helper.h"

#include "command.h"
#include "exit_status.h"
#include "invocation.h"
#include "log.h"
#include "net_user.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fill_rule(const struct config_publish *given, struct net_user_publish *rule)
{
	*rule = (struct net_user_publish){.udp = given->udp, .guest_port = given->guest_port};
	rule->host.ipv4.sin_family = AF_INET;
	rule->host.ipv4.sin_port = htons(given->host_port);
	if (inet_pton(AF_INET, given->address, &rule->host.ipv4.sin_addr) == 1)
		return;
	rule->host.ipv6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(given->host_port)};
	(void)inet_pton(AF_INET6, given->address, &rule->host.ipv6.sin6_addr); /* was checked */
}

static int run_nic(const struct config_net *net, struct err *err)
{
	struct net_user_publish *rules = NULL;
	struct net_user_options options = {
		.restrict_host = net->restrict_host,
		.mtu = net->mtu ? net->mtu : NET_HELPER_MTU,
		.publish_count = net->publish_count,
	};
	int r;

	memcpy(options.mac, net->mac, sizeof(options.mac));
	if (net->publish_count) {
		rules = calloc(net->publish_count, sizeof(rules[0]));
		if (!rules)
			return err_set_errno(err, ENOMEM, "published ports");
	}
	for (unsigned int i = 0; i < net->publish_count; i++)
		fill_rule(&net->publish[i], &rules[i]);
	options.publish = rules;
	r = net_user_run(&options, err);
	free(rules);
	return r;
}

static int run_net_helper(struct invocation *invocation)
{
	struct config *config = &invocation->config;
	struct err err = {0};
	int r = invocation->word ? config_set(config, CONFIG_KEY_NET, invocation->word, &err)
	                         : err_set(&err, EINVAL, "it is started by 'hull run'");

	if (r == 0 && config->nets[0].kind != CONFIG_NET_USER)
		r = err_set(&err, EINVAL, "it is for --net user");
	if (r == 0)
		r = run_nic(&config->nets[0], &err);
	if (r < 0)
		log_line(LOG_LEVEL_ERROR, NET_HELPER_COMMAND ": %s", err.text);
	return r < 0 ? EXIT_STATUS_HULL : EXIT_SUCCESS;
}

const struct command command_net_helper = {
	.name = NET_HELPER_COMMAND,
	.bit = COMMAND_NET_HELPER,
	.hidden = true,
	.word = "NIC",
	.summary = "be the network of a VM",
	.description = "Started by hull run itself, for a NIC of kind user.",
	.run = run_net_helper,
};
