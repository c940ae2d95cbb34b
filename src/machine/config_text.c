/* See config_text.h. */
#include "config_text.h"

#include "clock.h"
#include "config_command.h"
#include "config_disk.h"
#include "config_net.h"
#include "config_port.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uuid.h>

/* How much of a value a sentence quotes: enough to recognise it, and the advice still fits. */
#define QUOTED "'%.80s'"

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

static int replace_string(char **slot, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	free(*slot);
	*slot = copy;
	return 0;
}

static bool show_string(const void *field, struct text *text)
{
	const char *string = *(char *const *)field;

	if (string)
		text_add(text, string);
	return string != NULL;
}

static bool show_ip(const void *field, struct text *text)
{
	return show_string(&((const struct config *)field)->ip, text);
}

static int set_path(void *field, const char *value, struct err *err)
{
	if (!*value)
		return err_set(err, EINVAL, "'' is not the name of a file");
	return replace_string(field, value, err);
}

static int set_switch(void *field, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)field = true;
	return 0;
}

static bool show_switch(const void *field, struct text *text)
{
	(void)text;
	return *(const bool *)field;
}

static int clear_switch(void *field, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)field = false;
	return 0;
}

static bool show_cleared_switch(const void *field, struct text *text)
{
	(void)text;
	return !*(const bool *)field;
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

	return !config->append_only && show_string(&config->append, text);
}

static int set_cmdline(void *field, const char *value, struct err *err)
{
	struct config *config = field;
	int r = replace_string(&config->append, value, err);

	if (r == 0)
		config->append_only = true;
	return r;
}

