/*
 * Times, for each of several VMMs in turn, how long it takes from starting its process to the first
 * byte that its guest writes, and reads what private memory the process has at that point.
 *
 *     startup_timer ROUNDS MEMORY_MIB -- NAME COMMAND... [-- NAME COMMAND...]...
 *
 * Needs no C library beyond POSIX and /proc, so that it also runs in a minimal system. Prints one
 * JSON object a line: a sample, or the reason why a peer had to be left out. The peers take turns
 * within each round, starting with another one each time, so that whatever else the host does meets
 * all of them alike.
 */
#include "clock.h"
#include "compiler.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEERS_MAX    16
#define PATIENCE_MS  20000
#define FIRST_BYTE   '!'
#define MAPPINGS_MAX 2048
#define FAILURES_MAX 3
#define USAGE_STATUS 2

struct peer {
	const char *name;
	char **command; /* NULL-terminated, in argv */
	unsigned int failures;
};

struct mapping {
	uint64_t start, end;
	uint64_t anonymous_kib;
};

struct memory_use {
	uint64_t anonymous_kib;       /* RssAnon */
	uint64_t guest_anonymous_kib; /* of it, in mappings large enough to be the guest's RAM */
	uint64_t file_kib;            /* RssFile and RssShmem: text, libraries, shared guest RAM */
};

struct sample {
	uint64_t first_byte_ns;
	uint64_t gone_ns; /* from SIGKILL until the process is reaped: the VM's destruction */
	struct memory_use memory;
};

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* only ever read from */
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name); /* fits */
	return fopen(path, "re");
}

/* The mappings with anonymous memory or none, in the order of their addresses. */
static size_t read_mappings(pid_t pid, struct mapping *mappings)
{
	cleanup_with(close_file) FILE *file = open_proc(pid, "smaps");
	size_t count = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		uint64_t start, end, kib;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			if (count == MAPPINGS_MAX)
				break;
			mappings[count++] = (struct mapping){start, end, 0};
		} else if (count && sscanf(line, "Anonymous: %" SCNu64, &kib) == 1) {
			mappings[count - 1].anonymous_kib = kib;
		}
	}
	return count;
}

/* The guest's RAM is one mapping of at least its size (alignment may add to it) or, where parts of
 * it were advised differently, a run of adjacent ones of exactly its size. The end of such a run
 * that starts at first; first when there is none. */
static size_t find_ram_end(
	const struct mapping *mappings, size_t count, size_t first, uint64_t ram_bytes)
{
	const uint64_t start = mappings[first].start;

	if (mappings[first].end - start >= ram_bytes)
		return first + 1;
	for (size_t i = first + 1; i < count && mappings[i].start == mappings[i - 1].end; i++) {
		if (mappings[i].end - start == ram_bytes)
			return i + 1;
	}
	return first;
}

static uint64_t read_guest_anonymous_kib(pid_t pid, uint64_t ram_bytes)
{
	struct mapping *mappings = calloc(MAPPINGS_MAX, sizeof(*mappings));
	size_t count = mappings ? read_mappings(pid, mappings) : 0;
	uint64_t total_kib = 0;

	for (size_t i = 0, end; i<count; i = end> i ? end : i + 1) {
		end = find_ram_end(mappings, count, i, ram_bytes);
		for (size_t j = i; j < end; j++)
			total_kib += mappings[j].anonymous_kib;
	}
	free(mappings);
	return total_kib;
}

static struct memory_use read_memory(pid_t pid, uint64_t ram_bytes)
{
	cleanup_with(close_file) FILE *file = open_proc(pid, "status");
	struct memory_use memory = {0};
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		uint64_t kib;

		if (sscanf(line, "RssAnon: %" SCNu64, &kib) == 1)
			memory.anonymous_kib = kib;
		else if (sscanf(line, "RssFile: %" SCNu64, &kib) == 1 ||
			 sscanf(line, "RssShmem: %" SCNu64, &kib) == 1)
			memory.file_kib += kib;
	}
	memory.guest_anonymous_kib = read_guest_anonymous_kib(pid, ram_bytes);
	return memory;
}

