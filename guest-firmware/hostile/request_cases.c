/*
 * Block requests: unknown types, sectors that wrap, odd lengths (VIRTIO 1.2 5.2.6).
 */
#include "cases.h"

#define FROM_END UINT64_C(0x4000000000000000) /* c: sector relative to the capacity */

/* A request of one data buffer: a type, b length (bit 32: the other direction), c sector. */
static void run_request(struct scene *scene, const struct hostile_case *self)
{
	uint32_t type = (uint32_t)self->a;
	uint32_t length = (uint32_t)self->b;
	bool writable = (type == BLK_IN || type == BLK_GET_ID) != (self->b >> 32 != 0);
	const struct vring_buffer buffers[] = {
		{(uintptr_t)&stage.in.header, 16, false},
		{(uintptr_t)stage.data, length, writable},
		{(uintptr_t)&stage.in.status, 1, true},
	};
	const struct vring_buffer empty[] = {buffers[0], buffers[2]};
	uint64_t sector = self->c;
	const enum expect *expect = self->data;

	scene->features = BLK_F_FLUSH | BLK_F_DISCARD | BLK_F_WRITE_ZEROES;
	if (!scene_up(scene))
		return;
	scene_fill();
	if (sector >= FROM_END - 1024 && sector <= FROM_END + 1024)
		sector = stage.capacity_sectors + (sector - FROM_END);
	stage.in.header = (struct blk_header){type, 0x12345678, sector};
	scene_send(scene, length ? buffers : empty, length ? 3 : 2);
	(void)scene_expect(scene, *expect);
}

/* A range of discard or write zeroes: a type, b sectors (low half) and flags (high), c sector;
 * data: struct range_case. */
struct range_case {
	enum expect expect;
	uint32_t bytes; /* of the data; 16 a range */
};

static void run_range(struct scene *scene, const struct hostile_case *self)
{
	const struct range_case *range_case = self->data;
	volatile struct blk_range *ranges = (volatile struct blk_range *)(uintptr_t)stage.data;
	const struct vring_buffer buffers[] = {
		{(uintptr_t)&stage.in.header, 16, false},
		{(uintptr_t)stage.data, range_case->bytes, false},
		{(uintptr_t)&stage.in.status, 1, true},
	};
	uint64_t sector = self->c;

	scene->features = BLK_F_DISCARD | BLK_F_WRITE_ZEROES;
	if (!scene_up(scene))
		return;
	scene_fill();
	if (sector >= FROM_END - 1024 && sector <= FROM_END + 1024)
		sector = stage.capacity_sectors + (sector - FROM_END);
	for (uint32_t i = 0; i < (range_case->bytes + 15) / 16 && i < DATA_BYTES / 16; i++) {
		ranges[i].sector = sector;
		ranges[i].sectors = (uint32_t)self->b;
		ranges[i].flags = (uint32_t)(self->b >> 32);
	}
	stage.in.header = (struct blk_header){(uint32_t)self->a, 0, 0};
	scene_send(scene, buffers, 3);
	(void)scene_expect(scene, range_case->expect);
}

/* The used length is what the device wrote: a type, b length, c expected. */
static void run_used_length(struct scene *scene, const struct hostile_case *self)
{
	struct vring_buffer buffers[3];
	uint32_t length = 0;
	uint16_t count;

	scene->features = BLK_F_FLUSH;
	if (!scene_up(scene))
		return;
	scene_fill();
	count = blk_prepare(&stage.in, (uint32_t)self->a, SCRATCH_SECTOR, (uintptr_t)stage.data,
		(uint32_t)self->b, buffers);
	scene_send(scene, buffers, count);
	if (report_expect(scene->report, scene_wait(scene, &length) == RESULT_USED, "not used"))
		report_expect(
			scene->report, length == self->c, "%u instead of %lu", length, self->c);
}

/* The buffer of a read keeps what lies behind the data. */
static void run_no_overrun(struct scene *scene, const struct hostile_case *self)
{
	volatile uint8_t *data = stage.data;

	(void)self;
	if (!scene_up(scene))
		return;
	data[512] = 0x5a;
	data[513] = 0xa5;
	if (scene_expect_good(scene))
		report_expect(scene->report, data[512] == 0x5a && data[513] == 0xa5,
			"bytes behind the data were changed");
}

#define EXPECT(value) (&(const enum expect){value})
#define REQUEST(name, type, length, sector, expected)                                           \
	{                                                                                       \
		"request-" name, NEED_BOTH, run_request, EXPECT(expected), type, length, sector \
	}
#define OTHER_WAY UINT64_C(0x100000000)
#define TYPE(name, type, expected)                                                    \
	{                                                                             \
		"type-" name, NEED_SPLIT, run_request, EXPECT(expected), type, 512, 0 \
	}
