/*
 * A file system device (VIRTIO 1.2 5.11) under more requests than one: at the wrong time, with
 * names that nothing may have, with too little room for an answer, and with a link put where a
 * directory was.
 */
#include "cases.h"
#include "fuse.h"

#include <errno.h>
#include <fcntl.h>

#define ROOT    UINT64_C(1)
#define HIGH    (UINT64_C(1) << 32)
#define ROOM    FUSE_REPLY_BYTES
#define OPCODES 60
#define FLOOD   300

static uint32_t length_of(const char *text)
{
	uint32_t length = 0;

	while (text[length])
		length++;
	return length;
}

/* Requests that make, find or remove a name. */
static const struct fuse_request name_requests[] = {
	{.opcode = FUSE_LOOKUP},
	{.opcode = FUSE_UNLINK},
	{.opcode = FUSE_RMDIR},
	{.opcode = FUSE_MKNOD, .words = {0100666}, .word_bytes = sizeof(struct fuse_mknod_in)},
	{.opcode = FUSE_MKDIR, .words = {0777}, .word_bytes = sizeof(struct fuse_mkdir_in)},
	{.opcode = FUSE_CREATE,
		.words = {HIGH * 0666 | O_RDWR | O_TRUNC},
		.word_bytes = sizeof(struct fuse_create_in)},
	{.opcode = FUSE_LINK, .words = {NUMBER_FILE}, .word_bytes = sizeof(struct fuse_link_in)},
};

/* a: so many bytes of the text are sent, 0: with its end; b: with only one error that is right. */
static void run_name(struct scene *scene, const struct hostile_case *self)
{
	const char *name = self->data;

	if (!fuse_start(scene))
		return;
	for (size_t i = 0; i < sizeof(name_requests) / sizeof(name_requests[0]); i++) {
		struct fuse_request request = name_requests[i];
		struct fuse_answer answer;

		request.node = ROOT;
		request.text = name;
		request.text_bytes = self->a ? (uint32_t)self->a : length_of(name) + 1;
		request.room = ROOM;
		answer = fuse_ask(scene, &request);
		report_expect(scene->report,
			answer.replied && answer.error < 0 &&
				(!self->b || answer.error == (int64_t)self->b),
			"opcode %u: error %d", request.opcode, answer.error);
	}
	fuse_check(scene);
}

/* A name of a letters, ended or (b) not, in all of them; the last letter is over the end of what
 * fuse_put writes. */
static void run_long_name(struct scene *scene, const struct hostile_case *self)
{
	static char name[FUSE_ARGUMENT_BYTES];
	const struct hostile_case same = {.data = name, .a = self->a + (self->b ? 0 : 1)};

	for (uint64_t i = 0; i < self->a; i++)
		name[i] = 'n';
	name[self->a] = 0;
	run_name(scene, &same);
}

/* Every opcode with a bytes of zeros (b: of ones) for arguments; c: without INIT. */
static void run_opcodes(struct scene *scene, const struct hostile_case *self)
{
	if (self->c ? !fuse_up(scene) : !fuse_start(scene))
		return;
	for (uint32_t opcode = 0; opcode < OPCODES; opcode++) {
		struct fuse_request request = {
			.opcode = opcode,
			.node = ROOT,
			.word_bytes = (uint32_t)self->a,
			.room = ROOM,
		};

		for (unsigned int i = 0; self->b && i < FUSE_WORDS_MAX; i++)
			request.words[i] = UINT64_MAX;
		report_expect(scene->report, fuse_ask(scene, &request).result == RESULT_USED,
			"opcode %u does not come back", opcode);
	}
	fuse_check(scene);
}

/* Room for a reply from none to more than a header, for requests with replies of all kinds. */
static void run_room(struct scene *scene, const struct hostile_case *self)
{
	static const struct fuse_request requests[] = {
		{.opcode = FUSE_GETATTR, .node = ROOT},
		{.opcode = FUSE_STATFS, .node = ROOT},
		{.opcode = FUSE_LOOKUP, .node = ROOT, .text = "file", .text_bytes = 5},
		{.opcode = FUSE_LOOKUP, .node = ROOT, .text = "none", .text_bytes = 5},
		{.opcode = FUSE_READLINK, .node = NUMBER_LINK},
		{.opcode = FUSE_OPEN, .node = NUMBER_FILE, .word_bytes = 8},
		{.opcode = FUSE_READ,
			.node = NUMBER_FILE,
			.words = {NUMBER_OPEN_FILE, 0, 6},
			.word_bytes = sizeof(struct fuse_read_in)},
		{.opcode = FUSE_READDIRPLUS,
			.node = NUMBER_DIRECTORY,
			.words = {NUMBER_OPEN_FOLDER, 0, ROOM},
			.word_bytes = sizeof(struct fuse_read_in)},
		{.opcode = FUSE_LSEEK,
			.node = NUMBER_FILE,
			.words = {NUMBER_OPEN_FILE, 0, 3},
			.word_bytes = sizeof(struct fuse_lseek_in)},
		{.opcode = FUSE_INIT, .words = {7}, .word_bytes = sizeof(struct fuse_init_in)},
	};

	(void)self;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!report_expect(scene->report, virtio_reset(fuse_device()), "no reset") ||
			!fuse_start(scene))
			return;
		for (uint32_t room = 0; room <= sizeof(struct fuse_out_header) + 8; room++) {
			struct fuse_request request = requests[i];
			struct fuse_answer answer;

			request.room = room;
			answer = fuse_ask(scene, &request);
			report_expect(scene->report,
				answer.result == RESULT_USED &&
					answer.replied <= (room >= sizeof(struct fuse_out_header)),
				"opcode %u with room for %u bytes", request.opcode, room);
		}
	}
	fuse_check(scene);
}

