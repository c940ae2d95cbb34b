/*
 * Checks of a file system: each does something in an empty directory of its own and says what it
 * saw, so that two file systems can be compared line by line. See posix_tool.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct posix_check {
	const char *name;
	void (*run)(void);
};

struct posix_group {
	const struct posix_check *checks;
	size_t count;
};

#define POSIX_GROUP(name, table) \
	const struct posix_group name = {table, sizeof(table) / sizeof((table)[0])}

extern const struct posix_group posix_open_group;
extern const struct posix_group posix_data_group;
extern const struct posix_group posix_name_group;
extern const struct posix_group posix_directory_group;
extern const struct posix_group posix_attribute_group;
extern const struct posix_group posix_lock_group;

/* --- What was seen, on the line of the check. --- */

/* A system call's result: its number, or the name of errno. Returns it. */
long see(const char *what, long result);
/* A number whatever it is. */
void see_number(const char *what, long long number);
void see_words(const char *what, const char *words);
/* A file's type and mode, links and size, by its name. */
void see_file(const char *name);
void see_content(const char *name);

/* --- What is often done; failures are seen. --- */

/* A file with these words in it. */
void put_file(const char *name, const char *words);
/* open(2), closed again: 0 or -1. */
int open_once(const char *name, int flags);
/* Runs a function in another process and waits: its status. */
int in_child(void (*function)(void));
/* A name of so many letters. */
const char *long_name(size_t length);

/* The second argument of the program: a directory on another file system. */
extern const char *posix_elsewhere;