#define RANGE(name, need, type, length, sectors, flags, sector, expected)   \
	{                                                                   \
		name, NEED_SPLIT | (need), run_range,                       \
			&(const struct range_case){expected, length}, type, \
			(sectors) | (uint64_t)(flags) << 32, sector         \
	}
#define DISCARD(name, length, sectors, flags, sector, expected) \
	RANGE("discard-" name, NEED_DISCARD, BLK_DISCARD, length, sectors, flags, sector, expected)
#define ZEROES(name, length, sectors, flags, sector, expected)                                     \
	RANGE("zeroes-" name, NEED_WRITE_ZEROES, BLK_WRITE_ZEROES, length, sectors, flags, sector, \
		expected)
#define SCRATCH SCRATCH_SECTOR

static const struct hostile_case cases[] = {
	/* 5.2.6.2: UNSUPP for what the device does not know. */
	TYPE("2", 2, EXPECT_UNSUPPORTED),
	TYPE("3", 3, EXPECT_UNSUPPORTED),
	TYPE("5", 5, EXPECT_UNSUPPORTED),
	TYPE("6", 6, EXPECT_UNSUPPORTED),
	TYPE("7", 7, EXPECT_UNSUPPORTED),
	TYPE("9", 9, EXPECT_UNSUPPORTED),
	TYPE("12", 12, EXPECT_UNSUPPORTED),
	TYPE("15", 15, EXPECT_UNSUPPORTED),
	TYPE("28", 28, EXPECT_UNSUPPORTED),
	TYPE("0x100", 0x100, EXPECT_UNSUPPORTED),
	TYPE("0x80000000", 0x80000000, EXPECT_ERROR),
	TYPE("0x80000001", 0x80000001, EXPECT_ERROR),
	TYPE("0xffffffff", 0xffffffff, EXPECT_UNSUPPORTED),
	TYPE("secure-erase", BLK_SECURE_ERASE, EXPECT_UNSUPPORTED),
	TYPE("lifetime", BLK_GET_LIFETIME, EXPECT_UNSUPPORTED),

	REQUEST("last-sector", BLK_IN, 512, FROM_END - 1, EXPECT_OK),
	REQUEST("behind-the-end", BLK_IN, 512, FROM_END, EXPECT_IOERR),
	REQUEST("across-the-end", BLK_IN, 1024, FROM_END - 1, EXPECT_IOERR),
	REQUEST("sector-2-to-32", BLK_IN, 512, UINT64_C(1) << 32, EXPECT_IOERR),
	REQUEST("sector-2-to-54", BLK_IN, 512, UINT64_C(1) << 54, EXPECT_IOERR),
	REQUEST("sector-2-to-55", BLK_IN, 512, UINT64_C(1) << 55, EXPECT_IOERR),
	REQUEST("sector-2-to-63", BLK_IN, 512, UINT64_C(1) << 63, EXPECT_IOERR),
	REQUEST("sector-all-ones", BLK_IN, 512, UINT64_MAX, EXPECT_IOERR),
	REQUEST("sector-wraps", BLK_IN, 1024, UINT64_MAX, EXPECT_IOERR),
	REQUEST("byte-offset-wraps", BLK_IN, 512, UINT64_C(1) << 55 | 1, EXPECT_IOERR),
	REQUEST("write-behind-the-end", BLK_OUT, 512, FROM_END, EXPECT_IOERR),
	REQUEST("write-across-the-end", BLK_OUT, 1024, FROM_END - 1, EXPECT_IOERR),
	REQUEST("write-sector-2-to-55", BLK_OUT, 512, UINT64_C(1) << 55, EXPECT_IOERR),
	REQUEST("write-sector-2-to-63", BLK_OUT, 512, UINT64_C(1) << 63, EXPECT_IOERR),
	REQUEST("write-sector-all-ones", BLK_OUT, 512, UINT64_MAX, EXPECT_IOERR),
	REQUEST("write-sector-wraps", BLK_OUT, 1024, UINT64_MAX, EXPECT_IOERR),

	/* 5.2.6.1: lengths are multiples of 512. */
	REQUEST("read-of-0", BLK_IN, 0, 0, EXPECT_USED),
	REQUEST("read-of-1", BLK_IN, 1, 0, EXPECT_ERROR),
	REQUEST("read-of-511", BLK_IN, 511, 0, EXPECT_ERROR),
	REQUEST("read-of-513", BLK_IN, 513, 0, EXPECT_ERROR),
	REQUEST("write-of-0", BLK_OUT, 0, SCRATCH, EXPECT_USED),
	REQUEST("write-of-1", BLK_OUT, 1, SCRATCH, EXPECT_ERROR),
	REQUEST("write-of-511", BLK_OUT, 511, SCRATCH, EXPECT_ERROR),
	REQUEST("write-of-513", BLK_OUT, 513, SCRATCH, EXPECT_ERROR),
	REQUEST("read-into-readable", BLK_IN, 512 | OTHER_WAY, 0, EXPECT_USED),
	REQUEST("write-from-writable", BLK_OUT, 512 | OTHER_WAY, SCRATCH, EXPECT_USED),
	REQUEST("of-64-kib", BLK_IN, 65536, 0, EXPECT_OK),

	REQUEST("flush", BLK_FLUSH, 0, 0, EXPECT_OK),
	REQUEST("flush-with-data", BLK_FLUSH, 512, 0, EXPECT_USED),
	REQUEST("flush-of-sector", BLK_FLUSH, 0, UINT64_MAX, EXPECT_USED),
	REQUEST("id", BLK_GET_ID, 20, 0, EXPECT_OK),
	REQUEST("id-of-0", BLK_GET_ID, 0, 0, EXPECT_USED),
	REQUEST("id-of-1", BLK_GET_ID, 1, 0, EXPECT_USED),
	REQUEST("id-of-19", BLK_GET_ID, 19, 0, EXPECT_USED),
	REQUEST("id-of-512", BLK_GET_ID, 512, 0, EXPECT_USED),
	REQUEST("id-into-readable", BLK_GET_ID, 20 | OTHER_WAY, 0, EXPECT_USED),

	DISCARD("good", 16, 8, 0, SCRATCH, EXPECT_OK),
	DISCARD("of-nothing", 16, 0, 0, SCRATCH, EXPECT_USED),
	DISCARD("no-range", 0, 0, 0, 0, EXPECT_USED),
	DISCARD("of-15-bytes", 15, 8, 0, SCRATCH, EXPECT_ERROR),
	DISCARD("of-17-bytes", 17, 8, 0, SCRATCH, EXPECT_ERROR),
	DISCARD("of-4096-ranges", 65536, 1, 0, SCRATCH, EXPECT_ERROR),
	/* 5.2.6.2: unmap is for write zeroes only, other flags for nobody. */
	DISCARD("unmap-flag", 16, 8, 1, SCRATCH, EXPECT_UNSUPPORTED),
	DISCARD("reserved-flag", 16, 8, 0x80000000, SCRATCH, EXPECT_UNSUPPORTED),
	DISCARD("behind-the-end", 16, 8, 0, FROM_END, EXPECT_IOERR),
	DISCARD("across-the-end", 16, 8, 0, FROM_END - 4, EXPECT_IOERR),
	DISCARD("sector-wraps", 16, 8, 0, UINT64_MAX - 3, EXPECT_IOERR),
	DISCARD("byte-offset-wraps", 16, 8, 0, UINT64_C(1) << 55, EXPECT_IOERR),
	DISCARD("of-all-sectors", 16, 0xffffffff, 0, SCRATCH, EXPECT_IOERR),

	ZEROES("good", 16, 8, 0, SCRATCH, EXPECT_OK),
	ZEROES("unmap-flag", 16, 8, 1, SCRATCH, EXPECT_OK),
	ZEROES("of-nothing", 16, 0, 0, SCRATCH, EXPECT_USED),
	ZEROES("of-15-bytes", 15, 8, 0, SCRATCH, EXPECT_ERROR),
	ZEROES("of-17-bytes", 17, 8, 0, SCRATCH, EXPECT_ERROR),
	ZEROES("reserved-flag", 16, 8, 2, SCRATCH, EXPECT_UNSUPPORTED),
	ZEROES("behind-the-end", 16, 8, 0, FROM_END, EXPECT_IOERR),
	ZEROES("across-the-end", 16, 8, 0, FROM_END - 4, EXPECT_IOERR),
	ZEROES("sector-wraps", 16, 8, 0, UINT64_MAX - 3, EXPECT_IOERR),
	ZEROES("byte-offset-wraps", 16, 8, 0, UINT64_C(1) << 55, EXPECT_IOERR),
	ZEROES("of-all-sectors", 16, 0xffffffff, 0, SCRATCH, EXPECT_IOERR),

	{"used-length-read", NEED_BOTH, run_used_length, NULL, BLK_IN, 512, 513},
	{"used-length-write", NEED_BOTH, run_used_length, NULL, BLK_OUT, 512, 1},
	{"used-length-flush", NEED_BOTH | NEED_FLUSH, run_used_length, NULL, BLK_FLUSH, 0, 1},
	{"used-length-id", NEED_BOTH, run_used_length, NULL, BLK_GET_ID, 20, 21},
	{"no-overrun", NEED_BOTH, run_no_overrun, NULL, 0, 0, 0},
};

GROUP(request_group, cases);
