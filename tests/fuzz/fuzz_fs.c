/*
 * The file system device in front of a real directory: requests of any opcode with any arguments,
 * with nodes and handles that it was told of or that are made up. Each chain comes back once, a
 * reply has the length that it says, and what lies outside the directory stays as it is.
 *
 * Input: requests: opcode, choices, arguments behind their length, room for the reply.
 */
#include "fs_request.h"
#include "fuzz_device.h"
#include "virtio_fs.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define KNOWN_MAX 16

static char directory[64]; /* with "inside", which is shared, and "secret" */
static uint64_t known[KNOWN_MAX];
static unsigned int known_count;

void io_poll_start(struct io_thread *thread, struct io_poll *poll)
{
	(void)thread;
	(void)poll;
}

void io_poll_cancel(struct io_thread *thread, struct io_poll *poll)
{
	(void)thread;
	(void)poll;
}

static void learn(uint64_t number)
{
	known[known_count++ % KNOWN_MAX] = number;
}

static uint64_t choose(uint8_t choice)
{
	if (choice < KNOWN_MAX && choice < known_count)
		return known[choice];
	return choice % 4 == 3 ? UINT64_MAX / choice : SHARE_ROOT;
}

static void add_request(struct fuzz_input *input)
{
	struct fuzz_chain *chain = fuzz_add_chain(fuzz_byte(input) == 255 ? 0 : 1);
	uint8_t opcode = fuzz_byte(input), choice = fuzz_byte(input), flags = fuzz_byte(input);
	uint8_t handle = fuzz_byte(input);
	uint32_t length = flags & 1 ? fuzz_word(input) : fuzz_byte(input);
	uint32_t room = flags & 2 ? fuzz_word(input) : 4096;
	struct fuse_in_header header = {
		.len = (uint32_t)sizeof(header) + length,
		.opcode = opcode,
		.unique = 77,
		.nodeid = choose(choice),
		.uid = flags & 4 ? 1000 : 0,
	};

	if (!chain)
		return;
	if (flags & 8)
		header.len = fuzz_word(input);
	fuzz_add_span(chain, false, (const uint8_t *)&header, flags == 0xff ? 39 : sizeof(header));
	if (flags & 16 && length >= 8) {
		uint64_t number = choose(handle);

		fuzz_add_span(chain, false, (const uint8_t *)&number, sizeof(number));
		length -= 8;
	}
	fuzz_add_readable(chain, input, length);
	if (room > 100)
		fuzz_add_span(chain, true, NULL, 7);
	fuzz_add_span(chain, true, NULL, room);
}

static void copy_reply(const struct fuzz_chain *chain, uint8_t *bytes, size_t length)
{
	for (unsigned int i = 0; i < chain->chain.writer.span_count && length; i++) {
		size_t part = chain->spans[1][i].length;

		part = part > length ? length : part;
		memcpy(bytes, chain->spans[1][i].host, part);
		bytes += part;
		length -= part;
	}
}

static void look_at_reply(const struct fuzz_chain *chain)
{
	struct {
		struct fuse_out_header header;
		uint64_t first;
		uint8_t more[sizeof(struct fuse_entry_out) - 8];
		uint64_t handle;
	} reply = {0};
	size_t length = chain->chain.written_bytes;

	if (!length)
		return;
	fuzz_require(length >= sizeof(reply.header));
	copy_reply(chain, (uint8_t *)&reply, length < sizeof(reply) ? length : sizeof(reply));
	fuzz_require(reply.header.len == length && reply.header.unique == 77);
	fuzz_require(reply.header.error <= 0 && reply.header.error > -4096);
	fuzz_require(!reply.header.error || length == sizeof(reply.header));
	if (length >= sizeof(reply.header) + 8)
		learn(reply.first);
	if (length == sizeof(reply))
		learn(reply.handle);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	if (walk->level == 0)
		return 0;
	if (type != FTW_SL) /* which would be followed, out of here */
		(void)chmod(path, 0700);
	return remove(path);
}

static void begin(void)
{
	const struct rlimit size = {1 << 20, 1 << 20};
	struct rlimit files;
	char path[96];
	int fd;

	(void)snprintf(directory, sizeof(directory), "/tmp/hull-fuzz-fs-XXXXXX");
	fuzz_require(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/secret", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fuzz_require(fd >= 0 && write(fd, "secret", 6) == 6 && close(fd) == 0);
	(void)snprintf(path, sizeof(path), "%s/inside", directory);
	fuzz_require(mkdir(path, 0700) == 0);
	(void)setrlimit(RLIMIT_FSIZE, &size);
	/* So few that nodes are parked. */
	fuzz_require(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = 64;
	fuzz_require(setrlimit(RLIMIT_NOFILE, &files) == 0);
	(void)signal(SIGXFSZ, SIG_IGN);
}

static void end(void)
{
	char path[96], bytes[8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/inside", directory);
	(void)chmod(path, 0700);
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	fuzz_require(rmdir(path) == 0);
	(void)snprintf(path, sizeof(path), "%s/secret", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	fuzz_require(fd >= 0 && read(fd, bytes, sizeof(bytes)) == 6);
	(void)close(fd);
	fuzz_require(unlink(path) == 0 && rmdir(directory) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct virtio_fs_options options = {
		.name = "share", .io_thread = &fuzz_thread, .tag = "tag"};
	struct virtio_device *device = NULL;
	struct share *share = NULL;
	char path[96];
	int r;

	begin();
	known_count = 0;
	(void)snprintf(path, sizeof(path), "%s/inside", directory);
	r = share_open(path, fuzz_byte(&input) == 1, &share, NULL);
	fuzz_require(r == 0);
	options.share = share;
	r = virtio_fs_create(&options, &device, NULL);
	fuzz_require(r == 0);
	while (input.left) {
		add_request(&input);
		device->ops->queue_notify(device, 1);
		if (fuzz_queues[1].pushed)
			look_at_reply(&fuzz_queues[1].chains[fuzz_queues[1].pushed - 1]);
	}
	fuzz_require(!fuzz_broken);
	virtio_device_reset(device);
	device->ops->destroy(device);
	share_close(share);
	end();
	return 0;
}
