/* gzip (RFC 1952) by zlib. See unpack.h. */
#include "unpack.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#ifdef HULL_ZLIB
#include <zlib.h>

#define GZIP_ONLY 16 /* added to the window bits: neither raw nor zlib streams */

struct gzip_state {
	z_stream stream;
	__typeof__(inflate) *inflate;
	__typeof__(inflateReset) *inflate_reset;
	__typeof__(inflateEnd) *inflate_end;
};

static int gzip_create(void *library, void **ret_state)
{
	struct gzip_state *state = calloc(1, sizeof(*state));
	__typeof__(inflateInit2_) *inflate_init2 = dlsym(library, "inflateInit2_");

	if (!state)
		return -ENOMEM;
	state->inflate = dlsym(library, "inflate");
	state->inflate_reset = dlsym(library, "inflateReset");
	state->inflate_end = dlsym(library, "inflateEnd");
	if (!inflate_init2 || !state->inflate || !state->inflate_reset || !state->inflate_end) {
		free(state);
		return -ELIBACC;
	}
	if (inflate_init2(&state->stream, MAX_WBITS + GZIP_ONLY, ZLIB_VERSION,
		    (int)sizeof(state->stream)) != Z_OK) {
		free(state);
		return -ENOMEM;
	}
	*ret_state = state;
	return 0;
}

static void gzip_destroy(void *opaque)
{
	struct gzip_state *state = opaque;

	(void)state->inflate_end(&state->stream);
	free(state);
}

static int gzip_reset(void *opaque)
{
	struct gzip_state *state = opaque;

	return state->inflate_reset(&state->stream) == Z_OK ? 0 : -EBADMSG;
}

static int gzip_step(void *opaque, struct unpack_step *step)
{
	struct gzip_state *state = opaque;
	z_stream *stream = &state->stream;
	int status;

	/* zlib declares its input writable unless ZLIB_CONST is set; it never writes it. */
	stream->next_in = (Bytef *)(uintptr_t)step->input;
	stream->avail_in = (uInt)step->input_length;
	stream->next_out = step->output;
	stream->avail_out = (uInt)step->output_capacity;
	status = state->inflate(stream, Z_NO_FLUSH);
	step->input_used = step->input_length - stream->avail_in;
	step->output_used = step->output_capacity - stream->avail_out;
	switch (status) {
	case Z_STREAM_END:
		return 1;
	case Z_OK:
	case Z_BUF_ERROR: /* no progress: the caller tells whether the file has ended */
		return 0;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}
#else
#define gzip_create  NULL
#define gzip_destroy NULL
#define gzip_reset   NULL
#define gzip_step    NULL
#endif

const struct unpack_codec unpack_gzip = {
	.name = "gzip",
	.library = "libz.so.1",
	.package = "zlib1g",
	.tool = "gunzip",
	.magic_length = 3,
	.magic = {0x1f, 0x8b, 8}, /* RFC 1952 2.3.1: ID1, ID2, CM = deflate */
	.create = gzip_create,
	.destroy = gzip_destroy,
	.reset = gzip_reset,
	.step = gzip_step,
};
