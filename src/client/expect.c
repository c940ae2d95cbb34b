/* Speaking with the console, see hull.h. */
#include "client.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GROUPS_MAX 32
#define TAIL_BYTES 300

exported int hull_vm_send(struct hull_vm *vm, const void *bytes, size_t length, int timeout_ms,
	struct hull_error *error)
{
	uint64_t deadline_ns = deadline_after(timeout_ms);
	const char *from = bytes;
	int r = 0;

	(void)pthread_mutex_lock(&vm->sends);
	while (r == 0 && length) {
		struct pollfd writable = {.fd = vm->process.input, .events = POLLOUT};
		ssize_t count = send(vm->process.input, from, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rest_ms = deadline_rest_ms(deadline_ns);

		if (count >= 0) {
			from += count;
			length -= (size_t)count;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			r = client_fail(error, EPIPE, "nobody reads the console's input any more");
		} else if (errno != EAGAIN && errno != EINTR) {
			r = client_fail(error, errno, "the console: %s", strerrordesc_np(errno));
		} else if (rest_ms == 0) {
			r = client_fail(error, ETIMEDOUT,
				"the guest did not take the input within %d ms", timeout_ms);
		} else {
			(void)poll(&writable, 1, rest_ms);
		}
	}
	(void)pthread_mutex_unlock(&vm->sends);
	return r;
}

exported void hull_match_clear(struct hull_match *match)
{
	for (size_t i = 0; i < match->count; i++)
		free(match->groups[i]);
	free(match->groups);
	*match = (struct hull_match){0};
}

static int copy_groups(const char *text, const regmatch_t *found, size_t count,
	struct hull_match *ret_match, struct hull_error *error)
{
	struct hull_match match = {.groups = calloc(count, sizeof(*match.groups))};

	if (!match.groups)
		return client_fail(error, ENOMEM, "no memory for a match");
	match.count = count;
	for (size_t i = 0; i < count; i++) {
		if (found[i].rm_so < 0)
			continue;
		match.groups[i] = strndup(
			text + found[i].rm_so, (size_t)(found[i].rm_eo - found[i].rm_so));
		if (!match.groups[i]) {
			hull_match_clear(&match);
			return client_fail(error, ENOMEM, "no memory for a match");
		}
	}
	*ret_match = match;
	return 0;
}

struct search {
	struct hull_vm *vm;
	const regex_t *regex;
	struct hull_match *match; /* NULL: nobody wants it */
	struct hull_error *error;
};

/* 1: found; 0: not in this text, which begins at index. */
static int look(const struct search *search, const char *text, uint64_t index)
{
	regmatch_t found[GROUPS_MAX];
	size_t count = search->regex->re_nsub + 1;
	int r = regexec(search->regex, text, GROUPS_MAX, found, 0);

	if (r == REG_NOMATCH)
		return 0;
	if (r != 0)
		return client_fail(search->error, ENOMEM, "no memory for a regular expression");
	r = 0;
	if (search->match)
		r = copy_groups(text, found, count < GROUPS_MAX ? count : GROUPS_MAX, search->match,
			search->error);
	if (r < 0)
		return r;
	search->vm->matched = index + (uint64_t)found[0].rm_eo;
	return 1;
}

/* Whoever reads the sentence wants to know what there was instead; lock is held. */
static int fail_search(const struct search *search, int code, const char *what)
{
	const struct buffer *console = &search->vm->console;
	uint64_t end = console->dropped + console->length;
	uint64_t from = end > TAIL_BYTES ? end - TAIL_BYTES : 0;
	char *tail = buffer_copy(console, from, NULL);
	int r = client_fail_status(search->error, code,
		search->vm->has_ended ? search->vm->status : -1,
		"the console did not say it: %s; it ends with: %s", what, tail ? tail : "");

	free(tail);
	return r;
}

static int search_console(const struct search *search, int timeout_ms)
{
	uint64_t deadline_ns = deadline_after(timeout_ms);
	struct hull_vm *vm = search->vm;
	uint64_t seen = UINT64_MAX;
	int r = 0;

	(void)pthread_mutex_lock(&vm->lock);
	while (r == 0) {
		const struct buffer *console = &vm->console;
		uint64_t index = vm->matched > console->dropped ? vm->matched : console->dropped;
		uint64_t end = console->dropped + console->length;
		bool has_ended = vm->has_ended;

		if (end != seen) {
			char *text = buffer_copy(console, index, NULL);

			(void)pthread_mutex_unlock(&vm->lock);
			r = text ? look(search, text, index)
			         : client_fail(search->error, ENOMEM, "no memory for the console");
			free(text);
			(void)pthread_mutex_lock(&vm->lock);
			seen = end;
		} else if (has_ended) {
			r = fail_search(search, EPIPE, vm_sentence(vm));
		} else if (!vm_wait_change(vm, deadline_ns)) {
			r = fail_search(search, ETIMEDOUT, "the time is over");
		}
	}
	(void)pthread_mutex_unlock(&vm->lock);
	return r < 0 ? r : 0;
}

exported int hull_vm_expect(struct hull_vm *vm, const char *expression, int timeout_ms,
	struct hull_match *ret_match, struct hull_error *error)
{
	regex_t regex;
	const struct search search = {vm, &regex, ret_match, error};
	int r = regcomp(&regex, expression, REG_EXTENDED | REG_NEWLINE);

	if (r != 0) {
		char why[200];

		(void)regerror(r, &regex, why, sizeof(why));
		return client_fail(
			error, EINVAL, "'%.200s' is no regular expression: %s", expression, why);
	}
	(void)pthread_mutex_lock(&vm->expects);
	r = search_console(&search, timeout_ms);
	(void)pthread_mutex_unlock(&vm->expects);
	regfree(&regex);
	return r;
}