static bool show_cmdline(const void *field, struct text *text)
{
	const struct config *config = field;

	return config->append_only && show_string(&config->append, text);
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
	if (bytes % 4096)
		return err_set(err, EINVAL, QUOTED " is not a multiple of 4K", value);
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

static bool show_cpus(const void *field, struct text *text)
{
	text_addf(text, "%u", *(const unsigned int *)field);
	return true;
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
			return replace_string(field, value, err);
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
	int r = set_path(&config->console_path, value, err);

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

static bool show_host_name(const void *field, struct text *text)
{
	return show_string(&((const struct config *)field)->host_name, text);
}

static bool show_directory(const void *field, struct text *text)
{
	return show_string(&((const struct config *)field)->directory, text);
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
	return replace_string(field, value, err);
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

static int set_time(void *field, const char *value, struct err *err)
{
	uint64_t ns;

	if (parse_duration_ns(value, &ns) < 0 || ns > CONFIG_TIME_MAX_NS)
		return err_set(err, EINVAL,
			QUOTED " is not a time up to 87600h: seconds, or a number with ms, s, m or "
			       "h behind it",
			value);
	*(uint64_t *)field = ns;
	return 0;
}

static bool show_time(const void *field, struct text *text)
{
	const uint64_t millisecond = NANOSECONDS_PER_SECOND / 1000;
	uint64_t ns = *(const uint64_t *)field;

	if (ns % NANOSECONDS_PER_SECOND == 0)
		text_addf(text, "%" PRIu64 "s", ns / NANOSECONDS_PER_SECOND);
	else if (ns % millisecond == 0)
		text_addf(text, "%" PRIu64 "ms", ns / millisecond);
	else
		text_addf(text, "%" PRIu64 ".%09" PRIu64 "s", ns / NANOSECONDS_PER_SECOND,
			ns % NANOSECONDS_PER_SECOND);
	return true;
}

static bool show_timeout(const void *field, struct text *text)
{
	return *(const uint64_t *)field != 0 && show_time(field, text);
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

/* Of two or three words the one that value is, or -EINVAL. */
static int choose(const char *const words[], int count, const char *value, struct err *err)
{
	for (int i = 0; i < count; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	if (count == 2)
		return err_set(
			err, EINVAL, QUOTED " is neither %s nor %s", value, words[0], words[1]);
	return err_set(err, EINVAL, QUOTED " is not one of %s, %s, %s", value, words[0], words[1],
		words[2]);
}

static int set_rng(void *field, const char *value, struct err *err)
{
	static const char word[] = "rate=";
	struct config *config = field;
	uint64_t rate = 0;

	if (value && (strncmp(value, word, strlen(word)) != 0 ||
			     parse_size_bytes(value + strlen(word), 1, &rate) < 0 || !rate))
		return err_set(err, EINVAL,
			QUOTED " is not rate=BYTES, the bytes that a second may bring, as in "
			       "rate=64K",
			value);
	config->rng = true;
	config->rng_bytes_per_second = rate;
	return 0;
}

/* PATH or PATH,cid=N; a comma of another meaning is the path's. */
static int set_vsock(void *field, const char *value, struct err *err)
{
	static const char word[] = ",cid=";
	struct config *config = field;
	const char *end = strstr(value, word);
	size_t length = end ? (size_t)(end - value) : strlen(value);
	uint64_t cid = 3;
	char *path;

	/* VIRTIO 1.2 5.10.4: 0 to 2 are reserved, and so is the last. */
	if (!length ||
		(end && (parse_u64(end + strlen(word), UINT32_MAX - 1, &cid) < 0 || cid < 3)))
		return err_set(err, EINVAL,
			QUOTED " is not PATH or PATH,cid=N, with N from 3 to 4294967294", value);
	path = strndup(value, length);
	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	free(config->vsock_path);
	config->vsock_path = path;
	config->vsock_cid = (uint32_t)cid;
	return 0;
}

static bool show_vsock(const void *field, struct text *text)
{
	const struct config *config = field;

	if (config->vsock_path)
		text_addf(text, "%s,cid=%" PRIu32, config->vsock_path, config->vsock_cid);
	return config->vsock_path != NULL;
}

static bool show_rng(const void *field, struct text *text)
{
	const struct config *config = field;

	if (config->rng_bytes_per_second)
		text_addf(text, "rate=%" PRIu64, config->rng_bytes_per_second);
	return config->rng;
}

static const char *const transport_words[3] = {
	[CONFIG_TRANSPORT_PCI] = "pci",
	[CONFIG_TRANSPORT_MMIO] = "mmio",
	[CONFIG_TRANSPORT_MMIO_CMDLINE] = "mmio-cmdline",
};

static int set_transport(void *field, const char *value, struct err *err)
{
	int r = choose(transport_words, 3, value, err);

	if (r < 0)
		return r;
	*(enum config_transport *)field = (enum config_transport)r;
	return 0;
}

static bool show_transport(const void *field, struct text *text)
{
	text_add(text, transport_words[*(const enum config_transport *)field]);
	return true;
}

static const char *const io_engine_words[3] = {
	[CONFIG_IO_ENGINE_AUTO] = "auto",
	[CONFIG_IO_ENGINE_URING] = "io_uring",
	[CONFIG_IO_ENGINE_THREADS] = "threads",
};

static int set_io_engine(void *field, const char *value, struct err *err)
{
	int r = choose(io_engine_words, 3, value, err);

	if (r < 0)
		return r;
	*(enum config_io_engine *)field = (enum config_io_engine)r;
	return 0;
}

static bool show_io_engine(const void *field, struct text *text)
{
	text_add(text, io_engine_words[*(const enum config_io_engine *)field]);
	return true;
}

static int set_io_threads(void *field, const char *value, struct err *err)
{
	uint64_t count;

	if (parse_u64(value, CONFIG_IO_THREADS_MAX, &count) < 0 || count == 0)
		return err_set(err, EINVAL, QUOTED " is not a number of I/O threads from 1 to %d",
			value, CONFIG_IO_THREADS_MAX);
	*(unsigned int *)field = (unsigned int)count;
	return 0;
}

static int set_io_poll(void *field, const char *value, struct err *err)
{
	uint64_t microseconds = CONFIG_IO_POLL_AUTO;

	if (strcmp(value, "auto") != 0 &&
		parse_u64(value, CONFIG_IO_POLL_MAX_US, &microseconds) < 0)
		return err_set(err, EINVAL,
			QUOTED " is neither auto nor a number of microseconds up to %d", value,
			CONFIG_IO_POLL_MAX_US);
	*(unsigned int *)field = (unsigned int)microseconds;
	return 0;
}

static bool show_io_poll(const void *field, struct text *text)
{
	unsigned int microseconds = *(const unsigned int *)field;

	if (microseconds == CONFIG_IO_POLL_AUTO)
		text_add(text, "auto");
	else
		text_addf(text, "%u", microseconds);
	return true;
}

static const char *const on_reboot_words[2] = {
	[CONFIG_ON_REBOOT_EXIT] = "exit",
	[CONFIG_ON_REBOOT_RESET] = "reset",
};

static int set_on_reboot(void *field, const char *value, struct err *err)
{
	int r = choose(on_reboot_words, 2, value, err);

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
	int r = choose(on_panic_words, 2, value, err);

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
	[CONFIG_KEY_KERNEL] = {FIELD(kernel_path), set_path, show_string, NULL},
	[CONFIG_KEY_INITRD] = {FIELD(initrd_path), set_path, show_string, NULL},
	[CONFIG_KEY_APPEND] = {0, set_append, show_append, NULL},
	[CONFIG_KEY_CMDLINE] = {0, set_cmdline, show_cmdline, NULL},
	[CONFIG_KEY_MEMORY] = {FIELD(memory_bytes), set_memory, show_memory, NULL},
	[CONFIG_KEY_SHARED_MEMORY] = {FIELD(memory), set_shared_memory, show_shared_memory, NULL},
	[CONFIG_KEY_HUGEPAGES] = {FIELD(memory), set_hugepages, show_hugepages, NULL},
	[CONFIG_KEY_PREALLOC] = {FIELD(prealloc), set_switch, show_switch, NULL},
	[CONFIG_KEY_NO_THP] = {FIELD(transparent_huge_pages), clear_switch, show_cleared_switch,
		NULL},
	[CONFIG_KEY_ROOT] = {0, config_root_set, config_root_show, NULL},
	[CONFIG_KEY_SCRIPT] = {FIELD(script_path), set_path, show_string, NULL},
	[CONFIG_KEY_MODULES] = {FIELD(modules_path), set_path, show_string, NULL},
	[CONFIG_KEY_ENV] = {0, config_env_set, NULL, config_env_show},
	[CONFIG_KEY_PASS_ENV] = {0, config_pass_env_set, show_nothing, NULL},
	[CONFIG_KEY_TMPFS] = {0, config_tmpfs_set, NULL, config_tmpfs_show},
	[CONFIG_KEY_USER] = {0, config_user_set, config_user_show, NULL},
	[CONFIG_KEY_HOST_NAME] = {0, config_host_name_set, show_host_name, NULL},
	[CONFIG_KEY_DIRECTORY] = {0, config_directory_set, show_directory, NULL},
	[CONFIG_KEY_CONSOLE_LOG] = {0, set_console_log, show_nothing, NULL},
	[CONFIG_KEY_CPUS] = {FIELD(cpu_count), set_cpus, show_cpus, NULL},
	[CONFIG_KEY_CPU] = {FIELD(cpu_features), set_cpu, show_string, NULL},
	[CONFIG_KEY_CONSOLE] = {0, set_console, show_console, NULL},
	[CONFIG_KEY_DISK] = {0, config_disk_set, NULL, config_disk_show},
	[CONFIG_KEY_NET] = {0, config_net_set, NULL, config_net_show},
	[CONFIG_KEY_IP] = {0, config_ip_set, show_ip, NULL},
	[CONFIG_KEY_HVC] = {0, config_hvc_set, NULL, config_hvc_show},
	[CONFIG_KEY_PORT] = {0, config_port_set, NULL, config_port_show},
	[CONFIG_KEY_RNG] = {0, set_rng, show_rng, NULL},
	[CONFIG_KEY_VSOCK] = {0, set_vsock, show_vsock, NULL},
	[CONFIG_KEY_TRANSPORT] = {FIELD(transport), set_transport, show_transport, NULL},
	[CONFIG_KEY_IO_THREADS] = {FIELD(io_thread_count), set_io_threads, show_cpus, NULL},
	[CONFIG_KEY_IO_ENGINE] = {FIELD(io_engine), set_io_engine, show_io_engine, NULL},
	[CONFIG_KEY_IO_POLL] = {FIELD(io_poll_us), set_io_poll, show_io_poll, NULL},
	[CONFIG_KEY_NAME] = {FIELD(name), set_name, show_string, NULL},
	[CONFIG_KEY_UUID] = {FIELD(uuid), set_uuid, show_uuid, NULL},
	[CONFIG_KEY_TIMEOUT] = {FIELD(timeout_ns), set_time, show_timeout, NULL},
	[CONFIG_KEY_GRACE] = {FIELD(grace_ns), set_time, show_time, NULL},
	[CONFIG_KEY_ON_REBOOT] = {FIELD(on_reboot), set_on_reboot, show_on_reboot, NULL},
	[CONFIG_KEY_ON_PANIC] = {FIELD(on_panic), set_on_panic, show_on_panic, NULL},
	[CONFIG_KEY_DEBUG_EXIT] = {FIELD(debug_exit), set_switch, show_switch, NULL},
	[CONFIG_KEY_CONTROL] = {FIELD(control_fd), set_control, show_control, NULL},
	[CONFIG_KEY_TIMING] = {FIELD(timing), set_switch, show_switch, NULL},
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
