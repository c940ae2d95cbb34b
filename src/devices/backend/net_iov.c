/* See net_iov.h. */
#include "net_iov.h"

#include <string.h>

size_t net_iov_bytes(const struct iovec *iov, unsigned int iov_count)
{
	size_t bytes = 0;

	for (unsigned int i = 0; i < iov_count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* The piece of entry that lies behind *offset, at most length bytes; both are counted down. */
static struct iovec next_piece(const struct iovec *entry, size_t *offset, size_t *length)
{
	struct iovec piece = {0};

	if (*offset >= entry->iov_len) {
		*offset -= entry->iov_len;
		return piece;
	}
	piece.iov_base = (char *)entry->iov_base + *offset;
	piece.iov_len = entry->iov_len - *offset;
	if (piece.iov_len > *length)
		piece.iov_len = *length;
	*offset = 0;
	*length -= piece.iov_len;
	return piece;
}

size_t net_iov_read(
	const struct iovec *iov, unsigned int iov_count, size_t offset, void *buffer, size_t length)
{
	size_t left = length;

	for (unsigned int i = 0; i < iov_count && left; i++) {
		char *target = (char *)buffer + (length - left);
		struct iovec piece = next_piece(&iov[i], &offset, &left);

		if (piece.iov_len)
			memcpy(target, piece.iov_base, piece.iov_len);
	}
	return length - left;
}

size_t net_iov_write(const struct iovec *iov, unsigned int iov_count, size_t offset,
	const void *buffer, size_t length)
{
	size_t left = length;

	for (unsigned int i = 0; i < iov_count && left; i++) {
		const char *source = (const char *)buffer + (length - left);
		struct iovec piece = next_piece(&iov[i], &offset, &left);

		if (piece.iov_len)
			memcpy(piece.iov_base, source, piece.iov_len);
	}
	return length - left;
}

unsigned int net_iov_slice(const struct iovec *iov, unsigned int iov_count, size_t offset,
	size_t length, struct iovec *ret_iov)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < iov_count && length; i++) {
		struct iovec piece = next_piece(&iov[i], &offset, &length);

		if (piece.iov_len)
			ret_iov[count++] = piece;
	}
	return count;
}
