/*
 * What a guest that runs one command is told: the command, its root, its surroundings, as text.
 */
#pragma once

#include "config.h"
#include "text.h"

/* Of --root, --env, --pass-env, --tmpfs and --user; config: a struct config. */
must_check int config_root_set(void *config, const char *value, struct err *err);
bool config_root_show(const void *config, struct text *text);
must_check int config_env_set(void *config, const char *value, struct err *err);
must_check int config_pass_env_set(void *config, const char *value, struct err *err);
bool config_env_show(const void *config, unsigned int index, struct text *text);
must_check int config_tmpfs_set(void *config, const char *value, struct err *err);
bool config_tmpfs_show(const void *config, unsigned int index, struct text *text);
must_check int config_user_set(void *config, const char *value, struct err *err);
bool config_user_show(const void *config, struct text *text);
/* Of --hostname and --cwd; field: a char *. */
must_check int config_host_name_set(void *field, const char *value, struct err *err);
must_check int config_directory_set(void *field, const char *value, struct err *err);

/* Part of config_validate. */
must_check int config_command_validate(struct config *config, struct err *err);
void config_command_fini(struct config *config);