/* As much as a chain can hold in front of the reply: the same bytes again and again. */
static void run_heavy(struct scene *scene, const struct hostile_case *self)
{
	const struct fuse_request request = {
		.opcode = (uint32_t)self->a,
		.node = ROOT,
		.length = (uint32_t)self->b * sizeof(fuse_bytes),
		.text_bytes = FUSE_ARGUMENT_BYTES,
	};
	struct vring_buffer buffers[16];
	struct fuse_answer answer;
	uint16_t count = 0;

	if (!fuse_start(scene))
		return;
	(void)fuse_put(&request);
	while (count < self->b)
		buffers[count++] = (struct vring_buffer){
			(uintptr_t)fuse_bytes, sizeof(fuse_bytes), false};
	buffers[count++] = (struct vring_buffer){(uintptr_t)fuse_reply, ROOM, true};
	answer = fuse_ask_raw(scene, FUSE_REQUESTS, buffers, count);
	report_expect(scene->report, answer.replied && answer.error < 0, "no error");
	fuse_check(scene);
}

/* A second INIT: what was given out before it is no more. */
static void run_second_start(struct scene *scene, const struct hostile_case *self)
{
	struct fuse_request request = {
		.opcode = (uint32_t)self->a,
		.words = {7},
		.word_bytes = sizeof(struct fuse_init_in),
		.room = ROOM,
	};
	struct fuse_answer answer;

	if (!fuse_start(scene))
		return;
	answer = fuse_ask(scene, &request);
	report_expect(scene->report, answer.replied && !answer.error, "error %d", answer.error);
	request = (struct fuse_request){
		.opcode = FUSE_READ,
		.node = NUMBER_FILE,
		.words = {NUMBER_OPEN_FILE, 0, 16},
		.word_bytes = sizeof(struct fuse_read_in),
		.room = ROOM,
	};
	answer = fuse_ask(scene, &request);
	report_expect(
		scene->report, answer.replied && answer.error < 0, "the handle is still open");
	request.opcode = FUSE_GETATTR;
	request.word_bytes = 0;
	answer = fuse_ask(scene, &request);
	report_expect(
		scene->report, answer.replied && answer.error == -ESTALE, "the node is known");
	fuse_check(scene);
}

/* Nodes, handles or interrupts without end: refused at some point, or of no weight. */
static void run_flood(struct scene *scene, const struct hostile_case *self)
{
	struct fuse_request request = *(const struct fuse_request *)self->data;

	if (!fuse_start(scene))
		return;
	for (unsigned int i = 0; i < FLOOD; i++) {
		request.words[1] = self->a ? i : 0;
		if (!report_expect(scene->report, fuse_ask(scene, &request).result == RESULT_USED,
			    "request %u", i))
			break;
	}
	fuse_check(scene);
}

static int32_t ask_name(
	struct scene *scene, uint32_t opcode, uint64_t node, const char *text, uint32_t bytes)
{
	const struct fuse_request request = {
		.opcode = opcode,
		.node = node,
		.words = {opcode == FUSE_RENAME ? ROOT : 0777},
		.word_bytes = opcode == FUSE_MKDIR || opcode == FUSE_RENAME ? 8 : 0,
		.text = text,
		.text_bytes = bytes,
		.room = ROOM,
	};
	const struct fuse_answer answer = fuse_ask(scene, &request);

	return answer.replied ? answer.error : -EIO;
}

#define ASK_NAME(scene, opcode, node, text) ask_name(scene, opcode, node, text, sizeof(text))

