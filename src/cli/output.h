/*
 * Text for people on standard output: writing it, and laying it out.
 */
#pragma once

#include "text.h"

/* Writes the text to standard output. Returns the exit status: 0, or with a line on stderr
 * EXIT_STATUS_HULL; a reader that has gone away is no error to talk about. */
int output_write(const struct text *text);

/* Adds words, broken at blanks so that no line is longer than 79 columns; lines after the first are
 * indented. column: where the cursor is. No newline at the end. */
void output_wrap(struct text *text, const char *words, unsigned int column, unsigned int indent);

/* Adds blanks from one column to another. */
void output_pad(struct text *text, unsigned int from, unsigned int to);
