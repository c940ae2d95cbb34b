/* See blk_request.h. */
#include "blk_request.h"

#include <endian.h>
#include <errno.h>

/* 5.2.6 */
#define TYPE_IN           0
#define TYPE_OUT          1
#define TYPE_FLUSH        4
#define TYPE_GET_ID       8
#define TYPE_DISCARD      11
#define TYPE_WRITE_ZEROES 13

#define RANGE_FLAG_UNMAP UINT32_C(1)

struct header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

struct wire_range {
	uint64_t sector;
	uint32_t sector_count;
	uint32_t flags;
};

static int place(const struct blk_limits *limits, uint64_t sector, uint64_t sector_count,
	struct blk_range *ret_range)
{
	if (sector > limits->capacity_sectors || sector_count > limits->capacity_sectors - sector)
		return BLK_S_IOERR;
	ret_range->offset = sector * BLK_SECTOR_BYTES;
	ret_range->length = sector_count * BLK_SECTOR_BYTES;
	ret_range->unmap = false;
	return 0;
}

static int decode_transfer(uint64_t data_bytes, const struct blk_limits *limits, uint64_t sector,
	struct blk_request *ret_request)
{
	/* 5.2.6.1: the driver sends whole sectors. */
	if (data_bytes % BLK_SECTOR_BYTES)
		return BLK_S_IOERR;
	ret_request->range_count = 1;
	return place(limits, sector, data_bytes / BLK_SECTOR_BYTES, &ret_request->ranges[0]);
}

static int decode_read(struct chain *chain, const struct blk_limits *limits, uint64_t sector,
	struct blk_request *ret_request)
{
	ret_request->operation = BLK_READ;
	if (chain->reader.left_bytes)
		return BLK_S_IOERR;
	return decode_transfer(chain->writer.left_bytes - 1, limits, sector, ret_request);
}

static int decode_write(struct chain *chain, const struct blk_limits *limits, uint64_t sector,
	struct blk_request *ret_request)
{
	ret_request->operation = BLK_WRITE;
	/* 5.2.6.2, and whether or not the driver has accepted VIRTIO_BLK_F_RO. */
	if (limits->read_only || chain->writer.left_bytes != 1)
		return BLK_S_IOERR;
	return decode_transfer(chain->reader.left_bytes, limits, sector, ret_request);
}

static int decode_flush(struct chain *chain, const struct blk_limits *limits, uint64_t sector,
	struct blk_request *ret_request)
{
	(void)limits;
	(void)sector;
	if (chain->reader.left_bytes || chain->writer.left_bytes != 1)
		return BLK_S_IOERR;
	ret_request->operation = BLK_FLUSH;
	return 0;
}

static int decode_get_id(struct chain *chain, const struct blk_limits *limits, uint64_t sector,
	struct blk_request *ret_request)
{
	(void)limits;
	(void)sector;
	/* 5.2.6: 20 bytes, and the status. */
	if (chain->reader.left_bytes || chain->writer.left_bytes < BLK_ID_BYTES + 1)
		return BLK_S_IOERR;
	ret_request->operation = BLK_GET_ID;
	return 0;
}

/* 5.2.6.2: unknown flags, and unmap where it has no meaning, are not supported. */
static int decode_range(struct chain *chain, const struct blk_limits *limits, uint32_t sectors_max,
	uint32_t flags_known, struct blk_range *ret_range)
{
	struct wire_range range;
	uint32_t flags;
	int r;

	if (chain_read(chain, &range, sizeof(range)) < 0)
		return BLK_S_IOERR;
	flags = le32toh(range.flags);
	if (flags & ~flags_known)
		return BLK_S_UNSUPP;
	if (le32toh(range.sector_count) > sectors_max)
		return BLK_S_IOERR;
	r = place(limits, le64toh(range.sector), le32toh(range.sector_count), ret_range);
	if (r == 0)
		ret_range->unmap = flags & RANGE_FLAG_UNMAP;
	return r;
}

static int decode_ranges(
	struct chain *chain, const struct blk_limits *limits, struct blk_request *ret_request)
{
	bool zeroes = ret_request->operation == BLK_WRITE_ZEROES;
	uint64_t count = chain->reader.left_bytes / sizeof(struct wire_range);
	uint32_t sectors_max = zeroes ? limits->write_zeroes_sectors_max
	                              : limits->discard_sectors_max;
	int r = 0;

	if (limits->read_only)
		return BLK_S_IOERR;
	if (!(zeroes ? limits->can_write_zeroes : limits->can_discard))
		return BLK_S_UNSUPP;
	if (chain->reader.left_bytes % sizeof(struct wire_range) || !count ||
		count > BLK_RANGES_MAX || chain->writer.left_bytes != 1)
		return BLK_S_IOERR;
	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = decode_range(chain, limits, sectors_max, zeroes ? RANGE_FLAG_UNMAP : 0,
			&ret_request->ranges[i]);
	ret_request->range_count = (unsigned int)count;
	return r;
}

static int decode_discard(struct chain *chain, const struct blk_limits *limits, uint64_t sector,
	struct blk_request *ret_request)
{
	(void)sector;
	ret_request->operation = BLK_DISCARD;
	return decode_ranges(chain, limits, ret_request);
}

static int decode_write_zeroes(struct chain *chain, const struct blk_limits *limits,
	uint64_t sector, struct blk_request *ret_request)
{
	(void)sector;
	ret_request->operation = BLK_WRITE_ZEROES;
	return decode_ranges(chain, limits, ret_request);
}

static const struct {
	uint32_t type;
	int (*decode)(struct chain *chain, const struct blk_limits *limits, uint64_t sector,
		struct blk_request *ret_request);
} types[] = {
	{TYPE_IN, decode_read},
	{TYPE_OUT, decode_write},
	{TYPE_FLUSH, decode_flush},
	{TYPE_GET_ID, decode_get_id},
	{TYPE_DISCARD, decode_discard},
	{TYPE_WRITE_ZEROES, decode_write_zeroes},
};

int blk_request_decode(
	struct chain *chain, const struct blk_limits *limits, struct blk_request *ret_request)
{
	struct header header;

	if (!chain->writer.left_bytes)
		return -EPROTO;
	ret_request->range_count = 0;
	if (chain_read(chain, &header, sizeof(header)) < 0)
		return BLK_S_IOERR;
	for (unsigned int i = 0; i < array_size(types); i++)
		if (types[i].type == le32toh(header.type))
			return types[i].decode(chain, limits, le64toh(header.sector), ret_request);
	return BLK_S_UNSUPP;
}
