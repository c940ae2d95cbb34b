/*
 * A virtqueue and a hostile driver that the input plays: mostly chains as they should be, with one
 * thing broken here and there, and bytes anywhere in guest memory. A model beside the queue, which
 * knows VIRTIO 1.2's layouts by itself, says which chains are out and what the driver may find
 * used. Guest RAM is allocated byte for byte, so that AddressSanitizer sees the first one behind
 * it.
 */
#pragma once

#include "fuzz.h"

#include "virtq.h"

#include <errno.h>
#include <string.h>

#define LOW_BYTES  0x8000u
#define HIGH       (UINT64_C(1) << 32)
#define HIGH_BYTES 0x1000u
#define RINGS      0x1000u
#define RINGS_END  0x2000u
#define TABLES     0x2000u
#define BUFFERS    0x4000u

#define F_NEXT     1u
#define F_WRITE    2u
#define F_INDIRECT 4u
#define F_AVAIL    0x80u
#define F_USED     0x8000u

struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

struct fuzz_out {
	struct chain *chain; /* NULL: pushed, held back for the order */
	uint64_t length;
	uint16_t id, positions;
};

struct fuzz_virtq {
	struct fuzz_input input;
	struct gmem gmem;
	uint8_t *low, *high;
	struct virtq *queue;
	struct virtq_config config;
	struct virtq_features features;
	uint16_t segments_max;

	/* The driver. */
	uint16_t available; /* split: index; packed: position */
	bool available_wrap;
	uint16_t descriptor; /* split: the next to use */

	/* The model of the device. */
	struct fuzz_out out[1024]; /* in order of pop */
	unsigned int out_count;
	struct fuzz_out pushed[1024]; /* not flushed yet, in the order of the ring */
	unsigned int pushed_count;
	uint16_t next_available, next_used;
	bool pop_wrap, used_wrap;
	bool broken, tainted; /* tainted: the input has written where the used elements are */
};

static inline uint8_t take8(struct fuzz_virtq *f)
{
	if (!f->input.left)
		return 0;
	f->input.left--;
	return *f->input.data++;
}

static inline uint16_t take16(struct fuzz_virtq *f)
{
	uint16_t low = take8(f);

	return (uint16_t)(low | take8(f) << 8);
}

static inline bool is_packed(const struct fuzz_virtq *f)
{
	return f->features.format == VIRTQ_PACKED;
}

static inline uint16_t peek16(const struct fuzz_virtq *f, uint64_t address)
{
	uint16_t value;

	memcpy(&value, f->low + address, 2);
	return value;
}

static inline uint32_t peek32(const struct fuzz_virtq *f, uint64_t address)
{
	uint32_t value;

	memcpy(&value, f->low + address, 4);
	return value;
}

static inline void poke(struct fuzz_virtq *f, uint64_t address, const void *bytes, size_t count)
{
	memcpy(f->low + address, bytes, count);
	if (f->pushed_count && address < RINGS_END && address + count > RINGS)
		f->tainted = true;
}

static inline void poke16(struct fuzz_virtq *f, uint64_t address, uint16_t value)
{
	poke(f, address, &value, 2);
}

struct fuzz_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t word12, word14;
};

static inline uint64_t position_address(const struct fuzz_virtq *f, uint16_t position)
{
	return f->config.descriptor_area + 16ull * position;
}

static inline void fuzz_start(struct fuzz_virtq *f)
{
	memset(f->low + RINGS, 0, RINGS_END - RINGS);
	f->available = f->descriptor = f->next_available = f->next_used = 0;
	f->available_wrap = f->pop_wrap = f->used_wrap = true;
	f->out_count = f->pushed_count = 0;
	f->broken = f->tainted = false;
	fuzz_require(virtq_config_check(&f->config, &f->gmem, &f->features) == 0);
	virtq_start(f->queue, &f->config, &f->features);
}

