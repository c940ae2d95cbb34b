/*
 * Where a console's or a port's bytes go, as text: stdio, pty, null, file=PATH, socket=PATH, fd=N.
 */
#pragma once

#include "config.h"
#include "text.h"

/* *kind and *path are replaced on success only. fd is allowed where fd_allowed. */
must_check int config_place_set(enum config_console *kind, char **path, bool fd_allowed,
	const char *value, struct err *err);
void config_place_show(enum config_console kind, const char *path, struct text *text);

/* config: a struct config. The virtio console's terminal, and NAME=WHERE for a named port. */
must_check int config_hvc_set(void *config, const char *value, struct err *err);
must_check int config_port_set(void *config, const char *value, struct err *err);
must_check bool config_hvc_show(const void *config, unsigned int index, struct text *text);
must_check bool config_port_show(const void *config, unsigned int index, struct text *text);

void config_ports_fini(struct config *config);
