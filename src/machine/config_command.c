/* See config_command.h. */
#include "config_command.h"

#include "config_share.h"
#include "config_value.h"
#include "config_words.h"
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HOST_NAME_MAX_BYTES 64

static int no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "out of memory");
}

static void list_fini(struct config_list *words)
{
	for (unsigned int i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct config_list){0};
}

static int add_word(struct config_list *words, const char *word, struct err *err)
{
	char **list;
	char *copy;

	if (words->count == CONFIG_WORDS_MAX)
		return err_set(err, E2BIG, "more than %d words", CONFIG_WORDS_MAX);
	list = reallocarray(words->list, words->count + 1, sizeof(*list));
	if (!list)
		return no_memory(err);
	words->list = list;
	copy = strdup(word);
	if (!copy)
		return no_memory(err);
	words->list[words->count++] = copy;
	return 0;
}

int config_command_set(
	struct config *config, unsigned int count, char *const words[], struct err *err)
{
	size_t bytes = 0;
	int r = 0;

	list_fini(&config->command);
	for (unsigned int i = 0; r == 0 && i < count; i++) {
		bytes += strlen(words[i]) + 1;
		r = bytes > CONFIG_COMMAND_BYTES_MAX
		            ? err_set(err, E2BIG, "the command is longer than %d bytes",
				      CONFIG_COMMAND_BYTES_MAX)
		            : add_word(&config->command, words[i], err);
	}
	return r;
}

static int set_root_word(void *object, const char *name, const char *value, struct err *err)
{
	struct config *config = object;

	if (value || strcmp(name, "rw") != 0)
		return err_set(err, EINVAL, QUOTED " is not rw, the only word there is", name);
	config->root_writable = true;
	return 0;
}

int config_root_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	cleanup_text struct text path = {0};
	const char *words = config_words_first(value, &path);

	if (path.failed)
		return no_memory(err);
	if (!path.length)
		return err_set(
			err, EINVAL, QUOTED " does not begin with the name of a file", value);
	all->root_writable = false;
	if (words) {
		int r = config_words_each(words, set_root_word, all, err);

		if (r < 0)
			return r;
	}
	return config_value_copy(&all->root_path, text_string(&path), err);
}

bool config_root_show(const void *config, struct text *text)
{
	const struct config *all = config;

	if (!all->root_path)
		return false;
	config_words_show_first(all->root_path, text);
	text_add(text, all->root_writable ? ",rw" : "");
	return true;
}

int config_env_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	size_t length = strcspn(value, "=");

	if (!length || !value[length])
		return err_set(err, EINVAL, QUOTED " is not NAME=VALUE", value);
	return add_word(&all->environment, value, err);
}

int config_pass_env_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	cleanup_text struct text entry = {0};
	const char *found;

	if (!*value || strchr(value, '='))
		return err_set(err, EINVAL, QUOTED " is not the name of a variable", value);
	found = getenv(value);
	if (!found)
		return 0;
	for (const char *sign = found; *sign; sign++)
		if (iscntrl((unsigned char)*sign))
			return err_set(
				err, EINVAL, QUOTED " holds a control character here", value);
	text_addf(&entry, "%s=%s", value, found);
	return entry.failed ? no_memory(err)
	                    : add_word(&all->environment, text_string(&entry), err);
}

static bool show_word(const struct config_list *words, unsigned int index, struct text *text)
{
	if (index >= words->count)
		return false;
	text_add(text, words->list[index]);
	return true;
}

bool config_env_show(const void *config, unsigned int index, struct text *text)
{
	return show_word(&((const struct config *)config)->environment, index, text);
}

static int check_absolute(const char *value, struct err *err)
{
	return *value == '/'
	               ? 0
	               : err_set(err, EINVAL, QUOTED " is not a directory's name from / on", value);
}

int config_tmpfs_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	int r = check_absolute(value, err);

	if (r == 0 && all->tmpfs.count == CONFIG_TMPFS_MAX)
		return err_set(
			err, EINVAL, "there are %d already, and more cannot be", CONFIG_TMPFS_MAX);
	return r < 0 ? r : add_word(&all->tmpfs, value, err);
}

bool config_tmpfs_show(const void *config, unsigned int index, struct text *text)
{
	return show_word(&((const struct config *)config)->tmpfs, index, text);
}

int config_user_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	cleanup_text struct text first = {0};
	size_t length = strcspn(value, ":");
	uint64_t user, group;

	text_addf(&first, "%.*s", (int)length, value);
	if (first.failed)
		return no_memory(err);
	if (parse_u64(text_string(&first), UINT32_MAX - 1, &user) < 0)
		return err_set(err, EINVAL, QUOTED " is not UID or UID:GID, in numbers", value);
	group = user;
	if (value[length] && parse_u64(value + length + 1, UINT32_MAX - 1, &group) < 0)
		return err_set(err, EINVAL, QUOTED " is not UID or UID:GID, in numbers", value);
	all->user = (uint32_t)user;
	all->group = (uint32_t)group;
	return 0;
}

