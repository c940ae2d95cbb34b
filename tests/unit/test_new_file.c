/*
 * Files that appear when they are whole.
 */
#include "cmocka_all.h"
#include "new_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[] = "/tmp/hull-new-file-XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(place) && chdir(place) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	(void)state;
	return rmdir(place);
}

/* Entries of the place. */
static unsigned int count_names(void)
{
	DIR *directory = opendir(".");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count - 2;
}

static void write_file(const char *path, const char *text, bool finish)
{
	struct new_file file;

	assert_int_equal(new_file_open(&file, path), 0);
	assert_int_equal(write(file.fd, text, strlen(text)), strlen(text));
	if (finish)
		assert_int_equal(new_file_finish(&file), 0);
	new_file_close(&file);
}

static void check_file(const char *path, const char *text)
{
	char found[64] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_non_null(fgets(found, sizeof(found), file));
	(void)fclose(file);
	assert_string_equal(found, text);
}

static void appears_whole(void **state)
{
	(void)state;
	write_file("a", "first", true);
	check_file("a", "first");
	write_file("a", "second", true);
	check_file("a", "second");
	write_file("./a", "third", true);
	check_file("a", "third");
	assert_int_equal(count_names(), 1);
	write_file("a", "half", false);
	write_file("b", "half", false);
	check_file("a", "third");
	assert_int_equal(count_names(), 1);
	assert_int_equal(unlink("a"), 0);
}

static void cannot_appear(void **state)
{
	struct new_file file;

	(void)state;
	assert_int_equal(new_file_open(&file, "nowhere/a"), -ENOENT);
	assert_int_equal(mkdir("directory", 0700), 0);
	assert_int_equal(new_file_open(&file, "directory"), 0);
	assert_int_equal(new_file_finish(&file), -EISDIR);
	new_file_close(&file);
	assert_int_equal(rmdir("directory"), 0);
	assert_int_equal(count_names(), 0);
}

static void nothing_is_left_of_the_killed(void **state)
{
	int nameless = open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
	struct new_file file;
	int status;
	pid_t child;

	(void)state;
	if (nameless < 0)
		skip(); /* this file system gives each file a name */
	(void)close(nameless);
	child = fork();
	if (child == 0) {
		if (new_file_open(&file, "a") == 0 && write(file.fd, "half", 4) == 4)
			(void)raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_names(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appears_whole),
		cmocka_unit_test(cannot_appear),
		cmocka_unit_test(nothing_is_left_of_the_killed),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
