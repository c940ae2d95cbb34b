/* Where a kernel's modules are, see kernel_modules.h. */
#include "kernel_modules.h"

#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Documentation/arch/x86/boot.rst */
#define HEADER_MAGIC_OFFSET   0x202
#define HEADER_MAGIC          "HdrS"
#define KERNEL_VERSION_OFFSET 0x20e
#define KERNEL_VERSION_BASE   0x200
#define BANNER                "Linux version " /* init/version.c, in an image that is not packed */
#define VERSION_CHARACTERS    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-._~"
#define VERSION_BYTES         128

/* "6.1.0-48-cloud-amd64 (debian-kernel@...) #1 SMP": the first word. */
static bool version_in_header(const struct image *kernel, char version[VERSION_BYTES])
{
	char magic[sizeof(HEADER_MAGIC) - 1];
	uint8_t offset[2];
	ssize_t length;

	if (pread(kernel->fd, magic, sizeof(magic), HEADER_MAGIC_OFFSET) != sizeof(magic) ||
		memcmp(magic, HEADER_MAGIC, sizeof(magic)) != 0 ||
		pread(kernel->fd, offset, sizeof(offset), KERNEL_VERSION_OFFSET) !=
			sizeof(offset) ||
		!(offset[0] || offset[1]))
		return false;
	length = pread(kernel->fd, version, VERSION_BYTES - 1,
		KERNEL_VERSION_BASE + (offset[0] | offset[1] << 8));
	if (length <= 0)
		return false;
	version[length] = '\0';
	version[strcspn(version, " ")] = '\0';
	return *version && !strchr(version, '/');
}

/* "Linux version 6.1.0-48-cloud-arm64 (debian-kernel@...": the word behind it. */
static bool version_in_banner(const struct image *kernel, char version[VERSION_BYTES])
{
	const size_t bytes = (size_t)kernel->size_bytes;
	char *image = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, kernel->fd, 0);
	const char *at = image;
	bool found = false;

	if (image == MAP_FAILED)
		return false;
	while (!found &&
		(at = memmem(at, (size_t)(image + bytes - at), BANNER, sizeof(BANNER) - 1))) {
		size_t length = (size_t)(image + bytes - (at += sizeof(BANNER) - 1));

		if (length > VERSION_BYTES - 1)
			length = VERSION_BYTES - 1;
		memcpy(version, at, length);
		version[length] = '\0';
		length = strspn(version, VERSION_CHARACTERS);
		found = length && version[length] == ' ';
		version[length] = '\0';
	}
	(void)munmap(image, bytes);
	return found;
}

static bool version_in_name(const char *path, char version[VERSION_BYTES])
{
	const char *name = strrchr(path, '/');
	const char *dash = strchr(name ? name : path, '-');

	if (!dash || !dash[1] || strlen(dash + 1) >= VERSION_BYTES)
		return false;
	memcpy(version, dash + 1, strlen(dash + 1) + 1);
	return true;
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* parent is the kernel's directory: a package's boot/, /boot, or that of the modules itself. */
static bool try_places(
	const char *parent, int parent_length, const char *version, struct text *directory)
{
	static const char *const near[] = {"/../lib/modules/", "/../usr/lib/modules/",
		"/lib/modules/", "/usr/lib/modules/", "/modules/", "/"};

	for (size_t i = 0; i < array_size(near); i++) {
		text_fini(directory);
		text_addf(directory, "%.*s%s%s", parent_length, parent, near[i], version);
		if (!directory->failed && is_directory(text_string(directory)))
			return true;
	}
	text_fini(directory);
	text_addf(directory, "%.*s/kernel", parent_length, parent);
	if (!directory->failed && is_directory(text_string(directory))) {
		text_fini(directory);
		text_addf(directory, "%.*s", parent_length, parent);
		return true;
	}
	text_fini(directory);
	text_addf(directory, "/lib/modules/%s", version);
	return !directory->failed && is_directory(text_string(directory));
}

int kernel_modules_find(
	const struct image *kernel, const char *kernel_path, char **ret_directory, struct err *err)
{
	cleanup_text struct text directory = {0};
	const char *slash = strrchr(kernel_path, '/');
	const char *parent = slash ? kernel_path : ".";
	int length = slash ? (int)(slash - kernel_path) : 1;
	char version[VERSION_BYTES];
	bool found;

	*ret_directory = NULL;
	if (version_in_header(kernel, version))
		found = try_places(parent, length, version, &directory);
	else
		found = (version_in_name(kernel_path, version) &&
				try_places(parent, length, version, &directory)) ||
		        (version_in_banner(kernel, version) &&
				try_places(parent, length, version, &directory));
	if (!found)
		return directory.failed ? err_set(err, ENOMEM, "out of memory") : 0;
	*ret_directory = text_take(&directory);
	return *ret_directory ? 0 : err_set(err, ENOMEM, "out of memory");
}
