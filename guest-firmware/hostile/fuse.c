/* See fuse.h. */
#include "fuse.h"

#include "cases.h"
#include "memory.h"
#include "trio.h"

#include <fcntl.h>

#define ERROR_MIN       (-4095) /* the largest number that Linux takes for one */
#define UNIQUE          UINT64_C(0x1122334455667788)
#define ROOT            UINT64_C(1)
#define OPEN_WORDS      8
#define LOOKED_AT_BYTES 64

static struct trio files;
static uint64_t numbers[NUMBER_COUNT];
volatile uint8_t fuse_bytes[sizeof(struct fuse_in_header) + FUSE_ARGUMENT_BYTES];
volatile uint8_t fuse_reply[FUSE_REPLY_BYTES];

struct virtio *fuse_device(void)
{
	return bystander_find(VIRTIO_FILE_SYSTEM, false)->device;
}

uint64_t fuse_number(uint64_t number)
{
	const uint64_t index = number - NUMBER_FILE;

	return index < NUMBER_COUNT ? numbers[index] : number;
}

static void set_number(uint64_t name, uint64_t number)
{
	numbers[name - NUMBER_FILE] = number;
}

static void put(volatile uint8_t *at, const void *from, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		at[i] = ((const uint8_t *)from)[i];
}

uint32_t fuse_put(const struct fuse_request *request)
{
	struct fuse_in_header header = {
		.len = (uint32_t)sizeof(header) + request->word_bytes + request->text_bytes,
		.opcode = request->opcode,
		.unique = UNIQUE,
		.nodeid = fuse_number(request->node),
	};
	const uint32_t header_bytes = request->header_bytes ? request->header_bytes
	                                                    : (uint32_t)sizeof(header);
	const uint32_t text_at = header_bytes + request->word_bytes;

	if (request->length)
		header.len = request->length;
	put(fuse_bytes, &header, header_bytes);
	for (uint32_t i = 0; i * 8 < request->word_bytes; i++) {
		const uint64_t word = fuse_number(request->words[i]);
		const uint32_t left = request->word_bytes - i * 8;

		put(fuse_bytes + header_bytes + i * 8ul, &word, left < 8 ? left : 8);
	}
	for (uint32_t i = 0; i < request->text_bytes; i++)
		fuse_bytes[text_at + i] = request->text ? (uint8_t)request->text[i] : 'a';
	return text_at + request->text_bytes;
}

/* Among the first bytes, where a file's contents would begin: this code is interpreted in places.
 */
static bool reply_has(const char *words, uint32_t length)
{
	for (uint32_t at = 0; at + length <= LOOKED_AT_BYTES; at++) {
		uint32_t i = 0;

		while (i < length && fuse_reply[at + i] == (uint8_t)words[i])
			i++;
		if (i == length)
			return true;
	}
	return false;
}

uint64_t fuse_reply_word(unsigned int index)
{
	const volatile uint64_t *words = (const volatile void *)fuse_reply;

	return words[sizeof(struct fuse_out_header) / sizeof(*words) + index];
}

static void judge(struct scene *scene, uint32_t length, struct fuse_answer *answer)
{
	const volatile struct fuse_out_header *header = (const volatile void *)fuse_reply;

	answer->replied = length != 0;
	if (!answer->replied)
		return;
	answer->error = header->error;
	answer->bytes = length - (uint32_t)sizeof(*header);
	report_expect(scene->report,
		length >= sizeof(*header) && header->len == length && header->unique == UNIQUE,
		"a reply of %u bytes that claims %u", length, header->len);
	report_expect(scene->report,
		header->error <= 0 && header->error >= ERROR_MIN &&
			(!header->error || length == sizeof(*header)),
		"error %d with %u bytes", header->error, length);
}

struct fuse_answer fuse_ask_raw(
	struct scene *scene, uint16_t queue, const struct vring_buffer *buffers, uint16_t count)
{
	struct virtio *device = fuse_device();
	struct fuse_answer answer = {.result = RESULT_NOTHING};
	uint32_t length = 0;

	for (uint32_t i = 0; i < LOOKED_AT_BYTES; i += 8)
		*(volatile uint64_t *)(volatile void *)(fuse_reply + i) = 0;
	trio_send(&files, device, queue, 0, buffers, count);
	answer.result = trio_wait(&files, scene, device, queue, &length);
	if (answer.result != RESULT_USED)
		return answer;
	while (count > 1 && buffers[count - 2].writable)
		count--;
	if (buffers[count - 1].address == (uintptr_t)fuse_reply)
		judge(scene, length, &answer);
	report_expect(scene->report, !reply_has(SECRET_WORDS, sizeof(SECRET_WORDS) - 1),
		"the secret is out");
	return answer;
}

