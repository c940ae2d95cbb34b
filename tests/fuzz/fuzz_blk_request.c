/*
 * A block request of any bytes, in any pieces: it is refused with a status, or it lies inside the
 * disk and has the data that it speaks of.
 *
 * Input: capacity (8 bytes), flags (1), room for what the device writes (2), size of the pieces
 * (1); the rest is what the device reads.
 */
#include "blk_request.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#define PREFIX_BYTES 12
#define PIECES_MAX   4096

static void check_inside(const struct blk_request *request, const struct blk_limits *limits)
{
	uint64_t size = limits->capacity_sectors * BLK_SECTOR_BYTES;

	fuzz_require(request->range_count <= BLK_RANGES_MAX);
	for (unsigned int i = 0; i < request->range_count; i++) {
		const struct blk_range *range = &request->ranges[i];

		fuzz_require(range->offset <= size && range->length <= size - range->offset);
		fuzz_require(range->offset % BLK_SECTOR_BYTES == 0);
		fuzz_require(range->length % BLK_SECTOR_BYTES == 0);
	}
}

static void check_good(const struct chain *chain, const struct blk_request *request,
	const struct blk_limits *limits)
{
	check_inside(request, limits);
	fuzz_require(chain->writer.left_bytes >= 1);
	switch (request->operation) {
	case BLK_READ:
		fuzz_require(request->range_count == 1);
		fuzz_require(chain->writer.left_bytes - 1 == request->ranges[0].length);
		return;
	case BLK_WRITE:
		fuzz_require(request->range_count == 1 && !limits->read_only);
		fuzz_require(chain->reader.left_bytes == request->ranges[0].length);
		return;
	case BLK_FLUSH:
		return;
	case BLK_GET_ID:
		fuzz_require(chain->writer.left_bytes > BLK_ID_BYTES);
		return;
	case BLK_DISCARD:
		fuzz_require(limits->can_discard && !limits->read_only);
		fuzz_require(request->range_count >= 1);
		return;
	case BLK_WRITE_ZEROES:
		fuzz_require(limits->can_write_zeroes && !limits->read_only);
		fuzz_require(request->range_count >= 1);
		return;
	}
	fuzz_require(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gmem_span spans[PIECES_MAX];
	static uint8_t room[65536];
	struct gmem_span writable = {room, 0};
	struct blk_limits limits = {0};
	struct blk_request request;
	struct chain chain = {0};
	uint8_t bytes[PIECES_MAX];
	uint16_t count = 0;
	size_t piece;
	int r;

	if (size < PREFIX_BYTES || size - PREFIX_BYTES > sizeof(bytes))
		return 0;
	memcpy(&limits.capacity_sectors, data, 8);
	limits.capacity_sectors %= UINT64_C(1) << 54;
	limits.read_only = data[8] & 1;
	limits.can_discard = data[8] & 2;
	limits.can_write_zeroes = data[8] & 4;
	limits.discard_sectors_max = UINT32_C(1) << (data[8] >> 3);
	limits.write_zeroes_sectors_max = limits.discard_sectors_max / 2;
	writable.length = data[9] | (uint32_t)data[10] << 8;
	piece = data[11] ? data[11] : sizeof(bytes);
	data += PREFIX_BYTES;
	size -= PREFIX_BYTES;
	memcpy(bytes, data, size);
	for (size_t at = 0; at < size; at += piece, count++)
		spans[count] = (struct gmem_span){
			bytes + at, (uint32_t)(size - at < piece ? size - at : piece)};
	chain.reader = (struct chain_cursor){
		.spans = spans, .span_count = count, .left_bytes = size};
	chain.writer = (struct chain_cursor){
		.spans = &writable, .span_count = 1, .left_bytes = writable.length};
	chain.readable_bytes = size;
	chain.writable_bytes = writable.length;
	r = blk_request_decode(&chain, &limits, &request);
	fuzz_require(chain.written_bytes == 0);
	if (r == 0)
		check_good(&chain, &request, &limits);
	else
		fuzz_require(r == BLK_S_IOERR || r == BLK_S_UNSUPP ||
			     (r == -EPROTO && !writable.length));
	return 0;
}