static inline void fuzz_setup(struct fuzz_virtq *f, enum virtq_format format)
{
	static const uint16_t sizes[] = {1, 2, 4, 8, 16, 64, 3, 7};
	uint8_t options = take8(f);
	uint8_t choice = take8(f);

	f->low = calloc(1, LOW_BYTES);
	f->high = calloc(1, HIGH_BYTES);
	fuzz_require(f->low && f->high);
	f->gmem.region_count = 2;
	f->gmem.regions[0] = (struct gmem_region){.size_bytes = LOW_BYTES, .host = f->low};
	f->gmem.regions[1] = (struct gmem_region){
		.base = gpa_at(HIGH), .size_bytes = HIGH_BYTES, .host = f->high};
	f->features = (struct virtq_features){.format = format,
		.indirect = options & 1,
		.event_idx = options & 2,
		.in_order = options & 4};
	f->segments_max = options & 8 ? 3 : 40;
	f->config = (struct virtq_config){
		.size_max = 64,
		.size = sizes[choice % (format == VIRTQ_PACKED ? 8 : 6)],
		.enabled = true,
		.descriptor_area = RINGS,
		.driver_area = RINGS + 0x400,
		.device_area = RINGS + 0x500,
	};
	fuzz_require(virtq_create(&f->gmem, 64, f->segments_max, &f->queue) == 0);
	fuzz_start(f);
}

/* --- The driver --- */

static inline uint32_t some_length(uint8_t choice)
{
	static const uint32_t lengths[] = {
		1, 16, 512, 4096, 0, 3, 64, 8, 0x1000, 0xffffffff, 0x80000000, 0x3fff};

	return lengths[choice % 12 < 8 || choice > 200 ? choice % 12 : choice % 8];
}

/* Descriptor i of count, as it should be, unless fault says otherwise. */
static inline struct fuzz_descriptor make_descriptor(
	struct fuzz_virtq *f, unsigned int i, unsigned int count, uint8_t fault)
{
	uint8_t choice = take8(f);
	bool writable = choice & 0x80 || i + 1 == count;
	struct fuzz_descriptor d = {
		.address = BUFFERS + 0x40ull * (choice & 0x3f), .length = some_length(take8(f))};

	d.word12 = (uint16_t)((writable ? F_WRITE : 0) | (i + 1 < count ? F_NEXT : 0));
	if (i != (fault & 3))
		return d;
	switch (fault >> 2) {
	case 0:
		d.address = LOW_BYTES - 8;
		break;
	case 1:
		d.address = UINT64_MAX - 7;
		break;
	case 2:
		d.address = HIGH + HIGH_BYTES - 16;
		break;
	case 3:
		d.word12 ^= F_WRITE;
		break;
	case 4:
		d.word12 ^= F_NEXT;
		break;
	case 5:
		d.word12 ^= F_INDIRECT;
		break;
	case 6:
		d.address = TABLES;
		d.length = 16u * take8(f);
		d.word12 = F_INDIRECT;
		break;
	case 7:
		d.address = RINGS + take8(f);
		break;
	case 8:
		d.length = 0xfffffff0;
		break;
	default:
		break;
	}
	return d;
}

static inline void store_descriptor(
	struct fuzz_virtq *f, uint64_t at, const struct fuzz_descriptor *d)
{
	poke(f, at, &d->address, 8);
	poke(f, at + 8, &d->length, 4);
	poke(f, at + 12, &d->word12, 2);
	poke(f, at + 14, &d->word14, 2);
}

static inline void add_table(
	struct fuzz_virtq *f, uint64_t table, unsigned int count, uint8_t fault)
{
	for (unsigned int i = 0; i < count; i++) {
		struct fuzz_descriptor d = make_descriptor(f, i, count, fault);

		d.word14 = (uint16_t)(i + 1);
		if (fault == 0xf0)
			d.word14 = take8(f);
		if (is_packed(f))
			d = (struct fuzz_descriptor){
				d.address, d.length, 0, d.word12 & (uint16_t)~F_NEXT};
		store_descriptor(f, table + 16ull * i, &d);
	}
}

