/* Headers of socket packets: VIRTIO 1.2 5.10.6. */
#pragma once

#include <stdint.h>

#define VSOCK_HEADER_BYTES 44
#define VSOCK_HOST_CID     2
#define VSOCK_TYPE_STREAM  1

enum vsock_op {
	VSOCK_OP_INVALID,
	VSOCK_OP_REQUEST,
	VSOCK_OP_RESPONSE,
	VSOCK_OP_RST,
	VSOCK_OP_SHUTDOWN,
	VSOCK_OP_RW,
	VSOCK_OP_CREDIT_UPDATE,
	VSOCK_OP_CREDIT_REQUEST,
};

#define VSOCK_SHUTDOWN_RECEIVE 1U
#define VSOCK_SHUTDOWN_SEND    2U
#define VSOCK_SHUTDOWN_BOTH    3U

struct vsock_header {
	uint64_t source_cid, destination_cid;
	uint32_t source_port, destination_port;
	uint32_t length;
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt;
};

/* From and to VSOCK_HEADER_BYTES bytes, little endian. */
void vsock_header_decode(const uint8_t *bytes, struct vsock_header *header);
void vsock_header_encode(const struct vsock_header *header, uint8_t *bytes);
