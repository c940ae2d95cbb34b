/* See command_initrd.h. */
#include "command_initrd.h"

#include "arch.h"
#include "config.h"
#include "cpio.h"
#include "guest_init.h"
#include "image.h"
#include "kernel_modules.h"
#include "log.h"
#include "root_image.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SCRIPT_BYTES_MAX (UINT64_C(64) << 20)
#define DEFAULT_PATH     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void close_modules(struct kernel_modules **modules)
{
	kernel_modules_close(*modules);
}

/* --- Which modules. --- */

struct want {
	const char *name;
	bool wanted;
	bool optional; /* without a word if the kernel does not have it */
};

static int want_each(
	struct kernel_modules *modules, const struct want *wants, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int r;

		if (!wants[i].wanted ||
			(wants[i].optional && !kernel_modules_has(modules, wants[i].name)))
			continue;
		r = kernel_modules_want(modules, wants[i].name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int want_for(const struct config *config, const char *root_type,
	struct kernel_modules *modules, struct err *err)
{
	const bool pci = config->transport == CONFIG_TRANSPORT_PCI;
	const bool overlay = config->root_path && !config->root_writable;
	const struct want wants[] = {
		{"virtio_pci", pci, false},
		{"virtio_mmio", !pci, false},
		{"virtio_console", true, false},
		{"virtio_blk", config->disk_count > 0, false},
		{"virtio_net", config_nic_count(config) > 0, false},
		{"virtio_rng", config->rng, true},
		{"vmw_vsock_virtio_transport", config_has_vsock(config), !config->serve},
		/* What ext4, XFS and Btrfs ask the kernel for by another name. */
		{"crc32c_generic", root_type != NULL, true},
		{root_type, root_type != NULL, false},
		{"overlay", overlay, false},
		{"virtiofs", config->share_count > 0, false},
	};

	return want_each(modules, wants, array_size(wants), err);
}

/* *ret_modules: NULL where there is no directory of modules; the kernel then has all that it needs
 * built in, or its init will say what is missing. */
static int find_modules(const struct config *config, const struct image *kernel,
	const char *root_type, struct kernel_modules **ret_modules, struct err *err)
{
	char *found = NULL;
	const char *directory = config->modules_path;
	int r = 0;

	*ret_modules = NULL;
	if (!directory) {
		r = kernel_modules_find(kernel, config->kernel_path, &found, err);
		directory = found;
	}
	if (r == 0 && directory) {
		log_line(LOG_LEVEL_DEBUG, "the kernel's modules are in %s", directory);
		r = kernel_modules_open(directory, ret_modules, err);
	}
	if (r == 0 && *ret_modules)
		r = want_for(config, root_type, *ret_modules, err);
	free(found);
	return r;
}

/* --- What is to be done, as guest-firmware/init/init.h has it. --- */

/* An entry, KEY=VALUE, and the NUL that ends it. */
static void printf_like(2, 3) say(struct text *run, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_add_list(run, format, arguments);
	va_end(arguments);
	text_add_bytes(run, "", 1);
}

static bool is_set(const struct config *config, const char *name)
{
	size_t length = strlen(name);

	for (unsigned int i = 0; i < config->environment.count; i++)
		if (strncmp(config->environment.list[i], name, length) == 0 &&
			config->environment.list[i][length] == '=')
			return true;
	return false;
}

static void say_variable(
	const struct config *config, struct text *run, const char *name, const char *value)
{
	if (!value || is_set(config, name))
		return;
	say(run, "env=%s=%s", name, value);
}

static void say_environment(const struct config *config, bool has_tty, struct text *run)
{
	say_variable(config, run, "PATH", DEFAULT_PATH);
	say_variable(config, run, "HOME", config->user ? "/" : "/root");
	if (has_tty)
		say_variable(config, run, "TERM", getenv("TERM"));
	for (unsigned int i = 0; i < config->environment.count; i++)
		say(run, "env=%s", config->environment.list[i]);
}

static void say_terminal(struct text *run)
{
	struct winsize size = {0};

	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	say(run, "tty=%ux%u", size.ws_col, size.ws_row);
}

static void say_shares(const struct config *config, struct text *run)
{
	for (unsigned int i = 0; i < config->share_count && !config->shares[i].is_root; i++)
		say(run, "share=%s:%s", config->shares[i].read_only ? "ro" : "rw",
			config->shares[i].guest_path);
}

static void describe(
	const struct config *config, const char *root_type, bool has_tty, struct text *run)
{
	if (config_root_is_directory(config))
		say(run, "root=share:hull-root");
	if (root_type)
		say(run, "root=disk:%s", root_type);
	if (config->root_writable)
		say(run, "write=");
	if (config->directory)
		say(run, "cwd=%s", config->directory);
	if (config->host_name)
		say(run, "host=%s", config->host_name);
	say(run, "user=%" PRIu32 ":%" PRIu32, config->user, config->group);
	if (has_tty)
		say_terminal(run);
	for (unsigned int i = 0; i < config->tmpfs.count; i++)
		say(run, "tmpfs=%s", config->tmpfs.list[i]);
	say_shares(config, run);
	say_environment(config, has_tty, run);
	if (config->serve)
		say(run, "serve=");
	for (unsigned int i = 0; i < config->command.count; i++)
		say(run, "arg=%s", config->command.list[i]);
}

/* --- The archive. --- */

static void pack_modules(struct cpio *cpio, const struct kernel_modules *modules)
{
	size_t count = 0;
	const struct kernel_module *wanted = modules ? kernel_modules_wanted(modules, &count)
	                                             : NULL;

	cpio_add_directory(cpio, "hull/modules");
	for (size_t i = 0; i < count; i++) {
		cleanup_text struct text name = {0};

		text_addf(&name, "hull/modules/%zu", i);
		cpio_add_file(cpio, text_string(&name), 0400, wanted[i].image.fd,
			wanted[i].image.size_bytes);
		log_line(LOG_LEVEL_DEBUG, "module %s", wanted[i].name);
	}
}

static int pack(const struct text *run, const struct kernel_modules *modules,
	const struct image *script, struct image *initrd, struct err *err)
{
	struct image packed = {.fd = -1};
	struct cpio cpio;
	int r = cpio_begin(&cpio, err);

	if (r < 0)
		return r;
	/* The user's first: of two files of a name the later one counts. */
	if (initrd->fd >= 0)
		cpio_add_archive(&cpio, initrd->fd, initrd->size_bytes);
	cpio_add_directory(&cpio, "hull");
	cpio_add_bytes(&cpio, "init", 0755, guest_init, guest_init_bytes);
	cpio_add_bytes(&cpio, "hull/run", 0400, run->data, run->length);
	if (script->fd >= 0)
		cpio_add_file(&cpio, "hull/script", 0400, script->fd, script->size_bytes);
	pack_modules(&cpio, modules);
	r = cpio_end(&cpio, &packed.fd, &packed.size_bytes, err);
	cpio_fini(&cpio);
	if (r < 0)
		return r;
	image_close(initrd);
	*initrd = packed;
	return 0;
}

int command_initrd_create(const struct config *config, const struct image *kernel, bool has_tty,
	struct image *initrd, struct err *err)
{
	cleanup_with(close_modules) struct kernel_modules *modules = NULL;
	cleanup_text struct text run = {0};
	struct image script = {.fd = -1};
	const char *root_type = NULL;
	int r = 0;

	if (!guest_init_bytes)
		return err_set(err, ENOSYS,
			"this hull was built without the init that runs commands in a guest");
	if (config->root_path && !config_root_is_directory(config))
		r = root_image_type(config->root_path, &root_type, err);
	if (r == 0)
		r = find_modules(config, kernel, root_type, &modules, err);
	if (r < 0)
		return r;
	describe(config, root_type, has_tty, &run);
	if (run.failed)
		return err_set(err, ENOMEM, "out of memory");
	if (config->script_path)
		r = image_open(
			"script", config->script_path, false, SCRIPT_BYTES_MAX, &script, err);
	if (r == 0)
		r = pack(&run, modules, &script, initrd, err);
	image_close(&script);
	return r;
}