/* One descriptor into the ring, in its format; the available index stays. */
static inline void place(struct fuzz_virtq *f, struct fuzz_descriptor d, uint16_t id, uint8_t fault)
{
	if (!is_packed(f)) {
		uint16_t index = f->descriptor;

		f->descriptor = (uint16_t)((f->descriptor + 1) % f->config.size);
		d.word14 = fault == 0xf1 ? take16(f) : f->descriptor;
		store_descriptor(f, position_address(f, index), &d);
		return;
	}
	d.word14 = (uint16_t)(d.word12 | (f->available_wrap ? F_AVAIL : F_USED));
	d.word12 = id;
	if (fault == 0xf2)
		d.word14 ^= F_AVAIL;
	store_descriptor(f, position_address(f, f->available), &d);
	if (++f->available == f->config.size) {
		f->available = 0;
		f->available_wrap = !f->available_wrap;
	}
}

static inline void add_chain(struct fuzz_virtq *f)
{
	uint8_t shape = take8(f), fault = take8(f);
	unsigned int count = 1u + (shape & 7);
	uint16_t head = f->descriptor;
	uint16_t id = fault == 0xf3 ? 1 : (uint16_t)(shape >> 5 | f->available << 3);
	uint16_t slot = (uint16_t)(f->available % f->config.size);

	if (shape & 0x10) {
		uint64_t table = TABLES + 0x100ull * (shape >> 5) + (fault == 0xf4);

		add_table(f, table, count, fault);
		place(f, (struct fuzz_descriptor){table, 16 * count, (uint16_t)F_INDIRECT, 0}, id,
			fault);
	} else {
		for (unsigned int i = 0; i < count; i++)
			place(f, make_descriptor(f, i, count, fault), id, fault);
	}
	if (is_packed(f))
		return;
	if (fault == 0xf5)
		head = take16(f);
	poke16(f, f->config.driver_area + 4 + 2ull * slot, head);
	f->available = (uint16_t)(f->available + (fault == 0xf6 ? take16(f) : 1));
	poke16(f, f->config.driver_area + 2, f->available);
}

static inline void scribble(struct fuzz_virtq *f)
{
	uint64_t address = take16(f) % LOW_BYTES;
	uint8_t bytes[16];
	size_t count = 1u + take8(f) % sizeof(bytes);

	if (address + count > LOW_BYTES)
		return;
	for (size_t i = 0; i < count; i++)
		bytes[i] = take8(f);
	poke(f, address, bytes, count);
}

/* --- The device --- */

/* What a correct device takes next from the rings: id and how far it goes. */
static inline struct fuzz_out expected_next(struct fuzz_virtq *f)
{
	struct fuzz_out next = {.positions = 1};
	uint16_t position = f->next_available;

	if (!is_packed(f)) {
		next.id = peek16(
			f, f->config.driver_area + 4 + 2ull * (f->next_available % f->config.size));
		return next;
	}
	while (peek16(f, position_address(f, position) + 14) & F_NEXT &&
		next.positions <= f->config.size) {
		position = (uint16_t)((position + 1) % f->config.size);
		next.positions++;
	}
	next.id = peek16(f, position_address(f, position) + 12);
	return next;
}

static inline bool in_ram(const struct fuzz_virtq *f, const struct gmem_span *span)
{
	const uint8_t *at = span->host;

	if (at >= f->low && at < f->low + LOW_BYTES)
		return span->length <= (size_t)(f->low + LOW_BYTES - at);
	return at >= f->high && at < f->high + HIGH_BYTES &&
	       span->length <= (size_t)(f->high + HIGH_BYTES - at);
}

static inline bool touches_rings(const struct fuzz_virtq *f, const struct chain_cursor *cursor)
{
	for (uint16_t i = 0; i < cursor->span_count; i++) {
		const uint8_t *at = cursor->spans[i].host;

		if (at < f->low + RINGS_END && at + cursor->spans[i].length > f->low + RINGS)
			return true;
	}
	return false;
}

