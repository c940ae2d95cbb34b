/* Operations of I/O threads, calls from other threads, and what happens where io_uring is
 * forbidden. */
#include "io_thread_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Operations, submitted together from the I/O thread and waited for. --- */

struct batch {
	struct io_thread *thread;
	struct io_operation *operations;
	unsigned int count, finished;
	sem_t all;
};

struct job {
	struct io_operation operation;
	struct batch *batch;
	bool inside_submit;
};

static void job_done(struct io_operation *operation)
{
	struct job *job = container_of(operation, struct job, operation);

	if (job->inside_submit || !io_thread_is_current(job->batch->thread))
		abort();
	if (++job->batch->finished == job->batch->count)
		sem_post(&job->batch->all);
}

struct batch_run {
	struct batch *batch;
	struct job *jobs;
};

static void submit_batch(void *context)
{
	struct batch_run *run = context;

	for (unsigned int i = 0; i < run->batch->count; i++) {
		run->jobs[i].inside_submit = true;
		io_submit(run->batch->thread, &run->jobs[i].operation);
		run->jobs[i].inside_submit = false;
	}
}

static void run_jobs(struct io_thread *thread, struct job *jobs, unsigned int count)
{
	struct batch batch = {.thread = thread, .count = count};
	struct batch_run run = {&batch, jobs};

	sem_init(&batch.all, 0, 0);
	for (unsigned int i = 0; i < count; i++) {
		jobs[i].batch = &batch;
		jobs[i].operation.done = job_done;
	}
	io_thread_call(thread, submit_batch, &run);
	while (sem_wait(&batch.all) < 0)
		continue;
	sem_destroy(&batch.all);
}

static int64_t run_one(struct io_thread *thread, struct io_operation operation)
{
	struct job job = {.operation = operation};

	run_jobs(thread, &job, 1);
	return job.operation.result;
}

static int64_t transfer(struct io_thread *thread, enum io_opcode opcode, int fd, void *buffer,
	size_t length, uint64_t offset)
{
	struct iovec iov = {buffer, length};

	return run_one(thread,
		(struct io_operation){
			.opcode = opcode, .fd = fd, .offset = offset, .iov = &iov, .iov_count = 1});
}

static int new_file(void)
{
	char path[] = "/tmp/hull-test-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static void results_of_transfers(void **state)
{
	struct io_thread *thread = thread_of(state);
	char out[3000], in[5000];
	int fd = new_file();

	memset(out, 'x', sizeof(out));
	assert_int_equal(transfer(thread, IO_WRITEV, fd, out, 3000, 1000), 3000);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 1000, 0), 1000);
	assert_int_equal(in[999], 0);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 5000, 0), 4000);
	assert_memory_equal(in + 1000, out, 3000);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 5000, 3999), 1);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 5000, 4000), 0);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 5000, UINT64_C(1) << 50), 0);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 1, UINT64_C(1) << 63), -EINVAL);
	assert_int_equal(transfer(thread, IO_READV, -1, in, 1, 0), -EBADF);
	assert_int_equal(transfer(thread, IO_READV, fd, NULL, 1, 0), -EFAULT);
	assert_int_equal(transfer(thread, IO_READV, fd, in, 0, 0), 0);
	assert_int_equal(run_one(thread, (struct io_operation){.opcode = IO_WRITEV, .fd = fd}), 0);
	assert_int_equal(
		run_one(thread, (struct io_operation){.opcode = IO_FDATASYNC, .fd = fd}), 0);
	assert_int_equal(
		run_one(thread, (struct io_operation){.opcode = IO_FDATASYNC, .fd = -1}), -EBADF);
	close(fd);
	fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_int_equal(transfer(thread, IO_WRITEV, fd, out, 10, 0), -ENOSPC);
	close(fd);
}

