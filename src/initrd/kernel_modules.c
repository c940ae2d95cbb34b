/*
 * See kernel_modules.h. The directory is walked once: that takes a few milliseconds for the four
 * thousand files of a distribution, and its own index may be missing or old.
 */
#include "kernel_modules.h"

#include "fd.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH_MAX        16
#define DIRECTORIES_MAX  4096
#define FILES_MAX        65536
#define WANTED_MAX       512
#define MODULE_BYTES_MAX (UINT64_C(64) << 20)
#define BUILTIN_BYTES    (UINT64_C(4) << 20)

struct file {
	char name[KERNEL_MODULE_NAME_MAX + 1];
	char *path;
};

struct visit {
	struct kernel_module module;
	struct text depends; /* names with commas between them */
	size_t at;           /* the next one of them */
};

struct kernel_modules {
	char *directory;
	struct file *files;
	size_t file_count, file_room;
	char *builtin; /* the file modules.builtin; NULL: none */
	struct kernel_module *wanted;
	size_t wanted_count;
	/* What is wanted but for what it needs: each needs the next. */
	struct visit *visits;
	unsigned int depth;
};

/* '-' and '_' are the same in the name of a module. */
static bool same_name(const char *a, const char *b, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char left = a[i] == '-' ? '_' : a[i];
		char right = b[i] == '-' ? '_' : b[i];

		if (left != right)
			return false;
	}
	return true;
}

static bool is_same(const char *a, const char *b)
{
	size_t length = strlen(a);

	return strlen(b) == length && same_name(a, b, length);
}

/* How much of a file's name is the module's; 0: it is none. */
static size_t module_length(const char *name)
{
	static const char *const endings[] = {".ko", ".ko.gz", ".ko.xz", ".ko.zst"};
	const char *dot = strstr(name, ".ko");

	for (size_t i = 0; dot && i < array_size(endings); i++)
		if (strcmp(dot, endings[i]) == 0 && dot - name <= KERNEL_MODULE_NAME_MAX)
			return (size_t)(dot - name);
	return 0;
}

static int add_file(struct kernel_modules *modules, const char *path, const char *name)
{
	size_t length = module_length(name);
	struct file *file;

	if (!length)
		return 0;
	if (modules->file_count == modules->file_room) {
		size_t room = modules->file_room ? 2 * modules->file_room : 1024;
		struct file *files = reallocarray(modules->files, room, sizeof(*files));

		if (!files || modules->file_count >= FILES_MAX)
			return -ENOMEM;
		modules->files = files;
		modules->file_room = room;
	}
	file = &modules->files[modules->file_count];
	memcpy(file->name, name, length);
	file->name[length] = '\0';
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	modules->file_count++;
	return 0;
}

/* Directories that are still to be read. */
struct directories {
	char *paths[DIRECTORIES_MAX];
	size_t count;
};

static void free_directories(struct directories **directories)
{
	for (size_t i = 0; *directories && i < (*directories)->count; i++)
		free((*directories)->paths[i]);
	free(*directories);
}

static int push_directory(struct directories *directories, const char *path)
{
	char *copy = directories->count < DIRECTORIES_MAX ? strdup(path) : NULL;

	if (!copy)
		return -ENOMEM;
	directories->paths[directories->count++] = copy;
	return 0;
}

static int read_directory(
	struct kernel_modules *modules, struct directories *directories, const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!directory)
		return errno == ENOMEM ? -ENOMEM : 0;
	while (r == 0 && (entry = readdir(directory))) {
		cleanup_text struct text child = {0};

		/* "build" and "source" are links, to trees that are large. */
		if (entry->d_name[0] == '.' || entry->d_type == DT_LNK)
			continue;
		text_addf(&child, "%s/%s", path, entry->d_name);
		if (child.failed)
			r = -ENOMEM;
		else if (entry->d_type == DT_DIR)
			r = push_directory(directories, text_string(&child));
		else
			r = add_file(modules, text_string(&child), entry->d_name);
	}
	(void)closedir(directory);
	return r;
}

static void free_path(char **path)
{
	free(*path);
}

static int walk(struct kernel_modules *modules)
{
	cleanup_with(free_directories) struct directories *directories = calloc(
		1, sizeof(*directories));
	int r = directories ? push_directory(directories, modules->directory) : -ENOMEM;

	while (r == 0 && directories->count) {
		cleanup_with(free_path) char *path = directories->paths[--directories->count];

		r = read_directory(modules, directories, path);
	}
	return r;
}

