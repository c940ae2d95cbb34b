/*
 * Text to numbers, strictly: the whole string or -EINVAL, too large is -ERANGE. No locale, no
 * signs, no leading blanks. Nothing is written on failure.
 */
#pragma once

#include "compiler.h"

#include <stddef.h>
#include <stdint.h>

/* Decimal, or hexadecimal with 0x; not above maximum. */
must_check int parse_u64(const char *text, uint64_t maximum, uint64_t *ret_value);

/* Bytes: a decimal number with an optional K, M, G or T (powers of 1024; KiB, MB and the like are
 * accepted too); without a suffix the number counts default_unit bytes. */
must_check int parse_size_bytes(const char *text, uint64_t default_unit, uint64_t *ret_bytes);

/* A time: a decimal number, optionally with a fraction, and ms, s, m or h; seconds without one. */
must_check int parse_duration_ns(const char *text, uint64_t *ret_ns);