/* A file may not grow beyond 8 KiB: the first part of the write fits, the error wins. */
static void an_error_in_the_middle_wins(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct rlimit before, limit;
	char buffer[16384] = {0};
	int fd = new_file();

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){8192, before.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(transfer(thread, IO_WRITEV, fd, buffer, sizeof(buffer), 0), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	close(fd);
}

static void fallocate_operations(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct io_operation punch = {.opcode = IO_FALLOCATE,
		.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		.length = 4096};
	char buffer[8192];
	int fds[2];

	punch.fd = memfd_create("hull-test", MFD_CLOEXEC);
	memset(buffer, 'x', sizeof(buffer));
	assert_int_equal(transfer(thread, IO_WRITEV, punch.fd, buffer, sizeof(buffer), 0), 8192);
	assert_int_equal(run_one(thread, punch), 0);
	assert_int_equal(transfer(thread, IO_READV, punch.fd, buffer, sizeof(buffer), 0), 8192);
	assert_int_equal(buffer[4095], 0);
	assert_int_equal(buffer[4096], 'x');
	/* memfds know no such thing. */
	punch.flags = FALLOC_FL_ZERO_RANGE;
	assert_int_equal(run_one(thread, punch), -EOPNOTSUPP);
	close(punch.fd);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	punch.fd = fds[1];
	assert_int_equal(run_one(thread, punch), -ESPIPE);
	close(fds[0]);
	close(fds[1]);
}

/* More entries than one system call takes, among them empty ones, in front and at the end too. */
static void long_vectors(void **state)
{
	enum { COUNT = 5000 };
	struct io_thread *thread = thread_of(state);
	struct io_operation operation = {.fd = new_file(), .iov_count = COUNT};
	struct iovec *iov = calloc(COUNT, sizeof(*iov));
	unsigned char *out = malloc(COUNT * 3), *in = malloc(COUNT * 3);
	int64_t total = 0;

	for (int round = 0; round < 2; round++) {
		total = 0;
		for (unsigned int i = 0; i < COUNT; i++) {
			iov[i].iov_base = (round == 0 ? out : in) + total;
			iov[i].iov_len = (i < 1500 || i > 4990) ? 0 : i % 4;
			for (size_t j = 0; round == 0 && j < iov[i].iov_len; j++)
				out[total + (int64_t)j] = (unsigned char)i;
			total += (int64_t)iov[i].iov_len;
		}
		operation.opcode = round == 0 ? IO_WRITEV : IO_READV;
		operation.iov = iov;
		assert_int_equal(run_one(thread, operation), total);
	}
	assert_memory_equal(in, out, (size_t)total);
	close(operation.fd);
	free(iov);
	free(out);
	free(in);
}

static void direct_reads_at_an_odd_end(void **state)
{
	struct io_thread *thread = thread_of(state);
	char path[64];
	void *buffer = NULL;
	int fd = new_file(), direct;

	assert_int_equal(ftruncate(fd, 5000), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (direct < 0) {
		close(fd);
		skip(); /* tmpfs */
	}
	assert_int_equal(posix_memalign(&buffer, 4096, 16384), 0);
	assert_int_equal(transfer(thread, IO_READV, direct, buffer, 16384, 0), 5000);
	assert_int_equal(transfer(thread, IO_READV, direct, buffer, 4096, 4096), 904);
	assert_int_equal(transfer(thread, IO_READV, direct, buffer, 4096, 8192), 0);
	free(buffer);
	close(direct);
	close(fd);
}

struct stream_writer {
	int fd;
	const char *data;
	size_t length, step;
};

static void *write_in_steps(void *argument)
{
	struct stream_writer *writer = argument;

	for (size_t at = 0; at < writer->length; at += writer->step)
		if (write(writer->fd, writer->data + at, writer->step) != (ssize_t)writer->step)
			break;
	close(writer->fd);
	return NULL;
}

/* Each system call moves a little only, in both directions. */
static void short_transfers(void **state)
{
	enum { LENGTH = 300000 };
	struct io_thread *thread = thread_of(state);
	char *data = malloc(LENGTH), *read_back = malloc(LENGTH + 10);
	pthread_t helper;
	int fds[2];

	for (size_t i = 0; i < LENGTH; i++)
		data[i] = (char)(i * 7 / 3);
	for (unsigned int kind = 0; kind < 2; kind++) {
		struct stream_writer writer = {.data = data, .length = LENGTH, .step = 1000};
		struct iovec iov[3] = {
			{read_back, 1}, {read_back + 1, 150000}, {read_back + 150001, 150009}};
		struct io_operation read_all = {
			.opcode = IO_READV, .offset = IO_OFFSET_STREAM, .iov = iov, .iov_count = 3};

		if (kind == 0)
			assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		else
			assert_int_equal(
				socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		writer.fd = fds[1];
		read_all.fd = fds[0];
		memset(read_back, 0, LENGTH);
		assert_int_equal(pthread_create(&helper, NULL, write_in_steps, &writer), 0);
		assert_int_equal(run_one(thread, read_all), LENGTH); /* then end of file */
		assert_memory_equal(read_back, data, LENGTH);
		pthread_join(helper, NULL);
		close(fds[0]);
	}
	free(data);
	free(read_back);
}

static void *read_in_steps(void *argument)
{
	struct stream_writer *reader = argument;
	char buffer[777];
	ssize_t count;

	while (reader->length > 0 && (count = read(reader->fd, buffer, sizeof(buffer))) > 0) {
		if (memcmp(buffer, reader->data, (size_t)count) != 0)
			break;
		reader->data += count;
		reader->length -= (size_t)count;
	}
	return NULL;
}

static void short_writes(void **state)
{
	enum { LENGTH = 300000 };
	struct io_thread *thread = thread_of(state);
	char *data = malloc(LENGTH);
	struct stream_writer reader = {.length = LENGTH};
	pthread_t helper;
	int fds[2];

	for (size_t i = 0; i < LENGTH; i++)
		data[i] = (char)(i * 7 / 3);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	reader.fd = fds[0];
	reader.data = data;
	assert_int_equal(pthread_create(&helper, NULL, read_in_steps, &reader), 0);
	assert_int_equal(
		transfer(thread, IO_WRITEV, fds[1], data, LENGTH, IO_OFFSET_STREAM), LENGTH);
	pthread_join(helper, NULL);
	assert_int_equal(reader.length, 0);
	close(fds[0]);
	close(fds[1]);
	free(data);
}

static void many_in_flight(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct job *jobs = calloc(OPERATIONS_MAX, sizeof(*jobs));
	struct iovec iov[OPERATIONS_MAX];
	uint32_t value[OPERATIONS_MAX], back[OPERATIONS_MAX];
	int fd = new_file();

	for (unsigned int round = 0; round < 20; round++) {
		bool is_read = round % 2;

		memset(jobs, 0, OPERATIONS_MAX * sizeof(*jobs));
		for (uint32_t i = 0; i < OPERATIONS_MAX; i++) {
			value[i] = is_read ? value[i] : i * 0x01010101u + round;
			iov[i] = (struct iovec){is_read ? &back[i] : &value[i], 4};
			jobs[i].operation = (struct io_operation){
				.opcode = is_read ? IO_READV : IO_WRITEV,
				.fd = fd,
				.offset = i * 4096ull,
				.iov = &iov[i],
				.iov_count = 1,
			};
		}
		run_jobs(thread, jobs, OPERATIONS_MAX);
		for (uint32_t i = 0; i < OPERATIONS_MAX; i++)
			assert_int_equal(jobs[i].operation.result, 4);
		if (is_read)
			assert_memory_equal(value, back, sizeof(value));
	}
	close(fd);
	free(jobs);
}

static void admission(void **state)
{
	struct io_thread *thread = thread_of(state);
	struct fixture *fixture = *state;
	struct err err = {0};

	if (fixture->engine == IO_ENGINE_URING) {
		assert_int_equal(io_thread_admit(thread, 1000000, &err), -ENOSPC);
		assert_non_null(strstr(err.text, "io-test"));
	}
	assert_int_equal(io_thread_admit(thread, UINT32_MAX, &err), -ENOSPC);
	assert_int_equal(io_thread_admit(thread, 10000, &err), 0);
	many_in_flight(state);
}

/* --- Calls and posts. --- */

#define CALLERS 4
#define CALLS   500

struct callers {
	struct io_thread *thread;
	uint32_t next[CALLERS]; /* [io] */
	uint32_t sum;           /* [io] */
};

struct caller {
	struct callers *all;
	uint32_t index;
};

struct numbered {
	struct caller *caller;
	uint32_t number;
};

static void numbered_call(void *context)
{
	struct numbered *numbered = context;
	struct callers *all = numbered->caller->all;

	if (!io_thread_is_current(all->thread) ||
		all->next[numbered->caller->index]++ != numbered->number)
		abort();
	all->sum++;
}

static void *post_and_call(void *argument)
{
	struct caller *caller = argument;
	struct numbered *numbered = calloc(CALLS, sizeof(*numbered));

	for (uint32_t i = 0; i < CALLS; i++) {
		numbered[i] = (struct numbered){caller, i};
		/* Posts and calls keep their order; a full box makes a call of a post. */
		if (i % 8 == 7 ||
			io_thread_post(caller->all->thread, numbered_call, &numbered[i]) < 0)
			io_thread_call(caller->all->thread, numbered_call, &numbered[i]);
	}
	io_thread_call(caller->all->thread, numbered_call, &(struct numbered){caller, CALLS});
	free(numbered);
	return NULL;
}

static void calls_from_many_threads(void **state)
{
	struct callers all = {.thread = thread_of(state)};
	struct caller callers[CALLERS];
	pthread_t threads[CALLERS];

	for (uint32_t i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){&all, i};
		assert_int_equal(pthread_create(&threads[i], NULL, post_and_call, &callers[i]), 0);
	}
	for (uint32_t i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(all.sum, CALLERS * (CALLS + 1));
	assert_false(io_thread_is_current(all.thread));
}

static void count(void *context)
{
	(*(unsigned int *)context)++;
}

struct fill {
	struct io_thread *thread;
	unsigned int ran, posted;
	int result;
};

/* On the I/O thread itself, so that nothing is taken out meanwhile. */
static void fill_up(void *context)
{
	struct fill *fill = context;

	io_thread_call(fill->thread, count, &fill->ran); /* at once */
	if (fill->ran != 1)
		abort();
	while ((fill->result = io_thread_post(fill->thread, count, &fill->ran)) == 0)
		fill->posted++;
}

/* What was posted runs, even right before the end. */
static void posts_are_bounded_and_not_lost(void **state)
{
	struct fill fill = {.thread = thread_of(state)};
	struct fixture *fixture = *state;

	io_thread_call(fill.thread, fill_up, &fill);
	assert_int_equal(fill.result, -EAGAIN);
	assert_true(fill.posted >= 128 && fill.posted <= 512);
	io_thread_destroy(fill.thread);
	fixture->thread = NULL;
	assert_int_equal(fill.ran, fill.posted + 1);
}

static void threads_come_and_go(void **state)
{
	struct fixture *fixture = *state;
	struct io_thread_options options = {
		.name = "another one which is long", .engine = fixture->engine};
	struct io_thread *threads[3];

	(void)thread_of(state);
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(io_thread_create(&options, &threads[i], NULL), 0);
		for (unsigned int i = 0; i < 3; i++)
			io_thread_destroy(threads[i]);
	}
	io_thread_destroy(NULL);
}

/* --- Where io_uring is forbidden. --- */

static void deny(uint32_t call, uint32_t error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {array_size(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

/* In a child: what does not hold is the status. */
static int run_forbidden(uint32_t call, uint32_t error, const char *expected)
{
	struct io_thread_options options = {.name = "io"};
	struct io_thread *thread;
	struct err err = {0};
	char byte = 'x';
	int fd = new_file();

	deny(call, error);
	if (io_thread_create(&options, &thread, &err) < 0)
		return 1;
	if (strncmp(io_thread_engine(thread), expected, strlen(expected)) != 0) {
		print_message("%s\n", io_thread_engine(thread));
		return 2;
	}
	if (io_thread_admit(thread, 1, NULL) < 0 ||
		transfer(thread, IO_WRITEV, fd, &byte, 1, 0) != 1)
		return 3;
	io_thread_destroy(thread);
	options.engine = IO_ENGINE_URING;
	if (strncmp(expected, "threads", 7) != 0)
		return 0;
	if (io_thread_create(&options, &thread, &err) == 0 || !strstr(err.text, "io_uring"))
		return 4;
	return 0;
}

static void forbidden(void **state)
{
	static const struct {
		uint32_t call, error;
		const char *engine;
	} cases[] = {
		{SYS_io_uring_setup, EPERM, "threads: io_uring_setup: "},
		{SYS_io_uring_setup, ENOSYS, "threads: io_uring_setup: "},
		{SYS_io_uring_setup, EACCES, "threads: io_uring_setup: "},
		{SYS_io_uring_setup, ENOMEM, "threads: io_uring_setup: "},
		{SYS_io_uring_enter, EPERM, "threads: "}, {SYS_io_uring_enter, ENOSYS, "threads: "},
		{SYS_io_uring_register, EPERM, "io_uring"}, /* less strict, no worse */
	};
	struct io_thread_options options = {.name = "io", .engine = IO_ENGINE_URING};
	struct io_thread *thread;

	(void)state;
	if (io_thread_create(&options, &thread, NULL) < 0)
		skip();
	io_thread_destroy(thread);
	for (size_t i = 0; i < array_size(cases); i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(run_forbidden(cases[i].call, cases[i].error, cases[i].engine));
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip();
		if (status != 0)
			print_message("case %zu\n", i);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_of_transfers),
		cmocka_unit_test(an_error_in_the_middle_wins),
		cmocka_unit_test(fallocate_operations),
		cmocka_unit_test(long_vectors),
		cmocka_unit_test(direct_reads_at_an_odd_end),
		cmocka_unit_test(short_transfers),
		cmocka_unit_test(short_writes),
		cmocka_unit_test(many_in_flight),
		cmocka_unit_test(admission),
		cmocka_unit_test(calls_from_many_threads),
		cmocka_unit_test(posts_are_bounded_and_not_lost),
		cmocka_unit_test(threads_come_and_go),
	};
	static const struct CMUnitTest once[] = {
		cmocka_unit_test(forbidden),
	};
	int failed = cmocka_run_group_tests_name("where io_uring is forbidden", once, NULL, NULL);

	return failed + run_on_all_engines(tests, array_size(tests));
}
