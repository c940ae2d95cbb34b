/*
 * The probe's checks, in the order in which they run. Each is self-contained; what it reads and
 * why is said beside it. The table is in probe.c.
 */
#pragma once

#include "check_uart.h"

/* check_tree.c: the device tree and what the loader says by it. */
void check_tree_header(struct report *report);
void check_tree_structure(struct report *report);
void check_command_line(struct report *report);
void check_initrd(struct report *report);
void check_seeds(struct report *report);

/* check_memory.c: whether memory is what the tree says. */
void check_memory_map(struct report *report);
void check_memory_edges(struct report *report);
void check_memory_hole(struct report *report);

/* check_cpu.c: exceptions, the other processors. */
void check_entry(struct report *report);
void check_exceptions(struct report *report);
void check_psci(struct report *report);
void check_smp(struct report *report);
void check_psci_errors(struct report *report);
void check_ipi(struct report *report);
void check_timer_order(struct report *report);

/* check_clocks.c: the interrupt controller and the processor's own timer. */
void check_gic(struct report *report);
void check_self_interrupt(struct report *report);
void check_timer(struct report *report);
void check_timer_interrupt(struct report *report);
void check_halt(struct report *report);

/* check_messages.c: interrupts of devices that have no lines, as far as a processor can raise them.
 */
void check_messages(struct report *report);
void check_message_targets(struct report *report);

/* check_accesses.c: loads and stores that are not aligned or not within one device. */
void check_accesses(struct report *report);

/* check_chips.c: what hangs on interrupt lines. */
void check_uart_interrupt(struct report *report);
void check_rtc(struct report *report);
void check_rtc_interrupt(struct report *report);
void check_gpio(struct report *report);
void check_pvpanic(struct report *report);
