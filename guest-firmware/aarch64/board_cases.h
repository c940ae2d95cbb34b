/*
 * What cases about the board itself have in common.
 */
#pragma once

#include "cases.h"

/* What a case needs, in its parameter c. */
enum board_part { PART_NONE, PART_GIC3, PART_GIC2, PART_ITS, PART_FRAME, PART_CPUS };

/* Interrupts as they should be, and a request whose interrupt must come where there are any. */
void board_recover(struct scene *scene);

/* Reads and writes at every step-th place, of every width, aligned or not. */
void board_sweep(uint64_t base, uint64_t bytes, uint64_t step);

/* its_cases.c: tables, commands and messages; a and b are those of the table's rows. */
void board_its_tables(struct scene *scene, const struct hostile_case *self);
void board_its_queue(struct scene *scene, const struct hostile_case *self);
void board_its_garbage(struct scene *scene, const struct hostile_case *self);
void board_its_commands(struct scene *scene, const struct hostile_case *self);
void board_its_properties(struct scene *scene, const struct hostile_case *self);
void board_message_data(struct scene *scene, const struct hostile_case *self);
void board_message_off(struct scene *scene, const struct hostile_case *self);
