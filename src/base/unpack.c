/*
 * The loop around every codec: reading, writing, the bound, concatenated members and what may
 * stand behind them. See unpack.h.
 */
#include "unpack.h"

#include "fd.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (UINT64_C(256) << 10)

static const struct unpack_codec *const codecs[] = {&unpack_gzip, &unpack_xz, &unpack_zstd};

struct unpack {
	const struct unpack_codec *codec;
	const char *what;
	const char *path;
	int input;
	int output;
	uint64_t limit_bytes;
	uint64_t written_bytes;
	void *library;
	void *state;
	uint8_t *input_buffer; /* input_start..input_end of it is not used up yet */
	size_t input_start;
	size_t input_end;
	uint64_t input_offset; /* of the file, behind what the buffer holds */
	uint8_t *output_buffer;
};

const struct unpack_codec *unpack_recognise(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < array_size(codecs); i++) {
		if (length >= codecs[i]->magic_length &&
			memcmp(head, codecs[i]->magic, codecs[i]->magic_length) == 0)
			return codecs[i];
	}
	return NULL;
}

static void unpack_fini(struct unpack *unpack)
{
	if (unpack->state)
		unpack->codec->destroy(unpack->state);
	if (unpack->library)
		(void)dlclose(unpack->library); /* nothing is left to do about a failure */
	free(unpack->input_buffer);
	free(unpack->output_buffer);
}

static int load_codec(struct unpack *unpack, struct err *err)
{
	const struct unpack_codec *codec = unpack->codec;
	int r;

	if (!codec->create)
		return err_set(err, -ENOPKG,
			"%s '%s' is compressed with %s, which this build of hull leaves out; "
			"unpack it first (%s)",
			unpack->what, unpack->path, codec->name, codec->tool);
	unpack->library = dlopen(codec->library, RTLD_NOW | RTLD_LOCAL);
	if (!unpack->library)
		return err_set(err, -ENOPKG,
			"%s '%s' is compressed with %s, and %s is not installed here; install it "
			"(Debian: %s) or unpack the file first (%s)",
			unpack->what, unpack->path, codec->name, codec->library, codec->package,
			codec->tool);
	r = codec->create(unpack->library, &unpack->state);
	if (r < 0)
		return err_set_errno(err, r, "%s '%s': cannot set up %s", unpack->what,
			unpack->path, codec->library);
	unpack->input_buffer = malloc(BUFFER_BYTES);
	unpack->output_buffer = malloc(BUFFER_BYTES);
	if (!unpack->input_buffer || !unpack->output_buffer)
		return err_set_errno(err, -ENOMEM, "%s '%s'", unpack->what, unpack->path);
	return 0;
}

/* Moves what is left to the front and reads behind it. Returns the bytes at hand. */
static ssize_t fill_input(struct unpack *unpack, struct err *err)
{
	size_t left = unpack->input_end - unpack->input_start;
	ssize_t count;

	if (left)
		memmove(unpack->input_buffer, unpack->input_buffer + unpack->input_start, left);
	unpack->input_start = 0;
	unpack->input_end = left;
	count = fd_pread(unpack->input, unpack->input_buffer + left, BUFFER_BYTES - left,
		unpack->input_offset);
	if (count < 0)
		return err_set_errno(err, (int)count, "%s '%s': read", unpack->what, unpack->path);
	unpack->input_offset += (uint64_t)count;
	unpack->input_end += (size_t)count;
	return (ssize_t)unpack->input_end;
}

static int write_output(struct unpack *unpack, size_t length, struct err *err)
{
	int r;

	if (length > unpack->limit_bytes - unpack->written_bytes)
		return err_set(err, -E2BIG,
			"%s '%s' unpacks to more than %" PRIu64 " MiB, which is too large here",
			unpack->what, unpack->path, unpack->limit_bytes >> 20);
	r = fd_write(unpack->output, unpack->output_buffer, length);
	if (r < 0)
		return err_set_errno(err, r, "%s '%s': no room for the unpacked file", unpack->what,
			unpack->path);
	unpack->written_bytes += length;
	return 0;
}

static int step_failed(const struct unpack *unpack, int error, struct err *err)
{
	const char *name = unpack->codec->name;

	if (error == -EBADMSG)
		return err_set(err, -EINVAL,
			"%s '%s' is damaged: its %s data breaks off or is corrupt after %" PRIu64
			" unpacked bytes",
			unpack->what, unpack->path, name, unpack->written_bytes);
	if (error == -E2BIG)
		return err_set(err, -E2BIG,
			"%s '%s' asks for more memory to unpack its %s data than hull grants; "
			"unpack it first (%s)",
			unpack->what, unpack->path, name, unpack->codec->tool);
	return err_set_errno(err, error, "%s '%s': unpacking %s", unpack->what, unpack->path, name);
}

/* Unpacks one member, up to and including its trailer. */
static int unpack_member(struct unpack *unpack, struct err *err)
{
	for (;;) {
		struct unpack_step step = {
			.output = unpack->output_buffer,
			.output_capacity = BUFFER_BYTES,
		};
		int ended, r;

		if (unpack->input_start == unpack->input_end) {
			ssize_t count = fill_input(unpack, err);

			if (count < 0)
				return (int)count;
		}
		step.input = unpack->input_buffer + unpack->input_start;
		step.input_length = unpack->input_end - unpack->input_start;
		ended = unpack->codec->step(unpack->state, &step);
		unpack->input_start += step.input_used;
		r = write_output(unpack, step.output_used, err);
		if (r < 0)
			return r;
		if (ended < 0)
			return step_failed(unpack, ended, err);
		if (ended)
			return 0;
		if (!step.input_used && !step.output_used)
			return step_failed(unpack, -EBADMSG, err);
	}
}

/* Behind a member: 1 another member, 0 the end (zeros are padding, as gzip and xz have it). */
static int look_behind_member(struct unpack *unpack, struct err *err)
{
	for (;;) {
		ssize_t count = fill_input(unpack, err);

		if (count < 0)
			return (int)count;
		if (count == 0)
			return 0;
		if (unpack_recognise(unpack->input_buffer, (size_t)count) == unpack->codec)
			return 1;
		while (unpack->input_start < unpack->input_end &&
			unpack->input_buffer[unpack->input_start] == 0)
			unpack->input_start++;
		if (!unpack->input_start)
			return err_set(err, -EINVAL,
				"%s '%s' is damaged: something else follows its %s data",
				unpack->what, unpack->path, unpack->codec->name);
	}
}

int unpack_file(const struct unpack_codec *codec, const char *what, const char *path, int input,
	int output, uint64_t limit_bytes, uint64_t *ret_size_bytes, struct err *err)
{
	cleanup_with(unpack_fini) struct unpack unpack = {
		.codec = codec,
		.what = what,
		.path = path,
		.input = input,
		.output = output,
		.limit_bytes = limit_bytes,
	};
	int more, r = load_codec(&unpack, err);

	if (r < 0)
		return r;
	do {
		r = unpack_member(&unpack, err);
		if (r < 0)
			return r;
		more = look_behind_member(&unpack, err);
		if (more < 0)
			return more;
		r = more ? codec->reset(unpack.state) : 0;
		if (r < 0)
			return step_failed(&unpack, r, err);
	} while (more);
	*ret_size_bytes = unpack.written_bytes;
	return 0;
}
