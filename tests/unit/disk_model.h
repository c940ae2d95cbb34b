/*
 * Random requests against a disk and an array of bytes that has to stay equal to it. Many are in
 * flight at once; those of one batch touch different sectors, often of the same block.
 */
#pragma once

#include "disk_fixture.h"

#define MODEL_SECTOR 512

struct disk_model {
	struct disk_fixture *fixture;
	uint8_t *bytes;
	uint64_t sectors;
	uint64_t random;
	uint8_t *buffers; /* one of buffer_bytes for each request in flight */
	uint64_t buffer_bytes;
	bool *taken;               /* sectors of this batch */
	unsigned int misalignment; /* of buffers, at most */
};

static inline uint64_t model_random(struct disk_model *model, uint64_t below)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return model->random % below;
}

/* Claims sectors that no other request of the batch has. */
static inline bool model_claim(struct disk_model *model, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++)
		if (model->taken[i])
			return false;
	memset(&model->taken[first], true, count);
	return true;
}

struct model_step {
	struct disk_request *request;
	uint8_t *buffer;
};

static inline void model_add(struct disk_model *model, unsigned int index, struct model_step *step)
{
	static const enum disk_operation operations[] = {DISK_READ, DISK_READ, DISK_READ,
		DISK_WRITE, DISK_WRITE, DISK_WRITE, DISK_WRITE, DISK_DISCARD, DISK_WRITE_ZEROES,
		DISK_WRITE_ZEROES, DISK_FLUSH};
	enum disk_operation operation = operations[model_random(model, array_size(operations))];
	uint64_t longest = model_random(model, 4) ? 24 : model->buffer_bytes / MODEL_SECTOR - 4;
	uint64_t count = 1 + model_random(model, longest);
	uint64_t first = model_random(model, model->sectors);

	*step = (struct model_step){.buffer = model->buffers + index * model->buffer_bytes +
	                                      model_random(model, model->misalignment + 1) * 4};
	if (count > model->sectors - first)
		count = model->sectors - first;
	if (operation != DISK_FLUSH && !model_claim(model, first, count))
		return;
	if (operation == DISK_WRITE)
		for (uint64_t i = 0; i < count * MODEL_SECTOR; i++)
			step->buffer[i] = (uint8_t)model_random(model, 255);
	step->request = fixture_add(model->fixture, operation, first * MODEL_SECTOR, step->buffer,
		count * MODEL_SECTOR, 1 + (unsigned int)model_random(model, FIXTURE_SEGMENTS_MAX));
	step->request->unmap = model_random(model, 2);
	step->request->durable = !model_random(model, 64);
}

static inline void model_check(struct disk_model *model, const struct model_step *step)
{
	const struct disk_request *request = step->request;
	uint8_t *expected = model->bytes + request->offset;

	assert_int_equal(request->result, 0);
	switch (request->operation) {
	case DISK_READ:
		assert_memory_equal(step->buffer, expected, request->length);
		break;
	case DISK_WRITE:
		memcpy(expected, step->buffer, request->length);
		break;
	case DISK_WRITE_ZEROES:
		memset(expected, 0, request->length);
		break;
	case DISK_DISCARD: /* either is fine, as long as it stays */
		assert_int_equal(fixture_do(model->fixture, DISK_READ, request->offset, expected,
					 request->length),
			0);
		break;
	case DISK_FLUSH:
		break;
	}
}

static inline void model_run_batch(struct disk_model *model)
{
	struct model_step steps[FIXTURE_REQUESTS_MAX / 2];
	struct disk_request requests[FIXTURE_REQUESTS_MAX / 2];
	unsigned int count = 1 + (unsigned int)model_random(model, array_size(steps));

	memset(model->taken, 0, model->sectors);
	for (unsigned int i = 0; i < count; i++)
		model_add(model, i, &steps[i]);
	fixture_run(model->fixture);
	/* Copied: checking a discard needs the fixture for a read. */
	for (unsigned int i = 0; i < count; i++)
		if (steps[i].request)
			requests[i] = *steps[i].request;
	for (unsigned int i = 0; i < count; i++)
		if (steps[i].request) {
			steps[i].request = &requests[i];
			model_check(model, &steps[i]);
		}
}

static inline void model_init(
	struct disk_model *model, struct disk_fixture *fixture, uint64_t size_bytes, uint64_t seed)
{
	*model = (struct disk_model){
		.fixture = fixture,
		.bytes = calloc(1, size_bytes),
		.sectors = size_bytes / MODEL_SECTOR,
		.random = seed,
		.buffer_bytes = 400 << 10,
	};
	model->taken = calloc(model->sectors, sizeof(bool));
	model->buffers = aligned_alloc(4096, FIXTURE_REQUESTS_MAX * model->buffer_bytes);
	assert_non_null(model->bytes);
	assert_non_null(model->taken);
	assert_non_null(model->buffers);
}

/* Everything once more, by one large read after the other. */
static inline void model_check_all(struct disk_model *model)
{
	for (uint64_t offset = 0; offset < model->sectors * MODEL_SECTOR;) {
		uint64_t length = model->sectors * MODEL_SECTOR - offset;

		if (length > model->buffer_bytes)
			length = model->buffer_bytes;
		assert_int_equal(
			fixture_do(model->fixture, DISK_READ, offset, model->buffers, length), 0);
		assert_memory_equal(model->buffers, model->bytes + offset, length);
		offset += length;
	}
}

static inline void model_fini(struct disk_model *model)
{
	free(model->bytes);
	free(model->taken);
	free(model->buffers);
}
