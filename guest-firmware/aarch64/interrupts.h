/*
 * Interrupts of guests that drive devices: messages, by a GICv2m frame or an ITS, are counted;
 * everything else is a handler's. See lib/board.h for what guests see of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* From whatever state: the controller, the calling processor's part of it, messages. */
void interrupts_open(void);

/* Is told of everything that is no message, with interrupts masked; NULL: nobody is. */
void interrupts_set_handler(void (*handler)(uint32_t interrupt));

/* What the ITS calls a device that PCI calls this: the tree tells. */
uint32_t interrupts_device(uint16_t requester);
