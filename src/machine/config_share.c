/* See config_share.h. */
#include "config_share.h"

#include "config_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int malformed(const char *value, struct err *err)
{
	return err_set(err, EINVAL,
		QUOTED " is not HOSTDIR:GUESTDIR or HOSTDIR:GUESTDIR:ro, with GUESTDIR from / on",
		value);
}

static void share_fini(struct config_share *share)
{
	free(share->host_path);
	free(share->guest_path);
}

int config_share_add(struct config *config, const struct config_share *share, struct err *err)
{
	struct config_share copy = *share;
	struct config_share *shares = reallocarray(
		config->shares, config->share_count + 1, sizeof(*shares));

	if (shares)
		config->shares = shares;
	if (!shares || !copy.host_path || !copy.guest_path) {
		share_fini(&copy);
		return err_set(err, ENOMEM, "out of memory");
	}
	shares[config->share_count++] = copy;
	return 0;
}

int config_share_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	const char *guest = strchr(value, ':'), *mode = guest ? strchr(guest + 1, ':') : NULL;
	size_t length;
	struct config_share share = {.read_only = mode != NULL};

	if (!guest || guest == value || guest[1] != '/' || (mode && strcmp(mode, ":ro") != 0))
		return malformed(value, err);
	length = mode ? (size_t)(mode - guest - 1) : strlen(guest + 1);
	while (length > 1 && guest[length] == '/')
		length--;
	if (length < 2)
		return err_set(err, EINVAL,
			QUOTED ": a share cannot be the guest's root; see --root", value);
	if (all->share_count == CONFIG_SHARES_MAX)
		return err_set(
			err, EINVAL, "there are %d already, and more cannot be", CONFIG_SHARES_MAX);
	share.host_path = strndup(value, (size_t)(guest - value));
	share.guest_path = strndup(guest + 1, length);
	return config_share_add(all, &share, err);
}

bool config_share_show(const void *config, unsigned int index, struct text *text)
{
	const struct config *all = config;
	const struct config_share *share;

	if (index >= all->share_count)
		return false;
	share = &all->shares[index];
	if (share->is_root)
		return false;
	text_addf(text, "%s:%s%s", share->host_path, share->guest_path,
		share->read_only ? ":ro" : "");
	return true;
}

/* With a command the init mounts it; else the user, by a name that says where it belongs. */
void config_share_tag(
	const struct config *config, unsigned int index, char ret_tag[CONFIG_SHARE_TAG_BYTES])
{
	if (config->shares[index].is_root)
		(void)snprintf(ret_tag, CONFIG_SHARE_TAG_BYTES, "hull-root");
	else if (config_has_init(config))
		(void)snprintf(ret_tag, CONFIG_SHARE_TAG_BYTES, "hull-share%u", index);
	else
		(void)snprintf(ret_tag, CONFIG_SHARE_TAG_BYTES, "%s",
			config->shares[index].guest_path + 1);
}

int config_shares_validate(const struct config *config, struct err *err)
{
	for (unsigned int i = 0; i < config->share_count; i++) {
		const char *path = config->shares[i].guest_path;

		if (!config_has_init(config) && strlen(path) > CONFIG_SHARE_TAG_BYTES - 1 + 1)
			return err_set(err, EINVAL,
				"share '%.80s': without a command it is a tag, of %d bytes at most",
				path, CONFIG_SHARE_TAG_BYTES - 1);
		for (unsigned int j = 0; j < i; j++)
			if (strcmp(path, config->shares[j].guest_path) == 0)
				return err_set(err, EINVAL, "two shares are at '%.80s'", path);
	}
	return 0;
}

void config_shares_fini(struct config *config)
{
	for (unsigned int i = 0; i < config->share_count; i++)
		share_fini(&config->shares[i]);
	free(config->shares);
}
