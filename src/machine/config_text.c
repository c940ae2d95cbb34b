/* See config_text.h. */
#include "config_text.h"

#include "config_command.h"
#include "config_device.h"
#include "config_disk.h"
#include "config_net.h"
#include "config_port.h"
#include "config_share.h"
#include "config_value.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uuid.h>

/* One key. The functions get a pointer to the field at offset; where a key concerns several fields
 * the offset is 0 and the pointer is to the config. */
struct key {
	size_t offset;
	int (*set)(void *field, const char *value, struct err *err);
	bool (*show)(const void *field, struct text *text);
	/* Instead of show, for keys that take several values. */
	bool (*show_item)(const void *field, unsigned int index, struct text *text);
};

static bool has_control_character(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return true;
	return false;
}

static int set_append(void *field, const char *value, struct err *err)
{
	struct config *config = field;
	cleanup_text struct text words = {0};
	char *joined;

	if (config->append && *config->append) {
		text_add(&words, config->append);
		text_add(&words, *value ? " " : "");
	}
	text_add(&words, value);
	joined = text_take(&words);
	if (!joined)
		return err_set(err, ENOMEM, "out of memory");
	free(config->append);
	config->append = joined;
	return 0;
}

static bool show_append(const void *field, struct text *text)
{
	const struct config *config = field;

	return !config->append_only && config_string_show(&config->append, text);
}

static int set_cmdline(void *field, const char *value, struct err *err)
{
	struct config *config = field;
	int r = config_value_copy(&config->append, value, err);

	if (r == 0)
		config->append_only = true;
	return r;
}

static bool show_cmdline(const void *field, struct text *text)
{
	const struct config *config = field;

	return config->append_only && config_string_show(&config->append, text);
}

static int set_memory(void *field, const char *value, struct err *err)
{
	uint64_t bytes;

	if (parse_size_bytes(value, UINT64_C(1) << 20, &bytes) < 0 ||
		bytes < CONFIG_MEMORY_MIN_BYTES || bytes > CONFIG_MEMORY_MAX_BYTES)
		return err_set(err, EINVAL,
			QUOTED " is not a size from 1M to 16T: a number of MiB, or a number with "
			       "K, M, G or T behind it",
			value);
	if (bytes % config_page_bytes())
		return err_set(err, EINVAL,
			QUOTED " is not a multiple of %" PRIu64 "K, the size of this host's pages",
			value, config_page_bytes() >> 10);
	*(uint64_t *)field = bytes;
	return 0;
}

static bool show_memory(const void *field, struct text *text)
{
	static const char letters[] = "KMGT";
	uint64_t size = *(const uint64_t *)field >> 10;
	unsigned int unit = 0;

	for (; unit < 3 && size && size % 1024 == 0; unit++)
		size /= 1024;
	text_addf(text, "%" PRIu64 "%c", size, letters[unit]);
	return true;
}

/* Huge pages are shareable as they are: asking for both, in either order, gives huge pages. */
static int set_shared_memory(void *field, const char *value, struct err *err)
{
	enum config_memory *memory = field;

	(void)value;
	(void)err;
	if (*memory == CONFIG_MEMORY_ANONYMOUS)
		*memory = CONFIG_MEMORY_SHARED;
	return 0;
}

static bool show_shared_memory(const void *field, struct text *text)
{
	(void)text;
	return *(const enum config_memory *)field == CONFIG_MEMORY_SHARED;
}

static int set_hugepages(void *field, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(enum config_memory *)field = CONFIG_MEMORY_HUGEPAGES;
	return 0;
}

static bool show_hugepages(const void *field, struct text *text)
{
	(void)text;
	return *(const enum config_memory *)field == CONFIG_MEMORY_HUGEPAGES;
}

static int set_cpus(void *field, const char *value, struct err *err)
{
	uint64_t count;

	if (parse_u64(value, CONFIG_CPUS_MAX, &count) < 0 || count == 0)
		return err_set(err, EINVAL, QUOTED " is not a number of CPUs from 1 to %d", value,
			CONFIG_CPUS_MAX);
	*(unsigned int *)field = (unsigned int)count;
	return 0;
}

/* The syntax alone: which names exist is the architecture's to say. */
static int set_cpu(void *field, const char *value, struct err *err)
{
	static const char name_characters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *cursor = value;

	for (;;) {
		size_t length;

		if (*cursor != '-' && *cursor != '+')
			break;
		length = strspn(++cursor, name_characters);
		cursor += length;
		if (length == 0 || cursor[-(ptrdiff_t)length] == '-' || (*cursor && *cursor != ','))
			break;
		if (!*cursor)
			return config_value_copy(field, value, err);
		cursor++;
	}
	return err_set(err, EINVAL,
		QUOTED " is not a list of -FEATURE and +FEATURE, as in -avx512f,+vmx", value);
}

