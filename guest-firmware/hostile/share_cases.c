/*
 * A file system device (VIRTIO 1.2 5.11): one request each that is cut, lies about its lengths, is
 * of an unknown kind, or speaks of nodes, handles, names and places that there are not. Each comes
 * back with an error, or without a reply where it has none; then the share must be as it was.
 */
#include "cases.h"
#include "fuse.h"

#include <errno.h>
#include <fcntl.h>

#define ROOT       UINT64_C(1)
#define HIGH       (UINT64_C(1) << 32) /* the second half of a word */
#define ROOM       FUSE_REPLY_BYTES
#define ANY_ERROR  1
#define NO_REPLY   2 /* the chain comes back empty */
#define ANY_ANSWER 3

static void judge(struct scene *scene, const struct fuse_answer *answer, int64_t expected)
{
	report_note(scene->report, answer->replied ? "error %d" : "no reply", answer->error);
	if (!report_expect(scene->report, answer->result == RESULT_USED, "it does not come back"))
		return;
	if (expected == ANY_ANSWER)
		return;
	if (expected == NO_REPLY)
		report_expect(scene->report, !answer->replied, "a reply");
	else
		report_expect(scene->report,
			answer->replied && answer->error < 0 &&
				(expected == ANY_ERROR || answer->error == expected),
			"not the error that was expected");
}

/* a: -errno or what is defined above. */
static void run_request(struct scene *scene, const struct hostile_case *self)
{
	struct fuse_request request = *(const struct fuse_request *)self->data;
	struct fuse_answer answer;

	if (!fuse_start(scene))
		return;
	answer = fuse_ask(scene, &request);
	judge(scene, &answer, (int64_t)self->a);
	fuse_check(scene);
}

/* Reading into, or writing from, a bytes at place b; c: of the other direction. */
static void run_place(struct scene *scene, const struct hostile_case *self)
{
	const struct fuse_request *request = self->data;
	const bool is_read = request->opcode == FUSE_READ;
	struct vring_buffer buffers[3] = {
		{(uintptr_t)fuse_bytes, 0, false},
		{scene_place(scene, (enum place)self->b), (uint32_t)self->a, is_read},
		{(uintptr_t)fuse_reply, ROOM, true},
	};
	struct fuse_answer answer;

	if (!fuse_start(scene))
		return;
	buffers[0].length = fuse_put(request);
	if (self->c)
		buffers[1].writable = !is_read;
	answer = fuse_ask_raw(scene, FUSE_REQUESTS, buffers, is_read ? 2 : 3);
	report_note(scene->report, answer.result == RESULT_BROKEN ? "needs reset" : "used");
	fuse_check(scene);
}

#define REQUEST(name, expected, ...)                                             \
	{                                                                        \
		"share-" name, NEED_SHARE, run_request,                          \
			&(const struct fuse_request){.room = ROOM, __VA_ARGS__}, \
			(uint64_t)(int64_t)(expected), 0, 0                      \
	}
#define PLACE(name, bytes, place, wrong, ...)                                                    \
	{                                                                                        \
		"share-" name, NEED_SHARE, run_place, &(const struct fuse_request){__VA_ARGS__}, \
			bytes, place, wrong                                                      \
	}
#define TEXT(words)  .text = (words), .text_bytes = sizeof(words)
#define WORDS(count) .word_bytes = (count)*8, .words
/* fuse_read_in and fuse_write_in. */
#define TRANSFER(handle, offset, size) WORDS(5) = {handle, offset, size}

