/* Errors, deadlines and buffers, see client.h. */
#include "client.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __attribute__((format(printf, 4, 0))) int fail(
	struct hull_error *error, int code, int status, const char *format, va_list list)
{
	code = code < 0 ? code : -code;
	if (error) {
		error->code = code;
		error->status = status;
		(void)vsnprintf(error->message, sizeof(error->message), format, list);
	}
	return code;
}

int client_fail(struct hull_error *error, int code, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	code = fail(error, code, -1, format, list);
	va_end(list);
	return code;
}

int client_fail_status(struct hull_error *error, int code, int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	code = fail(error, code, status, format, list);
	va_end(list);
	return code;
}

uint64_t deadline_after(int timeout_ms)
{
	return timeout_ms < 0 ? DEADLINE_NEVER
	                      : clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
}

int deadline_rest_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t rest_ms;

	if (deadline_ns == DEADLINE_NEVER)
		return -1;
	if (now >= deadline_ns)
		return 0;
	rest_ms = (deadline_ns - now + 999999) / 1000000;
	return rest_ms > INT_MAX ? INT_MAX : (int)rest_ms;
}

static int grow(struct buffer *buffer, size_t wanted)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 4096;
	char *bytes;

	if (wanted < buffer->capacity)
		return 0;
	while (capacity <= wanted)
		capacity *= 2;
	bytes = realloc(buffer->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return 0;
}

int buffer_add(struct buffer *buffer, const char *bytes, size_t length, bool push_out)
{
	size_t over;

	if (!push_out && length > buffer->maximum - buffer->length)
		return -EFBIG;
	if (length > buffer->maximum) {
		buffer->dropped += buffer->length + length - buffer->maximum;
		buffer->length = 0;
		bytes += length - buffer->maximum;
		length = buffer->maximum;
	} else if (length > buffer->maximum - buffer->length) {
		/* More than must be, so that not each byte moves all others. */
		over = length + buffer->length - buffer->maximum;
		if (over < buffer->maximum / 4 && buffer->length > buffer->maximum / 4)
			over = buffer->maximum / 4;
		if (over > buffer->length)
			over = buffer->length;
		memmove(buffer->bytes, buffer->bytes + over, buffer->length - over);
		buffer->length -= over;
		buffer->dropped += over;
	}
	if (grow(buffer, buffer->length + length) < 0)
		return -ENOMEM;
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
	buffer->bytes[buffer->length] = '\0';
	return 0;
}

char *buffer_copy(const struct buffer *buffer, uint64_t index, size_t *ret_length)
{
	size_t skip = index > buffer->dropped ? (size_t)(index - buffer->dropped) : 0;
	size_t length = skip < buffer->length ? buffer->length - skip : 0;
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	if (length)
		memcpy(copy, buffer->bytes + skip, length);
	copy[length] = '\0';
	if (ret_length)
		*ret_length = length;
	return copy;
}

void buffer_fini(struct buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->length = buffer->capacity = 0;
}

const char *last_line(char *messages)
{
	size_t length = strlen(messages);
	char *line;

	while (length && messages[length - 1] == '\n')
		messages[--length] = '\0';
	line = strrchr(messages, '\n');
	line = line ? line + 1 : messages;
	return strncmp(line, "hull: ", 6) == 0 ? line + 6 : line;
}

exported void hull_free(void *memory)
{
	free(memory);
}

exported const char *hull_version(void)
{
	return HULL_VERSION;
}
