#include "vsock_packet.h"

static uint64_t get(const uint8_t **bytes, unsigned int count)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < count; i++)
		value |= (uint64_t)(*bytes)[i] << (8 * i);
	*bytes += count;
	return value;
}

static void put(uint8_t **bytes, unsigned int count, uint64_t value)
{
	for (unsigned int i = 0; i < count; i++)
		(*bytes)[i] = (uint8_t)(value >> (8 * i));
	*bytes += count;
}

void vsock_header_decode(const uint8_t *bytes, struct vsock_header *header)
{
	header->source_cid = get(&bytes, 8);
	header->destination_cid = get(&bytes, 8);
	header->source_port = (uint32_t)get(&bytes, 4);
	header->destination_port = (uint32_t)get(&bytes, 4);
	header->length = (uint32_t)get(&bytes, 4);
	header->type = (uint16_t)get(&bytes, 2);
	header->op = (uint16_t)get(&bytes, 2);
	header->flags = (uint32_t)get(&bytes, 4);
	header->buf_alloc = (uint32_t)get(&bytes, 4);
	header->fwd_cnt = (uint32_t)get(&bytes, 4);
}

void vsock_header_encode(const struct vsock_header *header, uint8_t *bytes)
{
	put(&bytes, 8, header->source_cid);
	put(&bytes, 8, header->destination_cid);
	put(&bytes, 4, header->source_port);
	put(&bytes, 4, header->destination_port);
	put(&bytes, 4, header->length);
	put(&bytes, 2, header->type);
	put(&bytes, 2, header->op);
	put(&bytes, 4, header->flags);
	put(&bytes, 4, header->buf_alloc);
	put(&bytes, 4, header->fwd_cnt);
}
