/*
 * The interrupt controller, of version 2 (Arm IHI 0048) or 3 (Arm IHI 0069), as the device tree has
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GIC_SPECIAL       1020 /* from here on numbers are no interrupts */
#define GIC_PRIVATE_FIRST 16
#define GIC_SHARED_FIRST  32
#define GIC_MESSAGE_FIRST 8192 /* version 3: those that an interrupt translation service raises */

/* Finds it and switches the distributor on; false: there is none that it knows. */
bool gic_open(void);
/* 2 or 3; 0: none. */
unsigned int gic_version(void);
uint64_t gic_distributor(void);
uint32_t gic_interrupts(void); /* how many numbers the distributor has */

/* Version 3: where the registers of a processor's own are; 0: nowhere. */
uint64_t gic_redistributor_of(uint64_t affinity);
uint64_t gic_redistributor(void);

/* Makes the calling processor take interrupts; false: there is nothing for it. Once for each. */
bool gic_start_processor(void);

/* The number of a node's interrupt, from the three cells at this place; 0: the tree does not tell.
 */
uint32_t gic_number(const char *node, unsigned int index);

/* Of a private interrupt: for the calling processor. A shared one goes to that processor, too, and
 * is sensitive to its level, or, with the second, comes once for each time that it is raised. */
void gic_enable(uint32_t interrupt);
void gic_enable_edge(uint32_t interrupt);
void gic_disable(uint32_t interrupt);
bool gic_is_pending(uint32_t interrupt);

/* Whatever has been done to it: no interrupt is enabled, pending or active, the calling processor's
 * own included. */
void gic_silence(void);

/* Raises a software interrupt (0 to 15) for a processor, which gic_self() there has named. */
struct gic_target {
	uint64_t affinity; /* version 3 */
	uint32_t mask;     /* version 2 */
};
struct gic_target gic_self(void);
void gic_send(struct gic_target target, uint32_t interrupt);

/* Around the handling of an interrupt: what acknowledge returned is what end wants. */
uint32_t gic_acknowledge(void);
uint32_t gic_interrupt(uint32_t acknowledged);
void gic_end(uint32_t acknowledged);
