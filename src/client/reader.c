/*
 * The thread of each VM that reads what its process says, so that the guest never waits for a
 * harness that is busy, and that reaps the process when it has ended.
 */
#include "client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
/* Where no pidfd tells of the end. */
#define LOOK_MS 10

struct reader {
	struct hull_vm *vm;
	bool console_open, messages_open, control_open;
	char bytes[READ_BYTES];
};

/* Text for people and for regular expressions. */
static size_t leave_out(char *bytes, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < length; i++)
		if (bytes[i] != '\r' && bytes[i] != '\0')
			bytes[kept++] = bytes[i];
	return kept;
}

/* Out of memory, the transcript has a gap. */
static bool read_text(struct reader *reader, int fd, bool *is_open, struct buffer *buffer)
{
	size_t length = process_receive(fd, is_open, reader->bytes, sizeof(reader->bytes));

	if (!length)
		return false;
	length = leave_out(reader->bytes, length);
	(void)pthread_mutex_lock(&reader->vm->lock);
	if (buffer_add(buffer, reader->bytes, length, true) < 0)
		buffer->dropped += length;
	(void)pthread_cond_broadcast(&reader->vm->changed);
	(void)pthread_mutex_unlock(&reader->vm->lock);
	return true;
}

/* Whoever says what makes no sense is not to go on. */
static void take_bytes(struct reader *reader, size_t length)
{
	struct hull_vm *vm = reader->vm;

	(void)pthread_mutex_lock(&vm->lock);
	for (size_t i = 0; i < length && reader->control_open; i++) {
		char byte = reader->bytes[i];

		if (byte != '\n' && vm->line_length < sizeof(vm->line) - 1) {
			vm->line[vm->line_length++] = byte;
			continue;
		}
		vm->line[vm->line_length] = '\0';
		if (byte == '\n' && strlen(vm->line) == vm->line_length && control_take_line(vm)) {
			vm->line_length = 0;
			continue;
		}
		(void)snprintf(vm->sentence, sizeof(vm->sentence),
			"hull said what is no word of its protocol");
		reader->control_open = false;
		process_kill(&vm->process);
	}
	(void)pthread_cond_broadcast(&vm->changed);
	(void)pthread_mutex_unlock(&vm->lock);
}

/* Of the answer that is waited for, one at most. */
static void take_descriptor(struct hull_vm *vm, int fd)
{
	if (fd < 0)
		return;
	(void)pthread_mutex_lock(&vm->lock);
	if (vm->wants_answer && vm->answer_fd < 0)
		vm->answer_fd = fd;
	else
		(void)close(fd);
	(void)pthread_mutex_unlock(&vm->lock);
}

static bool read_control(struct reader *reader)
{
	int fd;
	size_t length = process_receive_control(reader->vm->process.control, &reader->control_open,
		reader->bytes, sizeof(reader->bytes), &fd);

	if (!length)
		return false;
	take_descriptor(reader->vm, fd);
	take_bytes(reader, length);
	return true;
}

static void read_all(struct reader *reader)
{
	struct hull_vm *vm = reader->vm;
	bool more;

	do {
		more = read_text(reader, vm->process.input, &reader->console_open, &vm->console);
		more |= read_text(
			reader, vm->process.messages, &reader->messages_open, &vm->messages);
		more |= read_control(reader);
	} while (more);
}

static void wait_for_bytes(const struct reader *reader)
{
	const struct process *process = &reader->vm->process;
	struct pollfd polls[] = {
		{.fd = reader->console_open ? process->input : -1, .events = POLLIN},
		{.fd = reader->messages_open ? process->messages : -1, .events = POLLIN},
		{.fd = reader->control_open ? process->control : -1, .events = POLLIN},
		{.fd = process->pidfd, .events = POLLIN},
	};

	(void)poll(polls, array_size(polls), process->pidfd < 0 ? LOOK_MS : -1);
}

void *reader_run(void *vm_pointer)
{
	struct hull_vm *vm = vm_pointer;
	struct reader reader = {
		.vm = vm, .console_open = true, .messages_open = true, .control_open = true};
	int status, has_ended;

	do {
		wait_for_bytes(&reader);
		(void)pthread_mutex_lock(&vm->lock);
		has_ended = process_reap(&vm->process, &status);
		vm->is_reaped = has_ended;
		(void)pthread_mutex_unlock(&vm->lock);
		read_all(&reader);
	} while (!has_ended);
	(void)pthread_mutex_lock(&vm->lock);
	vm->has_ended = true;
	vm->status = status >= 0 ? status : vm->said_status;
	(void)pthread_cond_broadcast(&vm->changed);
	(void)pthread_mutex_unlock(&vm->lock);
	return NULL;
}
