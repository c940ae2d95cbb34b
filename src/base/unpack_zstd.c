/* zstd (RFC 8878) by libzstd. See unpack.h. */
#include "unpack.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#ifdef HULL_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

struct zstd_state {
	ZSTD_DStream *stream;
	__typeof__(ZSTD_freeDStream) *free_stream;
	__typeof__(ZSTD_initDStream) *init_stream;
	__typeof__(ZSTD_decompressStream) *decompress;
	__typeof__(ZSTD_isError) *is_error;
	__typeof__(ZSTD_getErrorCode) *error_code;
};

static int zstd_error(const struct zstd_state *state, size_t status)
{
	switch (state->error_code(status)) {
	case ZSTD_error_frameParameter_windowTooLarge: /* above 128 MiB: zstd --long */
		return -E2BIG;
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

static int zstd_reset(void *opaque)
{
	struct zstd_state *state = opaque;
	size_t status = state->init_stream(state->stream);

	return state->is_error(status) ? zstd_error(state, status) : 0;
}

static void zstd_destroy(void *opaque)
{
	struct zstd_state *state = opaque;

	(void)state->free_stream(state->stream);
	free(state);
}

static int zstd_create(void *library, void **ret_state)
{
	struct zstd_state *state = calloc(1, sizeof(*state));
	__typeof__(ZSTD_createDStream) *create_stream = dlsym(library, "ZSTD_createDStream");

	if (!state)
		return -ENOMEM;
	state->free_stream = dlsym(library, "ZSTD_freeDStream");
	state->init_stream = dlsym(library, "ZSTD_initDStream");
	state->decompress = dlsym(library, "ZSTD_decompressStream");
	state->is_error = dlsym(library, "ZSTD_isError");
	state->error_code = dlsym(library, "ZSTD_getErrorCode");
	if (!create_stream || !state->free_stream || !state->init_stream || !state->decompress ||
		!state->is_error || !state->error_code) {
		free(state);
		return -ELIBACC;
	}
	state->stream = create_stream();
	if (!state->stream) {
		free(state);
		return -ENOMEM;
	}
	*ret_state = state;
	return 0;
}

static int zstd_step(void *opaque, struct unpack_step *step)
{
	struct zstd_state *state = opaque;
	ZSTD_inBuffer input = {.src = step->input, .size = step->input_length};
	ZSTD_outBuffer output = {.dst = step->output, .size = step->output_capacity};
	size_t status = state->decompress(state->stream, &output, &input);

	step->input_used = input.pos;
	step->output_used = output.pos;
	if (state->is_error(status))
		return zstd_error(state, status);
	return status == 0;
}
#else
#define zstd_create  NULL
#define zstd_destroy NULL
#define zstd_reset   NULL
#define zstd_step    NULL
#endif

const struct unpack_codec unpack_zstd = {
	.name = "zstd",
	.library = "libzstd.so.1",
	.package = "libzstd1",
	.tool = "unzstd",
	.magic_length = 4,
	.magic = {0x28, 0xb5, 0x2f, 0xfd}, /* RFC 8878 3.1.1: 0xFD2FB528 little-endian */
	.create = zstd_create,
	.destroy = zstd_destroy,
	.reset = zstd_reset,
	.step = zstd_step,
};
