/*
 * When each phase of a VM's life ended, for --timing. Times are CLOCK_MONOTONIC nanoseconds.
 */
#pragma once

#include "text.h"

#include <stdint.h>

enum timeline_phase {
	TIMELINE_FILES,      /* kernel and initrd are open (and unpacked) */
	TIMELINE_KVM,        /* the VM and its interrupt controllers exist */
	TIMELINE_MEMORY,     /* RAM is mapped */
	TIMELINE_DEVICES,    /* devices and vCPUs exist */
	TIMELINE_LOAD,       /* kernel, initrd and tables are in memory */
	TIMELINE_START,      /* vCPUs run */
	TIMELINE_FIRST_BYTE, /* the guest wrote its first byte to the console */
	TIMELINE_END,        /* the guest has ended */
	TIMELINE_PHASES,
};

struct timeline {
	uint64_t begin_ns;
	_Atomic uint64_t end_ns[TIMELINE_PHASES]; /* 0: did not happen */
};

void timeline_begin(struct timeline *timeline);

/* Of a guest that starts again, the first life counts; of ends the last. */
void timeline_mark(struct timeline *timeline, enum timeline_phase phase);

/* A line a phase: how long it took, and when after the begin it was over. */
void timeline_report(const struct timeline *timeline, struct text *text);
