/*
 * A published port as text: [ADDRESS:]HOST_PORT:GUEST_PORT[/udp|/tcp]; IPv6 addresses stand in
 * brackets.
 */
#pragma once

#include "config.h"
#include "text.h"

must_check int config_publish_parse(
	const char *value, struct config_publish *ret_rule, struct err *err);
void config_publish_show(const struct config_publish *rule, struct text *text);
