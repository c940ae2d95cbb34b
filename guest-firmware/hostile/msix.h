/*
 * A device with MSI-X switched on, for cases that are about its messages. msix_cases.c.
 */
#pragma once

#include "board.h"
#include "scene.h"

/* What makes this device send the machine's message of that index. */
struct board_message msix_message(const struct scene *scene, unsigned int index);

/* From reset to DRIVER_OK: queue 0 interrupts by entry 1, whose control word is given, changes of
 * the configuration by entry 0. A failure is reported. */
bool msix_up(struct scene *scene, uint32_t control);

void msix_control(const struct scene *scene, uint16_t flags);
void msix_write_entry(const struct scene *scene, unsigned int index, struct board_message message,
	uint32_t control);

/* Lets in what has been sent. */
void msix_take_all(void);

/* From reset: a request, and its interrupt. Reports when that does not come. */
void msix_expect_interrupt(struct scene *scene);
