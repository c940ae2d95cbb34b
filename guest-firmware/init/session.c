/* The beginning of a request, see session.h. */
#include "session.h"

#include "linux.h"
#include "words.h"

struct request {
	struct run *run;
	struct frames frames;
	char words[2 * SERVE_WORDS_BYTES_MAX + PATH_BYTES];
	size_t words_length;
	char path[PATH_BYTES];
};

/* A copy of a payload as text; NULL: there is no room, or it holds a NUL. */
static char *keep(struct request *request)
{
	const uint8_t *payload = frames_payload(&request->frames);
	size_t length = request->frames.payload_length;
	char *text = request->words + request->words_length;

	if (length >= sizeof(request->words) - request->words_length)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[i] = (char)payload[i];
		if (!text[i])
			return NULL;
	}
	text[length] = '\0';
	request->words_length += length + 1;
	return text;
}

static bool is_of_name(const char *variable, const char *other)
{
	while (*variable == *other && *other && *other != '=') {
		variable++;
		other++;
	}
	return *variable == '=' && *other == '=';
}

static bool add_variable(struct run *run, char *text)
{
	if (!text || !text_has(text, '='))
		return false;
	for (unsigned int i = 0; i < run->environment_count; i++) {
		if (is_of_name(run->environment[i], text)) {
			run->environment[i] = text;
			return true;
		}
	}
	if (run->environment_count == WORDS_MAX)
		return false;
	run->environment[run->environment_count++] = text;
	return true;
}

static bool add_word(struct run *run, char *text)
{
	if (!text || run->word_count == SERVE_WORDS_MAX)
		return false;
	run->words[run->word_count++] = text;
	return true;
}

static bool set_user(struct request *request)
{
	const uint8_t *payload = frames_payload(&request->frames);

	if (request->frames.payload_length != 8)
		return false;
	request->run->user = serve_number(payload);
	request->run->group = serve_number(payload + 4);
	return true;
}

/* What stands in the payload from there on. */
static bool read_path(struct request *request, size_t from)
{
	const uint8_t *payload = frames_payload(&request->frames);
	size_t length = request->frames.payload_length;

	if (length <= from || length - from > SERVE_PATH_BYTES_MAX || payload[from] != '/')
		return false;
	for (size_t i = from; i < length; i++) {
		request->path[i - from] = (char)payload[i];
		if (!payload[i])
			return false;
	}
	request->path[length - from] = '\0';
	return true;
}

/* False: it is no request. The command's and the files' parts end with all of it. */
static bool take(struct request *request, bool *is_done)
{
	struct frames *frames = &request->frames;
	uint32_t mode;

	switch (frames_type(frames)) {
	case SERVE_ARGUMENT:
		return add_word(request->run, keep(request));
	case SERVE_VARIABLE:
		return add_variable(request->run, keep(request));
	case SERVE_DIRECTORY:
		request->run->directory = keep(request);
		return request->run->directory != NULL;
	case SERVE_USER:
		return set_user(request);
	case SERVE_EXECUTE:
		*is_done = true;
		if (!request->run->word_count)
			return false;
		frames_next(frames);
		session_command(request->run, frames);
		return true;
	case SERVE_WRITE:
		*is_done = true;
		if (!read_path(request, sizeof(mode)))
			return false;
		mode = serve_number(frames_payload(frames));
		frames_next(frames);
		session_write(frames, mode, request->path);
		return true;
	case SERVE_READ:
		*is_done = true;
		if (!read_path(request, 0))
			return false;
		session_read(frames, request->path);
		return true;
	default:
		return false;
	}
}

_Noreturn void session_run(struct run *run, int connection)
{
	static struct request request;
	bool is_done = false;

	request.run = run;
	request.frames.fd = connection;
	while (!is_done && frames_wait(&request.frames) > 0) {
		if (!take(&request, &is_done)) {
			frame_send_failure(connection, -EPROTO, "it is no request");
			break;
		}
		frames_next(&request.frames);
	}
	sys_exit(0);
}
