/*
 * ACPI Machine Language, written front to back into a blob.
 *
 * A term is its opcode followed by its operands, each appended by a call of its own, in the order
 * of the grammar (ACPI 6.5 20.2). What has a package length is opened by a *_begin, which returns a
 * mark, and closed by aml_end with that mark; blocks nest. Names and paths are Hull's own
 * constants: a segment has one to four characters and is padded with '_'.
 */
#pragma once

#include "blob.h"

#include <stdint.h>

enum aml_opcode {
	AML_STORE = 0x70,
	AML_AND = 0x7b,
	AML_OR = 0x7d,
	AML_CREATE_DWORD_FIELD = 0x8a,
	AML_LNOT = 0x92,
	AML_LEQUAL = 0x93,
	AML_RETURN = 0xa4,
};

void aml_op(struct blob *aml, enum aml_opcode opcode);
void aml_argument(struct blob *aml, unsigned int number); /* 0 to 6 */
void aml_local(struct blob *aml, unsigned int number);    /* 0 to 7 */
void aml_path(struct blob *aml, const char *path);        /* "\\_SB.PCI0", "^ABCD", "CDW1" */

void aml_integer(struct blob *aml, uint64_t value);
void aml_string(struct blob *aml, const char *text);
void aml_buffer(struct blob *aml, const uint8_t *bytes, size_t length);

/* A hardware id: "PNP0501" becomes a compressed EISA id, any other form a string. */
void aml_hardware_id(struct blob *aml, const char *id);

/* Name (path, ...): the object itself comes next. */
void aml_name(struct blob *aml, const char *path);
void aml_name_integer(struct blob *aml, const char *path, uint64_t value);
void aml_name_hardware_id(struct blob *aml, const char *path, const char *id);

size_t aml_scope_begin(struct blob *aml, const char *path);
size_t aml_device_begin(struct blob *aml, const char *path);
size_t aml_method_begin(struct blob *aml, const char *path, unsigned int argument_count);
size_t aml_package_begin(struct blob *aml, unsigned int element_count); /* at most 255 */
size_t aml_if_begin(struct blob *aml); /* the predicate comes next */
size_t aml_else_begin(struct blob *aml);
void aml_end(struct blob *aml, size_t mark);

/* ResourceTemplate (ACPI 6.5 6.4): descriptors between begin and its own end. */
size_t aml_resources_begin(struct blob *aml);
void aml_resources_end(struct blob *aml, size_t mark);

void aml_resource_io(struct blob *aml, uint16_t base, uint8_t length);

/* Edge-triggered, active high, exclusive: the ISA kind; any GSI. */
void aml_resource_interrupt(struct blob *aml, uint32_t gsi, bool level);
void aml_resource_memory32(struct blob *aml, uint32_t base, uint32_t length);

/* What a bridge passes on: a range of bus numbers or of uncached, writable memory. */
void aml_resource_bus_numbers(struct blob *aml, uint16_t first, uint16_t count);
void aml_resource_window32(struct blob *aml, uint32_t base, uint32_t length);
void aml_resource_window64(struct blob *aml, uint64_t base, uint64_t length);

/* Memory the device uses itself, anywhere. */
void aml_resource_memory64(struct blob *aml, uint64_t base, uint64_t length);
