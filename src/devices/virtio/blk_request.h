/*
 * What a driver's block request asks for: VIRTIO 1.2 5.2.6, from a chain to plain values or the
 * status that answers it. Pure: reads the chain, touches nothing else.
 */
#pragma once

#include "chain.h"
#include "compiler.h"

#include <stdbool.h>
#include <stdint.h>

#define BLK_SECTOR_BYTES 512
#define BLK_ID_BYTES     20
#define BLK_RANGES_MAX   32

/* 5.2.6: the status byte */
enum blk_status { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

enum blk_operation {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_GET_ID,
	BLK_DISCARD,
	BLK_WRITE_ZEROES,
};

struct blk_range {
	uint64_t offset, length; /* bytes, inside the disk */
	bool unmap;
};

struct blk_request {
	enum blk_operation operation;
	unsigned int range_count; /* read and write: 1; discard and write zeroes: at least 1 */
	struct blk_range ranges[BLK_RANGES_MAX];
};

/* What the disk is at the moment, and what its driver was told. */
struct blk_limits {
	uint64_t capacity_sectors;
	bool read_only;
	bool can_discard, can_write_zeroes;
	uint32_t discard_sectors_max, write_zeroes_sectors_max; /* of one range */
};

/* 0: *ret_request is good, and of the chain only the data is left: behind the header for a write,
 * in front of the status byte for a read. Otherwise the status to answer, or -EPROTO: there is no
 * room for a status. Whatever is wrong with a request that has room for one is the request's
 * affair and not the queue's. */
must_check int blk_request_decode(
	struct chain *chain, const struct blk_limits *limits, struct blk_request *ret_request);
