/*
 * Frames as lists of buffers. Guest memory behind them may change at any time: what is read here is
 * a copy to be judged, and never a reason to trust what is read later.
 */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

/* Bytes in all. */
size_t net_iov_bytes(const struct iovec *iov, unsigned int iov_count);
/* Copies between the list, from offset on, and a buffer: how many bytes there were. */
size_t net_iov_read(const struct iovec *iov, unsigned int iov_count, size_t offset, void *buffer,
	size_t length);
size_t net_iov_write(const struct iovec *iov, unsigned int iov_count, size_t offset,
	const void *buffer, size_t length);
/* length bytes of the list, from offset on (fewer at its end): entries of ret_iov, which has room
 * for as many as iov. */
unsigned int net_iov_slice(const struct iovec *iov, unsigned int iov_count, size_t offset,
	size_t length, struct iovec *ret_iov);
