/*
 * A NIC as text: KIND[,WORD]..., where KIND is none, tap, tap=NAME, tap=fd:N, socket=PATH,
 * socket=fd:N, user or passt. And the address that the kernel gives its NIC by itself.
 */
#pragma once

#include "config.h"
#include "text.h"

/* config: a struct config, to whose NICs one is added. */
must_check int config_net_set(void *config, const char *value, struct err *err);
/* The index-th NIC of a struct config; false: there are not so many. */
must_check bool config_net_show(const void *config, unsigned int index, struct text *text);
void config_nets_fini(struct config *config);

/* Something was asked for that only Hull's own way between tap and guest can do. */
must_check bool config_net_looks_at_frames(const struct config_net *net);

/* What goes together among several; -EINVAL with a sentence. */
must_check int config_nets_validate(const struct config *config, struct err *err);

/* The MAC address of the index-th NIC: its own, or one derived from the VM's UUID. */
void config_net_mac(const struct config *config, unsigned int index, uint8_t ret_mac[6]);

/* auto, or ADDRESS/PREFIX[,GATEWAY] (IPv4); field: a char *. */
must_check int config_ip_set(void *field, const char *value, struct err *err);
/* The kernel's word for it: `ip=...`. */
void config_ip_word(const char *ip_text, struct text *text);
