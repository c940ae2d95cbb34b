/*
 * ACPI 6.5 tables rendered from the board: RSDP, XSDT, FADT, FACS, MADT, MCFG (with PCI), DSDT.
 *
 * Pure: board in, bytes out. Runs on the main thread at start-up.
 */
#pragma once

#include "board.h"
#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* Lays all tables into buffer as they will stand at guest address base (the RSDP at its start; base
 * is a multiple of 64, everything below 4 GiB). *ret_length is what is used. -ENOSPC when capacity
 * does not do: 64 KiB hold a full board with some 1400 CPUs. -EINVAL for a board that ACPI cannot
 * express. */
must_check int acpi_build(const struct board *board, uint64_t base, uint8_t *buffer,
	size_t capacity, size_t *ret_length, struct err *err);
