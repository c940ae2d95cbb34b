/* See config_device.h. */
#include "config_device.h"

#include "config_value.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int config_rng_set(void *field, const char *value, struct err *err)
{
	static const char word[] = "rate=";
	struct config *config = field;
	uint64_t rate = 0;

	if (value && (strncmp(value, word, strlen(word)) != 0 ||
			     parse_size_bytes(value + strlen(word), 1, &rate) < 0 || !rate))
		return err_set(err, EINVAL,
			QUOTED " is not rate=BYTES, the bytes that a second may bring, as in "
			       "rate=64K",
			value);
	config->rng = true;
	config->rng_bytes_per_second = rate;
	return 0;
}

/* PATH or PATH,cid=N; a comma of another meaning is the path's. */
int config_vsock_set(void *field, const char *value, struct err *err)
{
	static const char word[] = ",cid=";
	struct config *config = field;
	const char *end = strstr(value, word);
	size_t length = end ? (size_t)(end - value) : strlen(value);
	uint64_t cid = 3;
	char *path;

	/* VIRTIO 1.2 5.10.4: 0 to 2 are reserved, and so is the last. */
	if (!length ||
		(end && (parse_u64(end + strlen(word), UINT32_MAX - 1, &cid) < 0 || cid < 3)))
		return err_set(err, EINVAL,
			QUOTED " is not PATH or PATH,cid=N, with N from 3 to 4294967294", value);
	path = strndup(value, length);
	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	free(config->vsock_path);
	config->vsock_path = path;
	config->vsock_cid = (uint32_t)cid;
	return 0;
}

bool config_vsock_show(const void *field, struct text *text)
{
	const struct config *config = field;

	if (config->vsock_path)
		text_addf(text, "%s,cid=%" PRIu32, config->vsock_path, config->vsock_cid);
	return config->vsock_path != NULL;
}

bool config_rng_show(const void *field, struct text *text)
{
	const struct config *config = field;

	if (config->rng_bytes_per_second)
		text_addf(text, "rate=%" PRIu64, config->rng_bytes_per_second);
	return config->rng;
}

static const char *const transport_words[3] = {
	[CONFIG_TRANSPORT_PCI] = "pci",
	[CONFIG_TRANSPORT_MMIO] = "mmio",
	[CONFIG_TRANSPORT_MMIO_CMDLINE] = "mmio-cmdline",
};

int config_transport_set(void *field, const char *value, struct err *err)
{
	int r = config_word_choose(transport_words, 3, value, err);

	if (r < 0)
		return r;
	*(enum config_transport *)field = (enum config_transport)r;
	return 0;
}

bool config_transport_show(const void *field, struct text *text)
{
	text_add(text, transport_words[*(const enum config_transport *)field]);
	return true;
}

static const char *const io_engine_words[3] = {
	[CONFIG_IO_ENGINE_AUTO] = "auto",
	[CONFIG_IO_ENGINE_URING] = "io_uring",
	[CONFIG_IO_ENGINE_THREADS] = "threads",
};

int config_io_engine_set(void *field, const char *value, struct err *err)
{
	int r = config_word_choose(io_engine_words, 3, value, err);

	if (r < 0)
		return r;
	*(enum config_io_engine *)field = (enum config_io_engine)r;
	return 0;
}

bool config_io_engine_show(const void *field, struct text *text)
{
	text_add(text, io_engine_words[*(const enum config_io_engine *)field]);
	return true;
}

int config_io_threads_set(void *field, const char *value, struct err *err)
{
	uint64_t count;

	if (parse_u64(value, CONFIG_IO_THREADS_MAX, &count) < 0 || count == 0)
		return err_set(err, EINVAL, QUOTED " is not a number of I/O threads from 1 to %d",
			value, CONFIG_IO_THREADS_MAX);
	*(unsigned int *)field = (unsigned int)count;
	return 0;
}

int config_io_poll_set(void *field, const char *value, struct err *err)
{
	uint64_t microseconds = CONFIG_IO_POLL_AUTO;

	if (strcmp(value, "auto") != 0 &&
		parse_u64(value, CONFIG_IO_POLL_MAX_US, &microseconds) < 0)
		return err_set(err, EINVAL,
			QUOTED " is neither auto nor a number of microseconds up to %d", value,
			CONFIG_IO_POLL_MAX_US);
	*(unsigned int *)field = (unsigned int)microseconds;
	return 0;
}

bool config_io_poll_show(const void *field, struct text *text)
{
	unsigned int microseconds = *(const unsigned int *)field;

	if (microseconds == CONFIG_IO_POLL_AUTO)
		text_add(text, "auto");
	else
		text_addf(text, "%u", microseconds);
	return true;
}