bool config_user_show(const void *config, struct text *text)
{
	const struct config *all = config;

	if (!all->user && !all->group)
		return false;
	text_addf(text, "%" PRIu32 ":%" PRIu32, all->user, all->group);
	return true;
}

int config_host_name_set(void *field, const char *value, struct err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t length = strspn(value, allowed);

	if (!length || value[length] || length > HOST_NAME_MAX_BYTES)
		return err_set(err, EINVAL,
			QUOTED " is not a host's name: 1 to %d letters, digits, dots or dashes",
			value, HOST_NAME_MAX_BYTES);
	return config_value_copy(field, value, err);
}

int config_directory_set(void *field, const char *value, struct err *err)
{
	int r = check_absolute(value, err);

	return r < 0 ? r : config_value_copy(field, value, err);
}

static int add_root_disk(struct config *config, struct err *err)
{
	struct config_disk disk = {
		.is_root = true,
		.read_only = !config->root_writable,
		.path = strdup(config->root_path),
		.serial = strdup(CONFIG_ROOT_SERIAL),
	};
	struct config_disk *disks = reallocarray(
		config->disks, config->disk_count + 1, sizeof(*disks));

	if (disks)
		config->disks = disks;
	if (!disks || !disk.path || !disk.serial || config->disk_count == CONFIG_DISKS_MAX) {
		free(disk.path);
		free(disk.serial);
		return config->disk_count == CONFIG_DISKS_MAX
		               ? err_set(err, EINVAL, "there are too many disks for --root")
		               : no_memory(err);
	}
	/* The last: others keep the names that they would have without it. */
	disks[config->disk_count++] = disk;
	return 0;
}

bool config_root_is_directory(const struct config *config)
{
	return config->share_count && config->shares[config->share_count - 1].is_root;
}

static int add_root_share(struct config *config, struct err *err)
{
	const struct config_share share = {
		.host_path = strdup(config->root_path),
		.guest_path = strdup("/"),
		.read_only = !config->root_writable,
		.is_root = true,
	};

	return config_share_add(config, &share, err);
}

/* An image, a directory, or neither; without a word the host's own root, unless the user has
 * brought an initial RAM disk that may be one. */
static int add_root(struct config *config, struct err *err)
{
	struct stat status;
	int r = 0;

	if (!config->root_path && !config->initrd_path)
		r = config_value_copy(&config->root_path, "/", err);
	if (r < 0 || !config->root_path)
		return r;
	if (strcmp(config->root_path, "none") == 0) {
		free(config->root_path);
		config->root_path = NULL;
		return 0;
	}
	if (stat(config->root_path, &status) == 0 && S_ISDIR(status.st_mode))
		return add_root_share(config, err);
	return add_root_disk(config, err);
}

static int check_alone(const struct config *config, struct err *err)
{
	if (config->modules_path || config->environment.count || config->tmpfs.count ||
		config->user || config->group || config->host_name || config->directory)
		return err_set(err, EINVAL,
			"--modules, --env, --tmpfs, --user, --hostname and --cwd are for a "
			"command in the guest: write it behind --, or give --root or --serve");
	return 0;
}

/* What the user wrote as a command are its arguments. */
static int put_script_first(struct config *config, struct err *err)
{
	int r = add_word(&config->command, CONFIG_SCRIPT_NAME, err);

	if (r == 0) {
		char **list = config->command.list;
		unsigned int last = config->command.count - 1;
		char *name = list[last];

		memmove(list + 1, list, last * sizeof(*list));
		list[0] = name;
	}
	return r;
}

int config_command_validate(struct config *config, struct err *err)
{
	char shell_name[] = "/bin/sh", shell_option[] = "-l";
	char *const shell[] = {shell_name, shell_option};
	int r = 0;

	if (config->serve && (config->command.count || config->script_path))
		return err_set(err, EINVAL,
			"--serve waits for commands: there can be none behind --, and no --script");
	if (!config->serve && !config->command.count && !config->root_path && !config->script_path)
		return check_alone(config, err);
	if (config->script_path)
		r = put_script_first(config, err);
	else if (!config->serve && !config->command.count)
		r = config_command_set(config, array_size(shell), shell, err);
	if (r == 0 && config->append_only)
		return err_set(err, EINVAL,
			"--cmdline takes the words away that running a command needs: use "
			"--append");
	if (r == 0 && config->port_count > CONFIG_PORTS_MAX - CONFIG_COMMAND_PORTS)
		return err_set(err, EINVAL, "beside a command there can be %d ports",
			CONFIG_PORTS_MAX - CONFIG_COMMAND_PORTS);
	if (r == 0 && !config->serve && config->console == CONFIG_CONSOLE_STDIO)
		config->console = CONFIG_CONSOLE_TAIL;
	if (r == 0)
		r = add_root(config, err);
	return r;
}

void config_command_fini(struct config *config)
{
	list_fini(&config->command);
	list_fini(&config->environment);
	list_fini(&config->tmpfs);
	free(config->root_path);
	free(config->script_path);
	free(config->modules_path);
	free(config->directory);
	free(config->host_name);
}
