/*
 * The modules of a kernel, out of a directory like /lib/modules/VERSION: which file is which, and
 * what else one needs. Main thread.
 *
 * Dependencies are read from the modules themselves (.modinfo, where the kernel's build puts them):
 * modules.dep is made only where a kernel is installed. Files may be packed with gzip, xz or zstd.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "image.h"

#include <stdbool.h>
#include <stddef.h>

#define KERNEL_MODULE_NAME_MAX 63

struct kernel_modules;

struct kernel_module {
	char name[KERNEL_MODULE_NAME_MAX + 1];
	struct image image; /* unpacked */
};

/* Where a kernel's modules are: by the version that a bzImage has in its header; without one, by
 * that in the file's name (vmlinuz-VERSION) or in the kernel's banner. They are looked for next to
 * it, as packages and installations have them, and in /lib/modules. kernel: opened and unpacked.
 * *ret_directory is the caller's; NULL: nowhere. */
must_check int kernel_modules_find(
	const struct image *kernel, const char *kernel_path, char **ret_directory, struct err *err);

/* -ENOENT when there is no such directory, -ENOTDIR when it has no modules; it is read once. */
must_check int kernel_modules_open(
	const char *directory, struct kernel_modules **ret_modules, struct err *err);
void kernel_modules_close(struct kernel_modules *modules);

/* The kernel has it, built in or as a file. */
bool kernel_modules_has(const struct kernel_modules *modules, const char *name);

/* Adds a module to those that are wanted, behind those that it needs; one that is built in, or
 * wanted already, adds nothing. -ENOENT: the kernel does not have it. */
must_check int kernel_modules_want(
	struct kernel_modules *modules, const char *name, struct err *err);

/* In the order of their loading. */
const struct kernel_module *kernel_modules_wanted(
	const struct kernel_modules *modules, size_t *ret_count);

/* One of the values of key in the .modinfo of a 64-bit ELF file, as "depends"; NULL: there is none,
 * or this is no such file. It lies in bytes and ends with a NUL. */
const char *kernel_module_info(const void *bytes, size_t length, const char *key);
