/* xz (The .xz File Format 1.1.0) by liblzma. See unpack.h. */
#include "unpack.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#ifdef HULL_LZMA
#include <lzma.h>

/* xz -9 takes 65 MiB to unpack; a header can ask for 4 GiB. */
#define XZ_MEMORY_BYTES (UINT64_C(256) << 20)

struct xz_state {
	lzma_stream stream;
	__typeof__(lzma_stream_decoder) *stream_decoder;
	__typeof__(lzma_code) *code;
	__typeof__(lzma_end) *end;
};

static int xz_reset(void *opaque)
{
	struct xz_state *state = opaque;

	return state->stream_decoder(&state->stream, XZ_MEMORY_BYTES, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static void xz_destroy(void *opaque)
{
	struct xz_state *state = opaque;

	state->end(&state->stream);
	free(state);
}

static int xz_create(void *library, void **ret_state)
{
	struct xz_state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	state->stream_decoder = dlsym(library, "lzma_stream_decoder");
	state->code = dlsym(library, "lzma_code");
	state->end = dlsym(library, "lzma_end");
	if (!state->stream_decoder || !state->code || !state->end) {
		free(state);
		return -ELIBACC;
	}
	r = xz_reset(state);
	if (r < 0) {
		xz_destroy(state);
		return r;
	}
	*ret_state = state;
	return 0;
}

static int xz_step(void *opaque, struct unpack_step *step)
{
	struct xz_state *state = opaque;
	lzma_stream *stream = &state->stream;
	lzma_ret status;

	stream->next_in = step->input;
	stream->avail_in = step->input_length;
	stream->next_out = step->output;
	stream->avail_out = step->output_capacity;
	status = state->code(stream, LZMA_RUN);
	step->input_used = step->input_length - stream->avail_in;
	step->output_used = step->output_capacity - stream->avail_out;
	switch (status) {
	case LZMA_STREAM_END:
		return 1;
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no progress: the caller tells whether the file has ended */
		return 0;
	case LZMA_MEMLIMIT_ERROR:
		return -E2BIG;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}
#else
#define xz_create  NULL
#define xz_destroy NULL
#define xz_reset   NULL
#define xz_step    NULL
#endif

const struct unpack_codec unpack_xz = {
	.name = "xz",
	.library = "liblzma.so.5",
	.package = "liblzma5",
	.tool = "unxz",
	.magic_length = 6,
	.magic = {0xfd, '7', 'z', 'X', 'Z', 0}, /* .xz 1.1.0 2.1.1.1 */
	.create = xz_create,
	.destroy = xz_destroy,
	.reset = xz_reset,
	.step = xz_step,
};