/* Whatever cannot be read has nothing built in. */
static int read_builtin(struct kernel_modules *modules)
{
	cleanup_text struct text path = {0};
	cleanup_fd int fd = -1;
	ssize_t length;

	text_addf(&path, "%s/modules.builtin", modules->directory);
	modules->builtin = malloc(BUILTIN_BYTES + 1);
	if (path.failed || !modules->builtin)
		return -ENOMEM;
	fd = open(text_string(&path), O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : fd_read(fd, modules->builtin, BUILTIN_BYTES);
	modules->builtin[length > 0 ? length : 0] = '\0';
	return 0;
}

int kernel_modules_open(const char *directory, struct kernel_modules **ret_modules, struct err *err)
{
	struct kernel_modules *modules;
	int r;

	if (access(directory, X_OK) != 0)
		return err_set_errno(err, errno, "modules: '%s'", directory);
	modules = calloc(1, sizeof(*modules));
	if (!modules)
		return err_set(err, ENOMEM, "out of memory");
	modules->directory = strdup(directory);
	modules->wanted = calloc(WANTED_MAX, sizeof(modules->wanted[0]));
	modules->visits = calloc(DEPTH_MAX, sizeof(modules->visits[0]));
	r = modules->directory && modules->wanted && modules->visits ? walk(modules) : -ENOMEM;
	if (r == 0)
		r = read_builtin(modules);
	if (r == 0 && !modules->file_count && !*modules->builtin)
		r = err_set(err, ENOTDIR,
			"modules: '%s' has neither modules nor a list of built-in ones", directory);
	else if (r < 0)
		(void)err_set_errno(err, r, "modules: '%s'", directory);
	if (r < 0) {
		kernel_modules_close(modules);
		return r;
	}
	*ret_modules = modules;
	return 0;
}

void kernel_modules_close(struct kernel_modules *modules)
{
	if (!modules)
		return;
	for (size_t i = 0; i < modules->file_count; i++)
		free(modules->files[i].path);
	for (size_t i = 0; i < modules->wanted_count; i++)
		image_close(&modules->wanted[i].image);
	free(modules->files);
	free(modules->wanted);
	free(modules->visits);
	free(modules->builtin);
	free(modules->directory);
	free(modules);
}

static const struct file *find_file(const struct kernel_modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->file_count; i++)
		if (is_same(modules->files[i].name, name))
			return &modules->files[i];
	return NULL;
}

/* Lines like kernel/fs/ext4/ext4.ko */
static bool is_builtin(const struct kernel_modules *modules, const char *name)
{
	size_t wanted = strlen(name);

	for (const char *line = modules->builtin; *line;) {
		size_t length = strcspn(line, "\n");
		const char *file = line;
		size_t file_length;

		for (size_t i = 0; i < length; i++)
			if (line[i] == '/')
				file = line + i + 1;
		file_length = length - (size_t)(file - line);
		if (file_length == wanted + 3 && memcmp(file + wanted, ".ko", 3) == 0 &&
			same_name(file, name, wanted))
			return true;
		line += length + (line[length] == '\n');
	}
	return false;
}

bool kernel_modules_has(const struct kernel_modules *modules, const char *name)
{
	return is_builtin(modules, name) || find_file(modules, name);
}

static bool is_wanted(const struct kernel_modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->wanted_count; i++)
		if (is_same(modules->wanted[i].name, name))
			return true;
	for (unsigned int i = 0; i < modules->depth; i++)
		if (is_same(modules->visits[i].module.name, name))
			return true; /* a circle, which the kernel's build refuses */
	return false;
}

static int read_needs(struct visit *visit, struct err *err)
{
	size_t length = (size_t)visit->module.image.size_bytes;
	void *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, visit->module.image.fd, 0);
	const char *found;

	if (bytes == MAP_FAILED)
		return err_set_errno(err, errno, "module %s", visit->module.name);
	found = kernel_module_info(bytes, length, "depends");
	text_add(&visit->depends, found ? found : "");
	(void)munmap(bytes, length);
	return visit->depends.failed ? err_set(err, ENOMEM, "out of memory") : 0;
}

/* Nothing to be done: it is built in, or on its way. Else it is looked at next. */
static int visit(struct kernel_modules *modules, const char *name, struct err *err)
{
	const struct file *file = find_file(modules, name);
	struct visit *visit;
	int r;

	if (is_wanted(modules, name) || (!file && is_builtin(modules, name)))
		return 0;
	if (!file)
		return err_set(err, ENOENT, "'%s' has no module '%s'", modules->directory, name);
	if (modules->depth == DEPTH_MAX || modules->wanted_count == WANTED_MAX)
		return err_set(err, ELOOP, "module %s: too many depend on each other", file->name);
	visit = &modules->visits[modules->depth];
	*visit = (struct visit){.module.image.fd = -1};
	memcpy(visit->module.name, file->name, sizeof(visit->module.name));
	r = image_open("module", file->path, true, MODULE_BYTES_MAX, &visit->module.image, err);
	if (r < 0)
		return r;
	modules->depth++;
	return read_needs(visit, err);
}

static void leave(struct kernel_modules *modules, bool wanted)
{
	struct visit *last = &modules->visits[--modules->depth];

	text_fini(&last->depends);
	if (wanted && modules->wanted_count < WANTED_MAX)
		modules->wanted[modules->wanted_count++] = last->module;
	else
		image_close(&last->module.image);
}

/* The next thing that the last one needs; false: it has all. */
static bool next_need(struct visit *visit, char name[KERNEL_MODULE_NAME_MAX + 1])
{
	const char *rest = text_string(&visit->depends) + visit->at;
	size_t length = strcspn(rest, ",");

	if (!*rest)
		return false;
	visit->at += length + (rest[length] == ',');
	if (length > KERNEL_MODULE_NAME_MAX)
		length = KERNEL_MODULE_NAME_MAX; /* no module has that name */
	memcpy(name, rest, length);
	name[length] = '\0';
	return true;
}

int kernel_modules_want(struct kernel_modules *modules, const char *name, struct err *err)
{
	char need[KERNEL_MODULE_NAME_MAX + 1];
	int r = visit(modules, name, err);

	while (r == 0 && modules->depth) {
		if (!next_need(&modules->visits[modules->depth - 1], need))
			leave(modules, true);
		else if (*need)
			r = visit(modules, need, err);
	}
	if (r < 0 && modules->depth)
		(void)err_prefix(err, r, "module %s", modules->visits[0].module.name);
	while (modules->depth)
		leave(modules, false);
	return r;
}

const struct kernel_module *kernel_modules_wanted(
	const struct kernel_modules *modules, size_t *ret_count)
{
	*ret_count = modules->wanted_count;
	return modules->wanted;
}
