/* See pcap.h. */
#include "pcap.h"

#include "clock.h"
#include "fd.h"
#include "net_iov.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES      ((size_t)512 << 10)
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define SNAP_BYTES        262144
#define LINKTYPE_ETHERNET 1

/* In the byte order of the writer, which the magic number tells. */
struct file_header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	uint32_t reserved[2];
	uint32_t snap_bytes;
	uint32_t link_type;
};

struct record_header {
	uint32_t seconds, nanoseconds;
	uint32_t captured_bytes, original_bytes;
};

struct pcap {
	int fd;
	struct io_thread *io_thread; /* [const] from attach */
	void (*failed)(void *owner, int code);
	void *owner;
	/* [io] */
	uint64_t position; /* in the file, of the next write */
	struct io_operation write;
	struct iovec write_iov;
	_Atomic uint64_t missed; /* [atomic] */

	pthread_mutex_t lock;
	pthread_cond_t stopped;
	/* [lock] */
	uint8_t *buffers[2]; /* the one that is not being filled: [io] */
	unsigned int filling;
	size_t fill_bytes;
	bool is_writing;
	bool is_asked; /* a message is on its way to the I/O thread */
	bool has_ended;
	bool is_stopping, has_stopped;
};

static void write_done(struct io_operation *operation);

/* I/O thread, with the lock held. */
static void write_on(struct pcap *pcap)
{
	if (pcap->is_writing)
		return;
	if (!pcap->fill_bytes || pcap->has_ended) {
		if (pcap->is_stopping) {
			pcap->has_stopped = true;
			(void)pthread_cond_signal(&pcap->stopped);
		}
		return;
	}
	pcap->write_iov = (struct iovec){pcap->buffers[pcap->filling], pcap->fill_bytes};
	pcap->write = (struct io_operation){
		.opcode = IO_WRITEV,
		.fd = pcap->fd,
		.offset = pcap->position,
		.iov = &pcap->write_iov,
		.iov_count = 1,
		.done = write_done,
	};
	pcap->position += pcap->fill_bytes;
	pcap->filling ^= 1;
	pcap->fill_bytes = 0;
	pcap->is_writing = true;
	io_submit(pcap->io_thread, &pcap->write);
}

static void write_done(struct io_operation *operation)
{
	struct pcap *pcap = container_of(operation, struct pcap, write);
	bool has_failed;

	(void)pthread_mutex_lock(&pcap->lock);
	pcap->is_writing = false;
	has_failed = operation->result < 0 && !pcap->has_ended;
	pcap->has_ended |= has_failed;
	(void)pthread_mutex_unlock(&pcap->lock);
	if (has_failed)
		pcap->failed(pcap->owner, (int)operation->result);
	(void)pthread_mutex_lock(&pcap->lock);
	write_on(pcap);
	(void)pthread_mutex_unlock(&pcap->lock);
}

static void write_asked(void *context)
{
	struct pcap *pcap = context;

	(void)pthread_mutex_lock(&pcap->lock);
	pcap->is_asked = false;
	write_on(pcap);
	(void)pthread_mutex_unlock(&pcap->lock);
}

/* With the lock held. Where no message can be sent now, the next frame or the end does it. */
static void ask_for_write(struct pcap *pcap)
{
	if (io_thread_is_current(pcap->io_thread))
		write_on(pcap);
	else if (!pcap->is_writing && !pcap->is_asked)
		pcap->is_asked = io_thread_post(pcap->io_thread, write_asked, pcap) == 0;
}

/* With the lock held. */
static void add_record(struct pcap *pcap, const struct iovec *iov, unsigned int iov_count,
	size_t offset, size_t length)
{
	uint64_t now_ns = clock_ns(CLOCK_REALTIME);
	struct record_header header = {
		.seconds = (uint32_t)(now_ns / NANOSECONDS_PER_SECOND),
		.nanoseconds = (uint32_t)(now_ns % NANOSECONDS_PER_SECOND),
		.captured_bytes = (uint32_t)length,
		.original_bytes = (uint32_t)length,
	};
	uint8_t *target;

	if (pcap->has_ended)
		return;
	if (length > SNAP_BYTES || sizeof(header) + length > BUFFER_BYTES - pcap->fill_bytes) {
		atomic_fetch_add_explicit(&pcap->missed, 1, memory_order_relaxed);
		return;
	}
	target = pcap->buffers[pcap->filling] + pcap->fill_bytes;
	memcpy(target, &header, sizeof(header));
	(void)net_iov_read(iov, iov_count, offset, target + sizeof(header), length);
	pcap->fill_bytes += sizeof(header) + length;
	ask_for_write(pcap);
}