static inline void check_cursor(
	const struct fuzz_virtq *f, const struct chain_cursor *cursor, uint64_t bytes)
{
	uint64_t sum = 0;

	fuzz_require(cursor->index == 0 && cursor->offset == 0);
	for (uint16_t i = 0; i < cursor->span_count; i++) {
		fuzz_require(cursor->spans[i].length > 0 && in_ram(f, &cursor->spans[i]));
		sum += cursor->spans[i].length;
	}
	fuzz_require(sum == bytes && cursor->left_bytes == bytes);
}

static inline void check_chain(const struct fuzz_virtq *f, const struct chain *chain)
{
	fuzz_require(chain->head < 64);
	check_cursor(f, &chain->reader, chain->readable_bytes);
	check_cursor(f, &chain->writer, chain->writable_bytes);
	fuzz_require(chain->reader.span_count + chain->writer.span_count <= f->segments_max);
	fuzz_require(chain->readable_bytes + chain->writable_bytes <= HIGH);
	fuzz_require(chain->written_bytes == 0);
	for (unsigned int i = 0; i < f->out_count; i++)
		fuzz_require(!f->out[i].chain || f->out[i].chain->head != chain->head);
}

/* Some of everything that a device does with a chain. */
static inline void work_on(struct fuzz_virtq *f, struct chain *chain)
{
	uint8_t bytes[64] = {0}, how = take8(f);
	struct iovec iov[4];
	int count;

	if (chain_read(chain, bytes, how & 0x3f) == 0 && how & 0x40)
		(void)!chain_skip_readable(chain, chain->reader.left_bytes);
	count = chain_take_readable(chain, how, iov, 4);
	for (int i = 0; i < count; i++)
		bytes[0] ^= *(const uint8_t *)iov[i].iov_base;
	if (touches_rings(f, &chain->writer)) {
		(void)!chain_count_written(chain, how);
		return;
	}
	if (how & 0x80)
		(void)!chain_write_last(chain, bytes, 1);
	(void)!chain_write(chain, bytes, how & 0x1f);
	count = chain_take_writable(chain, chain->writer.left_bytes, iov, 4);
	for (int i = 0; i < count; i++) {
		memset(iov[i].iov_base, 0, iov[i].iov_len);
		fuzz_require(chain_count_written(chain, iov[i].iov_len) == 0);
	}
	fuzz_require(chain->written_bytes <= chain->writable_bytes);
}

static inline void pop(struct fuzz_virtq *f)
{
	struct fuzz_out next = expected_next(f);
	struct chain *chain = NULL;
	int r = virtq_pop(f->queue, &chain);

	fuzz_require(r == 1 || r == 0 || r == -EPROTO);
	fuzz_require(!f->broken || r == -EPROTO);
	f->broken = r < 0;
	if (r != 1)
		return;
	check_chain(f, chain);
	for (unsigned int i = 0; i < f->out_count; i++)
		fuzz_require(f->out[i].id != next.id);
	next.chain = chain;
	fuzz_require(f->out_count < f->config.size);
	f->out[f->out_count++] = next;
	f->next_available = (uint16_t)(f->next_available + next.positions);
	if (is_packed(f))
		f->next_available %= f->config.size;
	work_on(f, chain);
}

static inline void remove_out(struct fuzz_virtq *f, unsigned int which)
{
	fuzz_require(f->pushed_count < 1024);
	/* An id given again before the driver knows that it may: a batch's end is ambiguous then.
	 */
	for (unsigned int i = 0; f->features.in_order && i < f->pushed_count; i++)
		f->tainted |= f->pushed[i].id == f->out[which].id;
	f->pushed[f->pushed_count++] = f->out[which];
	f->out_count--;
	memmove(&f->out[which], &f->out[which + 1], (f->out_count - which) * sizeof(f->out[0]));
}

static inline void push(struct fuzz_virtq *f, unsigned int which)
{
	struct fuzz_out *out;

	if (!f->out_count)
		return;
	which %= f->out_count;
	while (!f->out[which].chain)
		which = (which + 1) % f->out_count;
	out = &f->out[which];
	out->length = out->chain->written_bytes;
	virtq_push(f->queue, out->chain);
	out->chain = NULL;
	if (!f->features.in_order)
		remove_out(f, which);
	else
		while (f->out_count && !f->out[0].chain)
			remove_out(f, 0);
}

