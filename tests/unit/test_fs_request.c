/* Requests of a file system's driver with a real directory behind them, as chains. */
#include "cmocka_all.h"
#include "fs_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIQUE     77
#define PAGE_BYTES ((size_t)64 << 10) /* the largest that guests have */
#define PAGES      256
#define DATA_BYTES (PAGES * PAGE_BYTES)
#define MARK       "the end"

static char directory[32], path[64];
static struct fs_session session;
static uint8_t data[DATA_BYTES];
static union {
	struct fuse_out_header header;
	uint8_t bytes[sizeof(struct fuse_out_header) + 256];
} reply;

/* The request's arguments are length bytes; the reply goes to `reply`, or with pages behind its
 * header to `data`. Returns the error that it has. */
static int serve(
	uint32_t opcode, uint64_t node, const void *arguments, uint32_t length, unsigned int pages)
{
	struct fuse_in_header header = {
		.len = (uint32_t)sizeof(header) + length,
		.opcode = opcode,
		.unique = UNIQUE,
		.nodeid = node,
	};
	uint8_t argument_bytes[128];
	const struct gmem_span readable[] = {
		{&header, sizeof(header)},
		{argument_bytes, length},
	};
	struct gmem_span writable[1 + PAGES] = {
		{&reply, pages ? sizeof(reply.header) : sizeof(reply)}};
	struct chain chain = {
		.reader = {.spans = readable, .span_count = 2, .left_bytes = header.len},
		.writer = {.spans = writable,
			.span_count = (uint16_t)(1 + pages),
			.left_bytes = writable[0].length + pages * PAGE_BYTES},
		.readable_bytes = header.len,
	};

	chain.writable_bytes = chain.writer.left_bytes;
	for (unsigned int i = 0; i < pages; i++)
		writable[1 + i] = (struct gmem_span){data + i * PAGE_BYTES, PAGE_BYTES};
	memcpy(argument_bytes, arguments, length);
	memset(&reply, 0xff, sizeof(reply));
	fs_serve(&session, &chain);
	assert_int_equal(reply.header.unique, UNIQUE);
	assert_int_equal(reply.header.len, chain.written_bytes);
	return reply.header.error;
}

static const void *reply_arguments(void)
{
	return reply.bytes + sizeof(reply.header);
}

/* "file" ends in MARK; what is before it is a hole. */
static int setup(void **state)
{
	int fd;

	(void)state;
	(void)strcpy(directory, "/tmp/fs-request-XXXXXX");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/file", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, MARK, sizeof(MARK), DATA_BYTES - sizeof(MARK)), sizeof(MARK));
	assert_int_equal(close(fd), 0);
	assert_int_equal(share_open(directory, false, &session.share, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	share_close(session.share);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	return 0;
}

static void begin(void)
{
	const struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.flags = FUSE_MAX_PAGES};
	struct fuse_init_out out;

	assert_int_equal(serve(FUSE_INIT, 0, &in, sizeof(in), 0), 0);
	memcpy(&out, reply_arguments(), sizeof(out));
	assert_int_equal(out.major, FUSE_KERNEL_VERSION);
	assert_int_equal(out.max_write, 1 << 20);
	assert_true(out.flags & FUSE_MAX_PAGES);
	assert_int_equal(out.max_pages, PAGES);
}

static uint64_t open_file(uint64_t *ret_node)
{
	const struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_entry_out entry;
	struct fuse_open_out out;

	assert_int_equal(serve(FUSE_LOOKUP, SHARE_ROOT, "file", sizeof("file"), 0), 0);
	memcpy(&entry, reply_arguments(), sizeof(entry));
	*ret_node = entry.nodeid;
	assert_int_equal(serve(FUSE_OPEN, entry.nodeid, &in, sizeof(in), 0), 0);
	memcpy(&out, reply_arguments(), sizeof(out));
	return out.fh;
}

/* FUSE lets a guest read as much at once as it may have pages, of whatever size they are: less than
 * it asks for would be the file's end to it. */
static void reads_all_pages_at_once(void **state)
{
	struct fuse_read_in in = {.size = DATA_BYTES};
	uint64_t node;

	(void)state;
	begin();
	in.fh = open_file(&node);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(serve(FUSE_READ, node, &in, sizeof(in), PAGES), 0);
	assert_int_equal(reply.header.len, sizeof(reply.header) + DATA_BYTES);
	assert_memory_equal(data + DATA_BYTES - sizeof(MARK), MARK, sizeof(MARK));
	for (size_t i = 0; i < DATA_BYTES - sizeof(MARK); i++)
		if (data[i])
			fail_msg("byte %zu is %u", i, data[i]);
	in.offset = DATA_BYTES - sizeof(MARK);
	assert_int_equal(serve(FUSE_READ, node, &in, sizeof(in), PAGES), 0);
	assert_int_equal(reply.header.len, sizeof(reply.header) + sizeof(MARK));
	assert_memory_equal(data, MARK, sizeof(MARK));
}

static void refuses_what_no_guest_asks_for(void **state)
{
	struct fuse_read_in in = {.size = DATA_BYTES + 1};
	uint64_t node;

	(void)state;
	begin();
	in.fh = open_file(&node);
	assert_int_equal(serve(FUSE_READ, node, &in, sizeof(in), PAGES), -EINVAL);
	in.size = UINT32_MAX;
	assert_int_equal(serve(FUSE_READ, node, &in, sizeof(in), PAGES), -EINVAL);
	in.size = DATA_BYTES; /* into less room */
	assert_int_equal(serve(FUSE_READ, node, &in, sizeof(in), PAGES - 1), -EINVAL);
	in.size = 1;
	in.offset = UINT64_MAX;
	assert_int_equal(serve(FUSE_READ, node, &in, sizeof(in), PAGES), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_all_pages_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_no_guest_asks_for, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