/* Standard input and error are /dev/null: no peer may wait for a terminal or fill it. */
static int spawn(char *const command[], int output_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(
			&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(
			&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, command[0], &actions, NULL, command, environ);
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
	return -r;
}

static const char *wait_first_byte(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char byte = 0;
	int r;

	do
		r = poll(&poll_fd, 1, PATIENCE_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return "no byte in time";
	if (fd_read(fd, &byte, 1) != 1)
		return "ended before the first byte";
	return byte == FIRST_BYTE ? NULL : "the first byte is not the guest's";
}

/* NULL, or why there is no sample. */
static const char *take_sample(
	const struct peer *peer, uint64_t ram_bytes, struct sample *ret_sample)
{
	cleanup_fd int read_fd = -1, write_fd = -1;
	uint64_t start_ns, kill_ns;
	const char *problem;
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return "no pipe";
	read_fd = pipe_fds[0];
	write_fd = pipe_fds[1];
	start_ns = clock_monotonic_ns();
	if (spawn(peer->command, write_fd, &pid) < 0)
		return "cannot be started";
	fd_close(&write_fd);
	problem = wait_first_byte(read_fd);
	ret_sample->first_byte_ns = clock_monotonic_ns() - start_ns;
	if (!problem)
		ret_sample->memory = read_memory(pid, ram_bytes);
	kill_ns = clock_monotonic_ns();
	(void)kill(pid, SIGKILL); /* it may have ended */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	ret_sample->gone_ns = clock_monotonic_ns() - kill_ns;
	return problem;
}

static void run_peer(struct peer *peer, unsigned int round, uint64_t ram_bytes)
{
	struct sample sample = {0};
	const char *problem;

	if (peer->failures >= FAILURES_MAX)
		return;
	problem = take_sample(peer, ram_bytes, &sample);
	if (problem) {
		peer->failures++;
		printf("{\"peer\": \"%s\", \"round\": %u, \"problem\": \"%s\"}\n", peer->name,
			round, problem);
	} else {
		printf("{\"peer\": \"%s\", \"round\": %u, \"first_byte_ns\": %" PRIu64
		       ", \"gone_ns\": %" PRIu64 ", \"anonymous_kib\": %" PRIu64
		       ", \"guest_anonymous_kib\": %" PRIu64 ", \"file_kib\": %" PRIu64 "}\n",
			peer->name, round, sample.first_byte_ns, sample.gone_ns,
			sample.memory.anonymous_kib, sample.memory.guest_anonymous_kib,
			sample.memory.file_kib);
	}
	(void)fflush(stdout); /* a reader that is gone shows at the next line */
}

/* Cuts argv at each "--": a name and a command. */
static unsigned int parse_peers(int argc, char **argv, struct peer *peers)
{
	unsigned int count = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		if (i + 2 >= argc || count == PEERS_MAX)
			return 0;
		peers[count++] = (struct peer){.name = argv[i + 1], .command = &argv[i + 2]};
	}
	return count;
}

int main(int argc, char **argv)
{
	struct peer peers[PEERS_MAX];
	uint64_t rounds = 0, memory_mib = 0;
	unsigned int count = 0;

	if (argc > 3) {
		rounds = strtoull(argv[1], NULL, 10);
		memory_mib = strtoull(argv[2], NULL, 10);
		count = parse_peers(argc - 3, argv + 3, peers);
	}
	if (!rounds || !memory_mib || !count) {
		(void)fputs("usage: startup_timer ROUNDS MEMORY_MIB -- NAME COMMAND... "
			    "[-- NAME COMMAND...]...\n",
			stderr);
		return USAGE_STATUS;
	}
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < count; i++)
			run_peer(&peers[(round + i) % count], round, memory_mib << 20);
	}
	return 0;
}
