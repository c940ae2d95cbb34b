/*
 * What libhull and the init of a guest that serves (hull run --serve) say to each other. Each
 * request has a connection of its own to SERVE_PORT of the guest, and both sides speak in frames: a
 * type, the length of the payload in four bytes, little endian as all numbers here, the payload.
 *
 *	a command	ARGUMENT..., VARIABLE..., DIRECTORY and USER where wanted, EXECUTE; then
 *			INPUT... and INPUT_END, never more than SERVE_WINDOW_BYTES that are not
 *			TAKEN. Answers: OUTPUT, ERRORS, TAKEN; at the end STATUS or NOT_EXECUTED
 *	a file written	WRITE, INPUT..., INPUT_END; the answer is DONE
 *	a file read	READ; the answers are MODE, OUTPUT..., DONE
 *
 * FAILED may come in the place of every answer and is the last. Whoever closes the connection
 * before the end has given up: the command is killed, the file stays as it was.
 */
#pragma once

#include <stdint.h>

#define SERVE_PORT              1021
#define SERVE_HEADER_BYTES      5
#define SERVE_PAYLOAD_BYTES_MAX (UINT32_C(64) << 10)
#define SERVE_WINDOW_BYTES      (UINT32_C(64) << 10)
#define SERVE_WORDS_BYTES_MAX   (UINT32_C(1) << 20) /* of a command, with NULs; of variables, too */
#define SERVE_WORDS_MAX         16384               /* and as many variables */
#define SERVE_PATH_BYTES_MAX    4000

enum serve_type {
	SERVE_ARGUMENT = 'a',
	SERVE_VARIABLE = 'v',  /* NAME=VALUE */
	SERVE_DIRECTORY = 'd', /* where the command starts */
	SERVE_USER = 'u',      /* two numbers: user, group */
	SERVE_EXECUTE = 'x',
	SERVE_WRITE = 'w', /* permission bits, path */
	SERVE_READ = 'r',  /* path */
	SERVE_INPUT = 'i',
	SERVE_INPUT_END = '.',

	SERVE_OUTPUT = 'o',
	SERVE_ERRORS = 'e',
	SERVE_TAKEN = 't',        /* how many more bytes of the input */
	SERVE_STATUS = 's',       /* as wait(2) has it */
	SERVE_NOT_EXECUTED = 'n', /* errno */
	SERVE_MODE = 'm',         /* permission bits */
	SERVE_DONE = '!',
	SERVE_FAILED = 'f', /* errno, sentence */
};

static inline void serve_put_number(uint8_t bytes[4], uint32_t number)
{
	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
}

static inline uint32_t serve_number(const uint8_t bytes[4])
{
	uint32_t number = 0;

	for (unsigned int i = 0; i < 4; i++)
		number |= (uint32_t)bytes[i] << (8 * i);
	return number;
}

static inline void serve_put_header(
	uint8_t bytes[SERVE_HEADER_BYTES], enum serve_type type, uint32_t length)
{
	bytes[0] = (uint8_t)type;
	serve_put_number(bytes + 1, length);
}
