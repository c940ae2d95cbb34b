/*
 * What is run and what must come of it: plain data for guest_runner.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CASE_WORDS_MAX 22
#define CASE_STEPS_MAX 3
#define CASE_LINES_MAX 8

/* Once the guest has written text, something is done to it. */
struct guest_step {
	const char *after; /* on the console or on standard error; NULL: no further steps */
	const char *send;  /* typed at the console; NULL: nothing */
	int signal;        /* to hull; 0: none */
	bool close_input;  /* the console's input ends */
};

struct guest_case {
	const char *group; /* one test of the suite */
	const char *name;
	const char *guest;                   /* a file of the firmware folder; NULL: probe */
	const char *options[CASE_WORDS_MAX]; /* of hull run; "@NAME" is a file of that folder */
	const char *words;                   /* the guest's command line; NULL: none */
	int status;                          /* of hull */
	bool all_pass;                       /* every check of the probe must be ok */
	uint64_t memory_mib;                 /* must be the guest's RAM; 0: not compared */
	unsigned int flood_kib;              /* must have arrived, complete and in order */
	unsigned int stall_ms;               /* nobody reads the console for so long */
	struct guest_step steps[CASE_STEPS_MAX];
	const char *lines[CASE_LINES_MAX]; /* must be on standard output, in this order */
	const char *message;               /* must be on standard error; NULL: not looked at */
};

extern const struct guest_case guest_cases[];
extern const size_t guest_case_count;
