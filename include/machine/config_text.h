/*
 * The values of a config as text: set from what people write, shown in the same syntax.
 *
 * A key is one thing that can be said about a VM; what it is called on the command line is the
 * option table's business. Sentences name the value and what is allowed; the caller puts the name
 * of the option in front. Control characters are refused everywhere, so that every value fits on
 * one line of a configuration file.
 */
#pragma once

#include "config.h"
#include "text.h"

enum config_key {
	CONFIG_KEY_NONE,
	CONFIG_KEY_KERNEL,
	CONFIG_KEY_INITRD,
	CONFIG_KEY_APPEND,
	CONFIG_KEY_CMDLINE,
	CONFIG_KEY_ROOT,
	CONFIG_KEY_SCRIPT,
	CONFIG_KEY_SERVE,
	CONFIG_KEY_MODULES,
	CONFIG_KEY_ENV,
	CONFIG_KEY_PASS_ENV,
	CONFIG_KEY_TMPFS,
	CONFIG_KEY_SHARE,
	CONFIG_KEY_USER,
	CONFIG_KEY_HOST_NAME,
	CONFIG_KEY_DIRECTORY,
	CONFIG_KEY_CONSOLE_LOG,
	CONFIG_KEY_MEMORY,
	CONFIG_KEY_SHARED_MEMORY,
	CONFIG_KEY_HUGEPAGES,
	CONFIG_KEY_PREALLOC,
	CONFIG_KEY_NO_THP,
	CONFIG_KEY_CPUS,
	CONFIG_KEY_CPU,
	CONFIG_KEY_CONSOLE,
	CONFIG_KEY_DISK,
	CONFIG_KEY_NET,
	CONFIG_KEY_IP,
	CONFIG_KEY_RNG,
	CONFIG_KEY_VSOCK,
	CONFIG_KEY_HVC,
	CONFIG_KEY_PORT,
	CONFIG_KEY_TRANSPORT,
	CONFIG_KEY_IO_THREADS,
	CONFIG_KEY_IO_ENGINE,
	CONFIG_KEY_IO_POLL,
	CONFIG_KEY_NAME,
	CONFIG_KEY_UUID,
	CONFIG_KEY_TIMEOUT,
	CONFIG_KEY_GRACE,
	CONFIG_KEY_ON_REBOOT,
	CONFIG_KEY_ON_PANIC,
	CONFIG_KEY_DEBUG_EXIT,
	CONFIG_KEY_CONTROL,
	CONFIG_KEY_TIMING,
	CONFIG_KEY_COUNT,
};

/* value: NULL for the keys that are switches. A key given again replaces its value; APPEND adds
 * words, DISK a disk and NET a NIC instead, and CMDLINE replaces all words given so far. -EINVAL or
 * -ENOMEM; the config is unchanged then. */
must_check int config_set(
	struct config *config, enum config_key key, const char *value, struct err *err);

/* Adds the value to text, in a form that config_set accepts and that means the same. False, and
 * nothing added, when there is nothing to say: not set, or a switch that is off. */
must_check bool config_show(const struct config *config, enum config_key key, struct text *text);

/* Likewise for the index-th value of a key that takes several; others have one, of index 0. */
must_check bool config_show_item(
	const struct config *config, enum config_key key, unsigned int index, struct text *text);