static int set_console(void *field, const char *value, struct err *err)
{
	struct config *config = field;

	return config_place_set(&config->console, &config->console_path, false, value, err);
}

static bool show_console(const void *field, struct text *text)
{
	const struct config *config = field;

	if (config->console == CONFIG_CONSOLE_TAIL)
		return false;
	config_place_show(config->console, config->console_path, text);
	return true;
}

static int set_console_log(void *field, const char *value, struct err *err)
{
	struct config *config = field;
	int r = config_path_set(&config->console_path, value, err);

	if (r == 0)
		config->console = CONFIG_CONSOLE_FILE;
	return r;
}

/* Of keys that others show. */
static bool show_nothing(const void *field, struct text *text)
{
	(void)field;
	(void)text;
	return false;
}

static int set_name(void *field, const char *value, struct err *err)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@+-";
	size_t length = strspn(value, allowed);

	if (value[length] || length == 0 || length > CONFIG_NAME_MAX || *value == '-')
		return err_set(err, EINVAL,
			QUOTED " is not a name: 1 to %d letters, digits or characters of . _ : @ + "
			       "-, not beginning with -",
			value, CONFIG_NAME_MAX);
	return config_value_copy(field, value, err);
}

static int set_uuid(void *field, const char *value, struct err *err)
{
	uuid_t uuid = {0};

	if (strcmp(value, "random") != 0 && (uuid_parse(value, uuid) != 0 || uuid_is_null(uuid)))
		return err_set(err, EINVAL,
			QUOTED " is not a UUID: 8-4-4-4-12 hexadecimal digits, not all zero, or "
			       "the word random",
			value);
	memcpy(field, uuid, sizeof(uuid));
	return 0;
}

static bool show_uuid(const void *field, struct text *text)
{
	char string[UUID_STR_LEN] = "random";

	if (!uuid_is_null(field))
		uuid_unparse_lower(field, string);
	text_add(text, string);
	return true;
}

static bool show_timeout(const void *field, struct text *text)
{
	return *(const uint64_t *)field != 0 && config_time_show(field, text);
}

static int set_control(void *field, const char *value, struct err *err)
{
	uint64_t fd;

	if (parse_u64(value, INT_MAX, &fd) < 0)
		return err_set(err, EINVAL, QUOTED " is not the number of a descriptor", value);
	*(int *)field = (int)fd;
	return 0;
}

static bool show_control(const void *field, struct text *text)
{
	int fd = *(const int *)field;

	if (fd >= 0)
		text_addf(text, "%d", fd);
	return fd >= 0;
}

static const char *const on_reboot_words[2] = {
	[CONFIG_ON_REBOOT_EXIT] = "exit",
	[CONFIG_ON_REBOOT_RESET] = "reset",
};

static int set_on_reboot(void *field, const char *value, struct err *err)
{
	int r = config_word_choose(on_reboot_words, 2, value, err);

	if (r < 0)
		return r;
	*(enum config_on_reboot *)field = (enum config_on_reboot)r;
	return 0;
}

static bool show_on_reboot(const void *field, struct text *text)
{
	text_add(text, on_reboot_words[*(const enum config_on_reboot *)field]);
	return true;
}

static const char *const on_panic_words[2] = {
	[CONFIG_ON_PANIC_EXIT] = "exit",
	[CONFIG_ON_PANIC_PAUSE] = "pause",
};

static int set_on_panic(void *field, const char *value, struct err *err)
{
	int r = config_word_choose(on_panic_words, 2, value, err);

	if (r < 0)
		return r;
	*(enum config_on_panic *)field = (enum config_on_panic)r;
	return 0;
}

static bool show_on_panic(const void *field, struct text *text)
{
	text_add(text, on_panic_words[*(const enum config_on_panic *)field]);
	return true;
}

#define FIELD(name) offsetof(struct config, name)

