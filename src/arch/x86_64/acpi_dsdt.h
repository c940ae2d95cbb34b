/*
 * The body of the DSDT: what the guest cannot find by probing, and how to power off.
 */
#pragma once

#include "blob.h"
#include "board.h"

/* CPU objects are named by three hexadecimal digits. */
#define ACPI_CPUS_MAX 4096

void acpi_dsdt_body(struct blob *aml, const struct board *board);