static const struct hostile_case cases[] = {
	/* Headers. */
	REQUEST("header-of-1-byte", NO_REPLY, .opcode = FUSE_GETATTR, .node = ROOT,
		.header_bytes = 1),
	REQUEST("header-of-39-bytes", NO_REPLY, .opcode = FUSE_GETATTR, .node = ROOT,
		.header_bytes = 39),
	REQUEST("length-0xffffffff", -EINVAL, .opcode = FUSE_GETATTR, .node = ROOT,
		.length = UINT32_MAX),
	REQUEST("length-1", -EINVAL, .opcode = FUSE_GETATTR, .node = ROOT, .length = 1),
	REQUEST("length-one-less", -EINVAL, .opcode = FUSE_LOOKUP, .node = ROOT, TEXT("file"),
		.length = 44),
	REQUEST("length-one-more", -EINVAL, .opcode = FUSE_LOOKUP, .node = ROOT, TEXT("file"),
		.length = 46),
	REQUEST("opcode-0", -ENOSYS, .opcode = 0, .node = ROOT),
	REQUEST("opcode-7", -ENOSYS, .opcode = 7, .node = ROOT),
	REQUEST("opcode-52", -ENOSYS, .opcode = 52, .node = ROOT),
	REQUEST("opcode-4096", -ENOSYS, .opcode = 4096, .node = ROOT),
	REQUEST("opcode-0xffffffff", -ENOSYS, .opcode = UINT32_MAX, .node = ROOT),
	REQUEST("ioctl", -ENOSYS, .opcode = FUSE_IOCTL, .node = NUMBER_FILE,
		WORDS(4) = {NUMBER_OPEN_FILE}),
	REQUEST("mapping", -ENOSYS, .opcode = FUSE_SETUPMAPPING, .node = NUMBER_FILE,
		WORDS(5) = {NUMBER_OPEN_FILE, 0, UINT64_MAX, 3}),
	/* Nodes. */
	REQUEST("node-0", -ESTALE, .opcode = FUSE_GETATTR, .node = 0),
	REQUEST("node-2", -ESTALE, .opcode = FUSE_GETATTR, .node = 2),
	REQUEST("node-of-64-bits", -ESTALE, .opcode = FUSE_GETATTR, .node = UINT64_MAX),
	REQUEST("node-of-another-generation", -ESTALE, .opcode = FUSE_GETATTR, .node = HIGH | 1),
	REQUEST("node-forgotten", -ESTALE, .opcode = FUSE_GETATTR, .node = NUMBER_GONE),
	REQUEST("node-forgotten-as-parent", -ESTALE, .opcode = FUSE_LOOKUP, .node = NUMBER_GONE,
		TEXT("x")),
	REQUEST("node-that-is-a-file", -ENOTDIR, .opcode = FUSE_LOOKUP, .node = NUMBER_FILE,
		TEXT("x")),
	REQUEST("node-that-is-a-link", -ENOTDIR, .opcode = FUSE_LOOKUP, .node = NUMBER_UP,
		TEXT("secret")),
	REQUEST("new-parent-forged", -ESTALE, .opcode = FUSE_RENAME, .node = ROOT,
		WORDS(1) = {UINT64_MAX}, TEXT("file\0taken")),
	REQUEST("new-parent-a-link", -ENOTDIR, .opcode = FUSE_RENAME, .node = ROOT,
		WORDS(1) = {NUMBER_UP}, TEXT("file\0taken")),
	REQUEST("link-of-nothing", -ESTALE, .opcode = FUSE_LINK, .node = ROOT, WORDS(1) = {HIGH},
		TEXT("hard")),
	/* Handles. */
	REQUEST("handle-0", -EBADF, .opcode = FUSE_READ, .node = NUMBER_FILE, TRANSFER(0, 0, 16)),
	REQUEST("handle-of-64-bits", -EBADF, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(UINT64_MAX, 0, 16)),
	REQUEST("handle-released", -EBADF, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(NUMBER_CLOSED, 0, 16)),
	REQUEST("handle-of-another-node", -EBADF, .opcode = FUSE_READ, .node = NUMBER_DIRECTORY,
		TRANSFER(NUMBER_OPEN_FILE, 0, 16)),
	REQUEST("handle-of-a-directory", -EBADF, .opcode = FUSE_READ, .node = NUMBER_DIRECTORY,
		TRANSFER(NUMBER_OPEN_FOLDER, 0, 16)),
	REQUEST("handle-of-a-file-as-directory", -EBADF, .opcode = FUSE_READDIR,
		.node = NUMBER_FILE, TRANSFER(NUMBER_OPEN_FILE, 0, ROOM)),
	REQUEST("handle-released-again", -EBADF, .opcode = FUSE_RELEASE, .node = NUMBER_FILE,
		WORDS(3) = {NUMBER_CLOSED}),
	REQUEST("copy-to-nothing", -EBADF, .opcode = FUSE_COPY_FILE_RANGE, .node = NUMBER_FILE,
		WORDS(7) = {NUMBER_OPEN_FILE, 0, UINT64_MAX, UINT64_MAX, 0, UINT64_MAX}),
	REQUEST("copy-far-away", ANY_ERROR, .opcode = FUSE_COPY_FILE_RANGE, .node = NUMBER_FILE,
		WORDS(7) = {NUMBER_OPEN_FILE, 0, NUMBER_FILE, NUMBER_OPEN_FILE, UINT64_MAX,
			UINT64_MAX, UINT64_MAX}),
	/* What is no file. */
	REQUEST("open-of-a-pipe", ANY_ERROR, .opcode = FUSE_OPEN, .node = NUMBER_PIPE,
		WORDS(1) = {O_RDWR}),
	REQUEST("open-of-a-link", ANY_ERROR, .opcode = FUSE_OPEN, .node = NUMBER_LINK,
		WORDS(1) = {O_RDWR}),
	REQUEST("open-of-a-link-to-above", ANY_ERROR, .opcode = FUSE_OPENDIR, .node = NUMBER_UP,
		WORDS(1) = {0}),
	REQUEST("create-over-a-link", ANY_ERROR, .opcode = FUSE_CREATE, .node = ROOT,
		WORDS(2) = {HIGH * 0666 | O_RDWR | O_TRUNC}, TEXT("link")),
	REQUEST("cut-of-a-link", ANY_ERROR, .opcode = FUSE_SETATTR, .node = NUMBER_LINK,
		WORDS(11) = {FATTR_SIZE}),
	REQUEST("cut-of-a-pipe", ANY_ERROR, .opcode = FUSE_SETATTR, .node = NUMBER_PIPE,
		WORDS(11) = {FATTR_SIZE}),
	REQUEST("mode-of-a-link", ANY_ERROR, .opcode = FUSE_SETATTR, .node = NUMBER_LINK,
		WORDS(11) = {FATTR_MODE, 0, 0, 0, 0, 0, 0, 0, 0777}),
	REQUEST("attribute-of-a-link", ANY_ERROR, .opcode = FUSE_SETXATTR, .node = NUMBER_LINK,
		WORDS(1) = {4}, TEXT("user.a\0bcd")),
	REQUEST("link-text-of-a-file", -EINVAL, .opcode = FUSE_READLINK, .node = NUMBER_FILE),
	/* fuse_mknod_in: the type is in the first word, the device in its second half. */
	REQUEST("disk-made", -EPERM, .opcode = FUSE_MKNOD, .node = ROOT,
		WORDS(2) = {HIGH * 0xfe00 | 060666}, TEXT("disk")),
	REQUEST("memory-made", -EPERM, .opcode = FUSE_MKNOD, .node = ROOT,
		WORDS(2) = {HIGH * 0x101 | 020666}, TEXT("memory")),
	REQUEST("directory-made-by-mknod", ANY_ANSWER, .opcode = FUSE_MKNOD, .node = NUMBER_GONE,
		WORDS(2) = {040777}, TEXT("odd")),
	REQUEST("no-type-made", -EPERM, .opcode = FUSE_MKNOD, .node = ROOT, WORDS(2) = {0666},
		TEXT("odd")),
	REQUEST("every-type-made", -EPERM, .opcode = FUSE_MKNOD, .node = ROOT,
		WORDS(2) = {UINT64_MAX}, TEXT("odd")),
	/* Arguments. */
	REQUEST("arguments-missing", -EINVAL, .opcode = FUSE_READ, .node = NUMBER_FILE),
	REQUEST("arguments-cut", -EINVAL, .opcode = FUSE_READ, .node = NUMBER_FILE,
		.word_bytes = 39, .words = {NUMBER_OPEN_FILE, 0, 16}),
	REQUEST("second-name-missing", -EINVAL, .opcode = FUSE_RENAME, .node = ROOT,
		WORDS(1) = {ROOT}, TEXT("file")),
	REQUEST("second-name-endless", -EINVAL, .opcode = FUSE_RENAME, .node = ROOT,
		WORDS(1) = {ROOT}, .text = "file\0other", .text_bytes = 10),
	REQUEST("rename-flags", -EINVAL, .opcode = FUSE_RENAME2, .node = ROOT,
		WORDS(2) = {ROOT, UINT32_MAX}, TEXT("file\0other")),
	REQUEST("rename-to-whiteout", -EINVAL, .opcode = FUSE_RENAME2, .node = ROOT,
		WORDS(2) = {ROOT, 4}, TEXT("file\0other")),
	REQUEST("rename-of-the-root", -EINVAL, .opcode = FUSE_RENAME, .node = NUMBER_DIRECTORY,
		WORDS(1) = {NUMBER_DIRECTORY}, TEXT(".\0..")),
	REQUEST("handle-of-a-size-forged", -EBADF, .opcode = FUSE_SETATTR, .node = NUMBER_FILE,
		WORDS(11) = {FATTR_SIZE | FATTR_FH, UINT64_MAX, 0}),
	REQUEST("size-below-0", ANY_ERROR, .opcode = FUSE_SETATTR, .node = NUMBER_FILE,
		WORDS(11) = {FATTR_SIZE, 0, UINT64_MAX}),
	REQUEST("room-below-0", ANY_ERROR, .opcode = FUSE_FALLOCATE, .node = NUMBER_FILE,
		WORDS(4) = {NUMBER_OPEN_FILE, UINT64_MAX, UINT64_MAX, 0}),
	REQUEST("room-of-unknown-mode", ANY_ERROR, .opcode = FUSE_FALLOCATE, .node = NUMBER_FILE,
		WORDS(4) = {NUMBER_OPEN_FILE, 0, 4096, 0x7fff0000}),
	REQUEST("seek-for-nothing", -EINVAL, .opcode = FUSE_LSEEK, .node = NUMBER_FILE,
		WORDS(3) = {NUMBER_OPEN_FILE, UINT64_MAX, UINT32_MAX}),
	REQUEST("seek-below-0", ANY_ERROR, .opcode = FUSE_LSEEK, .node = NUMBER_FILE,
		WORDS(3) = {NUMBER_OPEN_FILE, UINT64_MAX, 3}),
	/* Data. */
	REQUEST("read-of-4-gib", -EINVAL, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, UINT32_MAX)),
	REQUEST("read-of-more-than-room", -EINVAL, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, ROOM)),
	REQUEST("read-from-below-0", -EINVAL, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, UINT64_MAX, 16)),
	REQUEST("write-of-4-gib", -EINVAL, .opcode = FUSE_WRITE, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, UINT32_MAX)),
	REQUEST("write-of-more-than-there-is", -EINVAL, .opcode = FUSE_WRITE, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, 17), .text_bytes = 16),
	REQUEST("write-of-less-than-there-is", -EINVAL, .opcode = FUSE_WRITE, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, 15), .text_bytes = 16),
	REQUEST("write-to-below-0", -EINVAL, .opcode = FUSE_WRITE, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, UINT64_MAX, 16), .text_bytes = 16),
	REQUEST("write-to-the-end-of-numbers", ANY_ERROR, .opcode = FUSE_WRITE, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, INT64_MAX, 16), .text_bytes = 16),
	PLACE("read-into-a-hole", 4096, AT_HOLE, 0, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, 16)),
	PLACE("read-into-4-gib-of-nothing", UINT32_MAX, AT_RAM_END, 0, .opcode = FUSE_READ,
		.node = NUMBER_FILE, TRANSFER(NUMBER_OPEN_FILE, 0, UINT32_MAX)),
	PLACE("read-into-registers", 4096, AT_DEVICE, 0, .opcode = FUSE_READ, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, 16)),
	PLACE("read-into-what-is-readable", 4096, AT_DATA, 1, .opcode = FUSE_READ,
		.node = NUMBER_FILE, TRANSFER(NUMBER_OPEN_FILE, 0, 16)),
	PLACE("write-from-a-hole", 4096, AT_HOLE, 0, .opcode = FUSE_WRITE, .node = NUMBER_FILE,
		TRANSFER(NUMBER_OPEN_FILE, 0, 4096)),
	PLACE("write-from-4-gib-of-nothing", UINT32_MAX, AT_RAM_END, 0, .opcode = FUSE_WRITE,
		.node = NUMBER_FILE, TRANSFER(NUMBER_OPEN_FILE, 0, UINT32_MAX)),
	PLACE("write-from-what-is-writable", 4096, AT_DATA, 1, .opcode = FUSE_WRITE,
		.node = NUMBER_FILE, TRANSFER(NUMBER_OPEN_FILE, 0, 4096)),
	/* Directories. */
	REQUEST("entries-from-below-0", ANY_ANSWER, .opcode = FUSE_READDIR,
		.node = NUMBER_DIRECTORY, TRANSFER(NUMBER_OPEN_FOLDER, UINT64_MAX, ROOM)),
	REQUEST("entries-from-far-away", ANY_ANSWER, .opcode = FUSE_READDIRPLUS,
		.node = NUMBER_DIRECTORY, TRANSFER(NUMBER_OPEN_FOLDER, INT64_MAX, ROOM)),
	REQUEST("entries-of-4-gib", ANY_ANSWER, .opcode = FUSE_READDIRPLUS,
		.node = NUMBER_DIRECTORY, TRANSFER(NUMBER_OPEN_FOLDER, 0, UINT32_MAX)),
	REQUEST("entries-without-size", ANY_ANSWER, .opcode = FUSE_READDIR,
		.node = NUMBER_DIRECTORY, TRANSFER(NUMBER_OPEN_FOLDER, 0, 0)),
	/* Extended attributes. */
	REQUEST("attribute-of-4-gib", -EINVAL, .opcode = FUSE_SETXATTR, .node = NUMBER_FILE,
		WORDS(1) = {UINT32_MAX}, TEXT("user.a\0bcd")),
	REQUEST("attribute-one-byte-more", -EINVAL, .opcode = FUSE_SETXATTR, .node = NUMBER_FILE,
		WORDS(1) = {5}, TEXT("user.a\0bcd")),
	REQUEST("attribute-of-security", -EOPNOTSUPP, .opcode = FUSE_SETXATTR, .node = NUMBER_FILE,
		WORDS(1) = {4}, TEXT("security.capability\0bcd")),
	REQUEST("attribute-trusted", -EOPNOTSUPP, .opcode = FUSE_SETXATTR, .node = NUMBER_FILE,
		WORDS(1) = {4}, TEXT("trusted.overlay.redirect\0bcd")),
	REQUEST("attribute-endless", -EINVAL, .opcode = FUSE_GETXATTR, .node = NUMBER_FILE,
		WORDS(1) = {UINT32_MAX}, .text = "user.a", .text_bytes = 6),
	REQUEST("attribute-name-of-4096-bytes", ANY_ERROR, .opcode = FUSE_GETXATTR,
		.node = NUMBER_FILE, WORDS(1) = {UINT32_MAX}, .text_bytes = 4096),
	REQUEST("attributes-of-4-gib", ANY_ANSWER, .opcode = FUSE_LISTXATTR, .node = NUMBER_FILE,
		WORDS(1) = {UINT32_MAX}),
	/* Interrupts and forgetting. */
	REQUEST("interrupt-of-nothing", NO_REPLY, .opcode = FUSE_INTERRUPT,
		WORDS(1) = {UINT64_MAX}),
	REQUEST("interrupt-at-the-front", NO_REPLY, .opcode = FUSE_INTERRUPT,
		WORDS(1) = {0x12345678}, .urgent = true),
	REQUEST("forget-more-than-there-is", NO_REPLY, .opcode = FUSE_FORGET, .node = NUMBER_FILE,
		WORDS(1) = {UINT64_MAX}),
	REQUEST("forget-the-root", NO_REPLY, .opcode = FUSE_FORGET, .node = ROOT,
		WORDS(1) = {UINT64_MAX}),
	REQUEST("forget-what-never-was", NO_REPLY, .opcode = FUSE_FORGET, .node = UINT64_MAX,
		WORDS(1) = {1}),
	REQUEST("forget-4-billion-at-once", NO_REPLY, .opcode = FUSE_BATCH_FORGET,
		WORDS(5) = {UINT32_MAX, NUMBER_FILE, UINT64_MAX, UINT64_MAX, UINT64_MAX},
		.urgent = true),
	REQUEST("forget-cut-in-two", NO_REPLY, .opcode = FUSE_BATCH_FORGET, .word_bytes = 20,
		.words = {2, NUMBER_FILE, 1}),
	/* The other queue. */
	REQUEST("lookup-at-the-front", ANY_ANSWER, .opcode = FUSE_LOOKUP, .node = ROOT,
		TEXT("file"), .urgent = true),
	REQUEST("nonsense-at-the-front", -ENOSYS, .opcode = 77, .urgent = true),
	/* Versions. */
	REQUEST("version-6", ANY_ERROR, .opcode = FUSE_INIT, WORDS(2) = {6}),
	REQUEST("version-0", ANY_ERROR, .opcode = FUSE_INIT, WORDS(2) = {0, UINT64_MAX}),
	REQUEST("version-of-32-bits", ANY_ANSWER, .opcode = FUSE_INIT,
		WORDS(8) = {UINT64_MAX, UINT64_MAX, UINT64_MAX}),
	REQUEST("version-cut", -EINVAL, .opcode = FUSE_INIT, .word_bytes = 15, .words = {7}),
};

GROUP(share_group, cases);