void pcap_add(struct pcap *pcap, const struct iovec *iov, unsigned int iov_count, size_t offset,
	size_t length)
{
	(void)pthread_mutex_lock(&pcap->lock);
	add_record(pcap, iov, iov_count, offset, length);
	(void)pthread_mutex_unlock(&pcap->lock);
}

uint64_t pcap_missed(const struct pcap *pcap)
{
	return atomic_load_explicit(&pcap->missed, memory_order_relaxed);
}

static int open_file(const char *path, struct err *err)
{
	static const struct file_header header = {
		.magic = MAGIC_NANOSECONDS,
		.version_major = 2,
		.version_minor = 4,
		.snap_bytes = SNAP_BYTES,
		.link_type = LINKTYPE_ETHERNET,
	};
	/* Opening a FIFO would wait; a capture is for its owner's eyes. */
	cleanup_fd int fd = open(
		path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, (mode_t)0600);
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) != 0)
		return err_set_errno(err, errno, "capture '%s': it cannot be written", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, EINVAL, "capture '%s': it is not a regular file", path);
	if (ftruncate(fd, 0) != 0)
		return err_set_errno(err, errno, "capture '%s': it cannot be emptied", path);
	r = fd_write(fd, &header, sizeof(header));
	if (r < 0)
		return err_set_errno(err, r, "capture '%s': it cannot be written", path);
	return take_fd(&fd);
}

int pcap_open(const char *path, struct pcap **ret_pcap, struct err *err)
{
	struct pcap *pcap = calloc(1, sizeof(*pcap));
	int r = 0;

	if (!pcap)
		return err_set(err, ENOMEM, "capture '%s': out of memory", path);
	pcap->fd = -1;
	(void)pthread_mutex_init(&pcap->lock, NULL);
	(void)pthread_cond_init(&pcap->stopped, NULL);
	for (unsigned int i = 0; i < array_size(pcap->buffers); i++) {
		pcap->buffers[i] = malloc(BUFFER_BYTES);
		if (!pcap->buffers[i])
			r = err_set(err, ENOMEM, "capture '%s': out of memory", path);
	}
	if (r == 0) {
		r = open_file(path, err);
		pcap->fd = r;
	}
	if (r < 0) {
		pcap_close(pcap);
		return r;
	}
	pcap->position = sizeof(struct file_header);
	*ret_pcap = pcap;
	return 0;
}

int pcap_attach(struct pcap *pcap, struct io_thread *io_thread,
	void (*failed)(void *owner, int code), void *owner, struct err *err)
{
	pcap->io_thread = io_thread;
	pcap->failed = failed;
	pcap->owner = owner;
	return io_thread_admit(io_thread, 1, err);
}

static void stop_on_io(void *context)
{
	struct pcap *pcap = context;

	(void)pthread_mutex_lock(&pcap->lock);
	pcap->is_stopping = true;
	write_on(pcap);
	(void)pthread_mutex_unlock(&pcap->lock);
}

void pcap_detach(struct pcap *pcap)
{
	io_thread_call(pcap->io_thread, stop_on_io, pcap);
	(void)pthread_mutex_lock(&pcap->lock);
	while (!pcap->has_stopped)
		(void)pthread_cond_wait(&pcap->stopped, &pcap->lock);
	(void)pthread_mutex_unlock(&pcap->lock);
}

void pcap_close(struct pcap *pcap)
{
	if (!pcap)
		return;
	fd_close(&pcap->fd);
	free(pcap->buffers[0]);
	free(pcap->buffers[1]);
	(void)pthread_cond_destroy(&pcap->stopped);
	(void)pthread_mutex_destroy(&pcap->lock);
	free(pcap);
}