/* The directory that is known goes away and a link to outside takes its name. */
static void run_swap(struct scene *scene, const struct hostile_case *self)
{
	uint64_t node, link;
	int32_t r;

	(void)self;
	if (!fuse_start(scene))
		return;
	r = ASK_NAME(scene, FUSE_MKDIR, ROOT, "swapped");
	node = fuse_look_up(scene, ROOT, "swapped");
	r = r ? r : ASK_NAME(scene, FUSE_RENAME, ROOT, "swapped\0aside");
	r = r ? r : ASK_NAME(scene, FUSE_SYMLINK, ROOT, "swapped\0..");
	link = fuse_look_up(scene, ROOT, "swapped");
	report_expect(scene->report, r == 0 && node && link && node != link, "error %d", r);
	report_expect(scene->report,
		ASK_NAME(scene, FUSE_LOOKUP, node, "secret") == -ENOENT &&
			ASK_NAME(scene, FUSE_LOOKUP, link, "secret") == -ENOTDIR &&
			ASK_NAME(scene, FUSE_UNLINK, link, "secret") == -ENOTDIR &&
			ASK_NAME(scene, FUSE_MKDIR, link, "made") == -ENOTDIR &&
			ASK_NAME(scene, FUSE_SYMLINK, link, "made\0/") == -ENOTDIR &&
			ASK_NAME(scene, FUSE_RENAME, link, "secret\0file") == -ENOTDIR,
		"something goes through the link");
	r = ASK_NAME(scene, FUSE_MKDIR, node, "made");
	r = r ? r : ASK_NAME(scene, FUSE_RMDIR, node, "made");
	r = r ? r : ASK_NAME(scene, FUSE_UNLINK, ROOT, "swapped");
	r = r ? r : ASK_NAME(scene, FUSE_RMDIR, ROOT, "aside");
	report_expect(scene->report, r == 0, "the directory itself: error %d", r);
	report_expect(scene->report, ASK_NAME(scene, FUSE_MKDIR, node, "made") < 0,
		"a removed directory takes names");
	fuse_check(scene);
}

#define NAME(name, text, bytes, error)                                                             \
	{                                                                                          \
		"share-name-" name, NEED_SHARE, run_name, text, bytes, (uint64_t)(int64_t)(error), \
			0                                                                          \
	}
#define LONG_NAME(name, letters, endless)                                                \
	{                                                                                \
		"share-name-" name, NEED_SHARE, run_long_name, NULL, letters, endless, 0 \
	}
#define OPCODES_CASE(name, bytes, ones, early)                                   \
	{                                                                        \
		"share-" name, NEED_SHARE, run_opcodes, NULL, bytes, ones, early \
	}
#define FLOOD_CASE(name, differs, ...)                                                         \
	{                                                                                      \
		"share-flood-" name, NEED_SHARE, run_flood,                                    \
			&(const struct fuse_request){.room = ROOM, __VA_ARGS__}, differs, 0, 0 \
	}

static const struct hostile_case cases[] = {
	NAME("up", "..", 0, -EINVAL),
	NAME("same", ".", 0, -EINVAL),
	NAME("empty", "", 0, -EINVAL),
	NAME("slash", "/", 0, -EINVAL),
	NAME("with-slash", "directory/x", 0, -EINVAL),
	NAME("of-outside", "../secret", 0, -EINVAL),
	NAME("through-link", "up/secret", 0, -EINVAL),
	NAME("absolute", "/etc/passwd", 0, -EINVAL),
	NAME("up-and-slash", "../", 0, -EINVAL),
	NAME("endless", "..........", 10, -EINVAL),
	NAME("only-an-end", "\0\0\0\0", 4, -EINVAL),
	LONG_NAME("of-256-letters", 256, 0),
	LONG_NAME("of-4096-letters", 4096, 0),
	LONG_NAME("of-4096-letters-endless", 4096, 1),
	OPCODES_CASE("early", 0, 0, 1),
	OPCODES_CASE("early-with-zeros", 64, 0, 1),
	OPCODES_CASE("early-with-ones", 96, 1, 1),
	OPCODES_CASE("all-without-arguments", 0, 0, 0),
	OPCODES_CASE("all-with-1-byte", 1, 0, 0),
	OPCODES_CASE("all-with-8-bytes", 8, 0, 0),
	OPCODES_CASE("all-with-zeros", 88, 0, 0),
	OPCODES_CASE("all-with-ones", 88, 1, 0),
	OPCODES_CASE("all-with-ones-cut", 23, 1, 0),
	{"share-room", NEED_SHARE, run_room, NULL, 0, 0, 0},
	{"share-heavy-lookup", NEED_SHARE, run_heavy, NULL, FUSE_LOOKUP, 12, 0},
	{"share-heavy-forget", NEED_SHARE, run_heavy, NULL, FUSE_BATCH_FORGET, 12, 0},
	{"share-heavy-unknown", NEED_SHARE, run_heavy, NULL, 99, 12, 0},
	{"share-second-start", NEED_SHARE, run_second_start, NULL, FUSE_INIT, 0, 0},
	{"share-end-in-the-middle", NEED_SHARE, run_second_start, NULL, FUSE_DESTROY, 0, 0},
	{"share-swap", NEED_SHARE, run_swap, NULL, 0, 0, 0},
	FLOOD_CASE("of-handles", 0, .opcode = FUSE_OPEN, .node = NUMBER_FILE, .word_bytes = 8),
	FLOOD_CASE("of-references", 0, .opcode = FUSE_LOOKUP, .node = ROOT, .text = "file",
		.text_bytes = 5),
	FLOOD_CASE("of-interrupts", 1, .opcode = FUSE_INTERRUPT, .word_bytes = 16, .urgent = true),
};

GROUP(share_flow_group, cases);
