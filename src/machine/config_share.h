/*
 * Directories that a guest shares with the host, as text.
 */
#pragma once

#include "config.h"
#include "text.h"

/* HOSTDIR:GUESTDIR[:ro]; config: a struct config. */
must_check int config_share_set(void *config, const char *value, struct err *err);
bool config_share_show(const void *config, unsigned int index, struct text *text);

/* One more; its strings are the config's or, on failure, freed. */
must_check int config_share_add(
	struct config *config, const struct config_share *share, struct err *err);

/* Part of config_validate, behind that of the command. */
must_check int config_shares_validate(const struct config *config, struct err *err);
void config_shares_fini(struct config *config);