static inline unsigned int count_out(const struct fuzz_virtq *f)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < f->out_count; i++)
		count += f->out[i].chain != NULL;
	return count;
}

/* The used element at the driver's place. */
static inline bool used_element(struct fuzz_virtq *f, uint16_t *ret_id, uint32_t *ret_length)
{
	uint64_t at = position_address(f, f->next_used);
	uint16_t flags;

	if (!is_packed(f)) {
		if (peek16(f, f->config.device_area + 2) == f->next_used)
			return false;
		at = f->config.device_area + 4 + 8ull * (f->next_used % f->config.size);
		*ret_id = (uint16_t)peek32(f, at);
		*ret_length = peek32(f, at + 4);
		return true;
	}
	flags = peek16(f, at + 14);
	if (!!(flags & F_AVAIL) != f->used_wrap || !!(flags & F_USED) != f->used_wrap)
		return false;
	*ret_id = peek16(f, at + 12);
	*ret_length = flags & F_WRITE ? peek32(f, at + 8) : 0;
	return true;
}

static inline void go_past(struct fuzz_virtq *f, const struct fuzz_out *used)
{
	f->next_used = (uint16_t)(f->next_used + used->positions);
	if (is_packed(f) && f->next_used >= f->config.size) {
		f->next_used = (uint16_t)(f->next_used - f->config.size);
		f->used_wrap = !f->used_wrap;
	}
}

/* The driver finds exactly what was pushed, one element for each or, in order, for several. */
static inline void flush(struct fuzz_virtq *f)
{
	bool wanted = virtq_flush(f->queue);

	fuzz_require(f->pushed_count || !wanted);
	for (unsigned int i = 0; i < f->pushed_count;) {
		uint32_t length = 0;
		uint16_t id = 0;
		bool seen = !f->tainted && used_element(f, &id, &length);

		fuzz_require(f->tainted || seen);
		while (f->features.in_order && !f->tainted && i + 1 < f->pushed_count &&
			f->pushed[i].id != id)
			go_past(f, &f->pushed[i++]);
		fuzz_require(f->tainted || f->pushed[i].id == id);
		fuzz_require(f->tainted || f->pushed[i].length == length);
		go_past(f, &f->pushed[i++]);
	}
	f->pushed_count = 0;
	f->tainted = false;
	fuzz_require(!virtq_flush(f->queue));
}

static inline void finish(struct fuzz_virtq *f)
{
	while (count_out(f))
		push(f, 0);
	flush(f);
	fuzz_require(virtq_outstanding(f->queue) == 0);
	virtq_stop(f->queue);
}

static inline void step(struct fuzz_virtq *f)
{
	uint8_t action = take8(f);

	switch (action & 15) {
	case 0 ... 4:
		add_chain(f);
		break;
	case 5 ... 8:
		pop(f);
		break;
	case 9 ... 10:
		push(f, action >> 4);
		break;
	case 11:
		flush(f);
		break;
	case 12:
		scribble(f);
		break;
	case 13:
		fuzz_require(!virtq_enable_notifications(f->queue) || !f->broken);
		break;
	case 14:
		virtq_disable_notifications(f->queue);
		break;
	default:
		finish(f);
		fuzz_start(f);
		break;
	}
	fuzz_require(virtq_outstanding(f->queue) == count_out(f));
}

static inline int fuzz_virtq(const uint8_t *data, size_t size, enum virtq_format format)
{
	struct fuzz_virtq *f = calloc(1, sizeof(*f));

	fuzz_require(f);
	f->input = (struct fuzz_input){data, size};
	fuzz_setup(f, format);
	while (f->input.left)
		step(f);
	finish(f);
	virtq_destroy(f->queue);
	free(f->low);
	free(f->high);
	free(f);
	return 0;
}
