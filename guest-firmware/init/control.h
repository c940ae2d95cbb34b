/*
 * What Hull and the init say to each other on the port hull.control: lines, a word and its value.
 *
 *	from the init	started			the command runs, or requests are taken
 *			exit STATUS		it has ended, all of its output is on its way
 *			noexec ERRNO		it could not be executed
 *			failed SENTENCE		the init could not get so far
 *	from Hull	signal NUMBER		for the command and its process group; one that
 *						serves ends
 *			size COLUMNS ROWS	of the terminal
 */
#pragma once

#define CONTROL_PORT       "hull.control"
#define CONTROL_LINE_BYTES 256
