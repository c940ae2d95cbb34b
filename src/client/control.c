/* The control socket's lines, see docs/embedding.md: untrusted as far as they can be absurd. */
#include "client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MS 30000

static const char *after(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 ? line + length : NULL;
}

/* A number at *text, which then stands behind it and a blank. */
static bool read_number(const char **text, int maximum, int *ret_number)
{
	const char *digit = *text;
	int number = 0;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		number = number * 10 + (*digit - '0');
		if (number > maximum)
			return false;
	}
	if (digit == *text || (*digit && *digit != ' '))
		return false;
	*text = *digit ? digit + 1 : digit;
	*ret_number = number;
	return true;
}

static bool take_end(struct hull_vm *vm, const char *rest)
{
	int status;

	if (!read_number(&rest, 255, &status))
		return false;
	vm->said_status = status;
	(void)snprintf(vm->sentence, sizeof(vm->sentence), "%s", rest);
	return true;
}

bool control_take_line(struct hull_vm *vm)
{
	const char *rest;

	if (strcmp(vm->line, "event started") == 0) {
		vm->has_started = true;
		return true;
	}
	if (strcmp(vm->line, "event serving") == 0) {
		vm->is_serving = true;
		return true;
	}
	if ((rest = after(vm->line, "event ended ")))
		return take_end(vm, rest);
	if (after(vm->line, "event "))
		return true; /* of a younger hull */
	if (!vm->wants_answer || vm->has_answer)
		return false;
	memcpy(vm->answer, vm->line, vm->line_length + 1);
	vm->has_answer = true;
	return true;
}

/* lock is held, and stays held. */
static int wait_for_answer(struct hull_vm *vm, struct hull_error *error)
{
	uint64_t deadline_ns = deadline_after(REQUEST_MS);

	while (!vm->has_answer) {
		if (vm->has_ended)
			return client_fail_status(
				error, ESRCH, vm->status, "the VM has ended: %s", vm_sentence(vm));
		if (!vm_wait_change(vm, deadline_ns)) {
			/* What comes later would be the answer to something else. */
			process_kill(&vm->process);
			return client_fail(error, ETIMEDOUT,
				"hull did not answer for %d s and was ended", REQUEST_MS / 1000);
		}
	}
	return 0;
}

static int read_answer(
	const char *line, char *ret_answer, size_t answer_bytes, struct hull_error *error)
{
	const char *rest = after(line, "ok");
	int code;

	if (rest && (!*rest || *rest == ' ')) {
		if (ret_answer)
			(void)snprintf(ret_answer, answer_bytes, "%s", *rest ? rest + 1 : rest);
		return 0;
	}
	rest = after(line, "error ");
	if (!rest || !read_number(&rest, 4095, &code) || !code)
		return client_fail(error, EPROTO, "hull's answer makes no sense: %.200s", line);
	return client_fail(error, code, "%s", rest);
}

/* ret_fd: of what the answer brought, -1 for nothing. */
static int ask(struct hull_vm *vm, const char *request, char *ret_answer, size_t answer_bytes,
	int *ret_fd, struct hull_error *error)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "%s\n", request);
	int r;

	(void)pthread_mutex_lock(&vm->requests);
	(void)pthread_mutex_lock(&vm->lock);
	vm->has_answer = false;
	vm->wants_answer = true;
	/* A hull that is gone is noticed below, with its reason. */
	(void)send(vm->process.control, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
	r = wait_for_answer(vm, error);
	vm->wants_answer = false;
	*ret_fd = vm->answer_fd;
	vm->answer_fd = -1;
	if (r == 0)
		r = read_answer(vm->answer, ret_answer, answer_bytes, error);
	(void)pthread_mutex_unlock(&vm->lock);
	(void)pthread_mutex_unlock(&vm->requests);
	return r;
}

static void close_one(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int control_request(struct hull_vm *vm, const char *request, char *ret_answer, size_t answer_bytes,
	struct hull_error *error)
{
	int fd;
	int r = ask(vm, request, ret_answer, answer_bytes, &fd, error);

	close_one(fd);
	return r;
}

int control_request_fd(
	struct hull_vm *vm, const char *request, int *ret_fd, struct hull_error *error)
{
	int fd;
	int r = ask(vm, request, NULL, 0, &fd, error);

	if (r == 0 && fd < 0)
		r = client_fail(error, EPROTO, "hull's answer came without its descriptor");
	if (r == 0) {
		r = process_raise_fd(&fd);
		if (r < 0)
			(void)client_fail(error, r, "no descriptor: %s", strerrordesc_np(-r));
	}
	if (r < 0) {
		close_one(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

exported int hull_vm_pause(struct hull_vm *vm, struct hull_error *error)
{
	return control_request(vm, "pause", NULL, 0, error);
}

exported int hull_vm_resume(struct hull_vm *vm, struct hull_error *error)
{
	return control_request(vm, "resume", NULL, 0, error);
}

exported int hull_vm_set_link(
	struct hull_vm *vm, unsigned int nic, int up, struct hull_error *error)
{
	char request[32];

	(void)snprintf(request, sizeof(request), "link %u %s", nic, up ? "up" : "down");
	return control_request(vm, request, NULL, 0, error);
}

exported int hull_vm_press_power_button(struct hull_vm *vm, struct hull_error *error)
{
	return control_request(vm, "power-button", NULL, 0, error);
}

exported int hull_vm_stop(struct hull_vm *vm, struct hull_error *error)
{
	return control_request(vm, "stop", NULL, 0, error);
}

exported int hull_vm_state(struct hull_vm *vm, enum hull_state *ret_state, struct hull_error *error)
{
	static const char *const names[] = {
		[HULL_STATE_STARTING] = "starting",
		[HULL_STATE_RUNNING] = "running",
		[HULL_STATE_PAUSED] = "paused",
		[HULL_STATE_PANICKED] = "panicked",
	};
	char answer[CONTROL_LINE_BYTES];
	int r = control_request(vm, "state", answer, sizeof(answer), error);

	if (r == -ESRCH) {
		*ret_state = HULL_STATE_ENDED;
		return 0;
	}
	if (r < 0)
		return r;
	answer[strcspn(answer, " ")] = '\0';
	for (size_t i = 0; i < array_size(names); i++) {
		if (strcmp(answer, names[i]) == 0) {
			*ret_state = (enum hull_state)i;
			return 0;
		}
	}
	return client_fail(error, EPROTO, "hull is in a state that is not known: %.100s", answer);
}
