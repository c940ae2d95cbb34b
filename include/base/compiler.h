/*
 * Compiler attributes and the few macros that C cannot express otherwise.
 */
#pragma once

#include <stddef.h>

#define must_check        __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define cleanup_with(fn)  __attribute__((cleanup(fn)))

#define array_size(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Ownership leaves a variable with a cleanup attribute: the variable becomes empty. */
#define take_ptr(pointer)                                    \
	({                                                   \
		__typeof__(pointer) *take_from = &(pointer); \
		__typeof__(pointer) taken = *take_from;      \
		*take_from = NULL;                           \
		taken;                                       \
	})

/* Is this built with the address or the thread sanitizer? They map terabytes, make system calls of
 * their own and slow everything down. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
