/*
 * Runs a fuzz target over the empty input and every file of the directories given, so that corpora
 * are checked by every test run, without a fuzzer. The file at work is named first: a crash then
 * shows it.
 */
#include "fuzz.h"

#include "compiler.h"
#include "fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX_BYTES (1 << 20)

static void close_directory(DIR **directory)
{
	if (*directory)
		(void)closedir(*directory);
}

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

/* The input stands in a buffer of its own size, so that a sanitizer sees reads past it. */
static int replay_file(int directory, const char *name)
{
	cleanup_fd int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	cleanup_with(free_bytes) uint8_t *buffer = malloc(INPUT_MAX_BYTES);
	cleanup_with(free_bytes) uint8_t *input = NULL;
	ssize_t length;

	if (fd < 0 || !buffer)
		return -errno;
	length = fd_read(fd, buffer, INPUT_MAX_BYTES);
	if (length < 0)
		return (int)length;
	input = malloc(length ? (size_t)length : 1);
	if (!input)
		return -ENOMEM;
	memcpy(input, buffer, (size_t)length);
	printf("%s: %zd bytes\n", name, length);
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(input, (size_t)length);
	return 0;
}

static int replay_directory(const char *path, unsigned int *count)
{
	cleanup_with(close_directory) DIR *directory = opendir(path);
	struct dirent *entry;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = replay_file(dirfd(directory), entry->d_name);
		if (r < 0)
			return r;
		(*count)++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const uint8_t nothing[1];
	unsigned int count = 0;

	(void)LLVMFuzzerTestOneInput(nothing, 0);
	for (int i = 1; i < argc; i++) {
		int r = replay_directory(argv[i], &count);

		if (r < 0) {
			(void)fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return EXIT_FAILURE;
		}
	}
	if (argc > 1 && !count) {
		(void)fprintf(stderr, "no inputs\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