struct fuse_answer fuse_ask(struct scene *scene, const struct fuse_request *request)
{
	const struct vring_buffer buffers[] = {
		{(uintptr_t)fuse_bytes, fuse_put(request), false},
		{(uintptr_t)fuse_reply, request->room, true},
	};

	return fuse_ask_raw(scene, request->urgent ? FUSE_HIGH_PRIORITY : FUSE_REQUESTS, buffers,
		request->room ? 2 : 1);
}

static uint32_t text_length(const char *text)
{
	uint32_t length = 0;

	while (text[length])
		length++;
	return length;
}

uint64_t fuse_look_up(struct scene *scene, uint64_t parent, const char *name)
{
	const struct fuse_request request = {
		.opcode = FUSE_LOOKUP,
		.node = parent,
		.text = name,
		.text_bytes = text_length(name) + 1,
		.room = FUSE_REPLY_BYTES,
	};
	const struct fuse_answer answer = fuse_ask(scene, &request);

	return answer.replied && !answer.error ? fuse_reply_word(0) : 0;
}

static uint64_t open_node(struct scene *scene, uint32_t opcode, uint64_t node, uint32_t flags)
{
	const struct fuse_request request = {
		.opcode = opcode,
		.node = node,
		.words = {flags},
		.word_bytes = OPEN_WORDS,
		.room = FUSE_REPLY_BYTES,
	};
	const struct fuse_answer answer = fuse_ask(scene, &request);

	return answer.replied && !answer.error ? fuse_reply_word(0) : 0;
}

bool fuse_up(struct scene *scene)
{
	return trio_up(&files, scene, fuse_device(), 0, "file system device");
}

static bool initialise(struct scene *scene)
{
	const struct fuse_request request = {
		.opcode = FUSE_INIT,
		.words = {(uint64_t)FUSE_KERNEL_MINOR_VERSION << 32 | FUSE_KERNEL_VERSION,
			UINT32_MAX},
		.word_bytes = sizeof(struct fuse_init_in),
		.room = FUSE_REPLY_BYTES,
	};
	const struct fuse_answer answer = fuse_ask(scene, &request);

	return report_expect(
		scene->report, answer.replied && !answer.error, "INIT fails with %d", answer.error);
}

bool fuse_start(struct scene *scene)
{
	static const char *const names[] = {"file", "directory", "gone", "link", "up", "pipe"};
	struct fuse_request request = {.word_bytes = 8, .room = FUSE_REPLY_BYTES};
	bool complete = true;

	if (!fuse_up(scene) || !initialise(scene))
		return false;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		numbers[i] = fuse_look_up(scene, ROOT, names[i]);
	set_number(NUMBER_OPEN_FILE, open_node(scene, FUSE_OPEN, NUMBER_FILE, O_RDWR));
	set_number(NUMBER_CLOSED, open_node(scene, FUSE_OPEN, NUMBER_FILE, O_RDWR));
	set_number(NUMBER_OPEN_FOLDER, open_node(scene, FUSE_OPENDIR, NUMBER_DIRECTORY, 0));
	for (unsigned int i = 0; i < NUMBER_COUNT; i++)
		complete &= numbers[i] != 0;
	if (!report_expect(scene->report, complete, "something is missing in the share"))
		return false;
	request.opcode = FUSE_RELEASE;
	request.node = NUMBER_FILE;
	request.words[0] = NUMBER_CLOSED;
	request.word_bytes = sizeof(struct fuse_release_in);
	(void)fuse_ask(scene, &request);
	request.opcode = FUSE_FORGET;
	request.node = NUMBER_GONE;
	request.words[0] = 1;
	request.word_bytes = sizeof(struct fuse_forget_in);
	(void)fuse_ask(scene, &request);
	return true;
}

void fuse_check(struct scene *scene)
{
	struct fuse_request request = {
		.opcode = FUSE_READ,
		.node = NUMBER_FILE,
		.words = {NUMBER_OPEN_FILE, 0, FUSE_REPLY_BYTES / 2},
		.word_bytes = sizeof(struct fuse_read_in),
		.room = FUSE_REPLY_BYTES,
	};
	struct fuse_answer answer;

	if (!report_expect(
		    scene->report, virtio_reset(fuse_device()), "the file system does not reset") ||
		!fuse_start(scene))
		return;
	answer = fuse_ask(scene, &request);
	report_expect(scene->report,
		answer.replied && !answer.error && answer.bytes == sizeof(INSIDE_WORDS) - 1 &&
			reply_has(INSIDE_WORDS, sizeof(INSIDE_WORDS) - 1),
		"the file is not as it was: error %d, %u bytes", answer.error, answer.bytes);
	report_expect(scene->report, !fuse_look_up(scene, ROOT, "secret"), "a new name");
}