static const struct key keys[CONFIG_KEY_COUNT] = {
	[CONFIG_KEY_KERNEL] = {FIELD(kernel_path), config_path_set, config_string_show, NULL},
	[CONFIG_KEY_INITRD] = {FIELD(initrd_path), config_path_set, config_string_show, NULL},
	[CONFIG_KEY_APPEND] = {0, set_append, show_append, NULL},
	[CONFIG_KEY_CMDLINE] = {0, set_cmdline, show_cmdline, NULL},
	[CONFIG_KEY_MEMORY] = {FIELD(memory_bytes), set_memory, show_memory, NULL},
	[CONFIG_KEY_SHARED_MEMORY] = {FIELD(memory), set_shared_memory, show_shared_memory, NULL},
	[CONFIG_KEY_HUGEPAGES] = {FIELD(memory), set_hugepages, show_hugepages, NULL},
	[CONFIG_KEY_PREALLOC] = {FIELD(prealloc), config_switch_set, config_switch_show, NULL},
	[CONFIG_KEY_NO_THP] = {FIELD(transparent_huge_pages), config_switch_clear,
		config_cleared_switch_show, NULL},
	[CONFIG_KEY_ROOT] = {0, config_root_set, config_root_show, NULL},
	[CONFIG_KEY_SCRIPT] = {FIELD(script_path), config_path_set, config_string_show, NULL},
	[CONFIG_KEY_SERVE] = {FIELD(serve), config_switch_set, config_switch_show, NULL},
	[CONFIG_KEY_MODULES] = {FIELD(modules_path), config_path_set, config_string_show, NULL},
	[CONFIG_KEY_ENV] = {0, config_env_set, NULL, config_env_show},
	[CONFIG_KEY_PASS_ENV] = {0, config_pass_env_set, show_nothing, NULL},
	[CONFIG_KEY_TMPFS] = {0, config_tmpfs_set, NULL, config_tmpfs_show},
	[CONFIG_KEY_SHARE] = {0, config_share_set, NULL, config_share_show},
	[CONFIG_KEY_USER] = {0, config_user_set, config_user_show, NULL},
	[CONFIG_KEY_HOST_NAME] = {FIELD(host_name), config_host_name_set, config_string_show, NULL},
	[CONFIG_KEY_DIRECTORY] = {FIELD(directory), config_directory_set, config_string_show, NULL},
	[CONFIG_KEY_CONSOLE_LOG] = {0, set_console_log, show_nothing, NULL},
	[CONFIG_KEY_CPUS] = {FIELD(cpu_count), set_cpus, config_count_show, NULL},
	[CONFIG_KEY_CPU] = {FIELD(cpu_features), set_cpu, config_string_show, NULL},
	[CONFIG_KEY_CONSOLE] = {0, set_console, show_console, NULL},
	[CONFIG_KEY_DISK] = {0, config_disk_set, NULL, config_disk_show},
	[CONFIG_KEY_NET] = {0, config_net_set, NULL, config_net_show},
	[CONFIG_KEY_IP] = {FIELD(ip), config_ip_set, config_string_show, NULL},
	[CONFIG_KEY_HVC] = {0, config_hvc_set, NULL, config_hvc_show},
	[CONFIG_KEY_PORT] = {0, config_port_set, NULL, config_port_show},
	[CONFIG_KEY_RNG] = {0, config_rng_set, config_rng_show, NULL},
	[CONFIG_KEY_VSOCK] = {0, config_vsock_set, config_vsock_show, NULL},
	[CONFIG_KEY_TRANSPORT] = {FIELD(transport), config_transport_set, config_transport_show,
		NULL},
	[CONFIG_KEY_IO_THREADS] = {FIELD(io_thread_count), config_io_threads_set, config_count_show,
		NULL},
	[CONFIG_KEY_IO_ENGINE] = {FIELD(io_engine), config_io_engine_set, config_io_engine_show,
		NULL},
	[CONFIG_KEY_IO_POLL] = {FIELD(io_poll_us), config_io_poll_set, config_io_poll_show, NULL},
	[CONFIG_KEY_NAME] = {FIELD(name), set_name, config_string_show, NULL},
	[CONFIG_KEY_UUID] = {FIELD(uuid), set_uuid, show_uuid, NULL},
	[CONFIG_KEY_TIMEOUT] = {FIELD(timeout_ns), config_time_set, show_timeout, NULL},
	[CONFIG_KEY_GRACE] = {FIELD(grace_ns), config_time_set, config_time_show, NULL},
	[CONFIG_KEY_ON_REBOOT] = {FIELD(on_reboot), set_on_reboot, show_on_reboot, NULL},
	[CONFIG_KEY_ON_PANIC] = {FIELD(on_panic), set_on_panic, show_on_panic, NULL},
	[CONFIG_KEY_CONTROL] = {FIELD(control_fd), set_control, show_control, NULL},
	[CONFIG_KEY_DEBUG_EXIT] = {FIELD(debug_exit), config_switch_set, config_switch_show, NULL},
	[CONFIG_KEY_TIMING] = {FIELD(timing), config_switch_set, config_switch_show, NULL},
};

int config_set(struct config *config, enum config_key key, const char *value, struct err *err)
{
	if (value && has_control_character(value))
		return err_set(
			err, EINVAL, QUOTED " holds a control character; none is allowed", value);
	return keys[key].set((char *)config + keys[key].offset, value, err);
}

bool config_show_item(
	const struct config *config, enum config_key key, unsigned int index, struct text *text)
{
	const void *field = (const char *)config + keys[key].offset;

	if (keys[key].show_item)
		return keys[key].show_item(field, index, text);
	return index == 0 && keys[key].show(field, text);
}

bool config_show(const struct config *config, enum config_key key, struct text *text)
{
	return config_show_item(config, key, 0, text);
}
