/* See disk_request.h. */
#include "disk_request.h"

#include <string.h>

void disk_list_append(struct disk_request_list *list, struct disk_request *request)
{
	request->next = NULL;
	if (list->last)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

struct disk_request *disk_list_take(struct disk_request_list *list)
{
	struct disk_request *request = list->first;

	if (!request)
		return NULL;
	list->first = request->next;
	if (!list->first)
		list->last = NULL;
	request->next = NULL;
	return request;
}

/* The entries that hold the next piece_bytes end exactly there: the rest of the last is put aside.
 */
static void cut_piece(struct disk_request *request)
{
	struct disk_work *work = &request->work;
	uint64_t covered = 0;
	unsigned int count = 0;

	work->cut = (struct iovec){0};
	while (covered < work->piece_bytes && count < request->iov_count)
		covered += request->iov[count++].iov_len;
	if (covered > work->piece_bytes) {
		struct iovec *last = &request->iov[count - 1];
		size_t rest = (size_t)(covered - work->piece_bytes);

		last->iov_len -= rest;
		work->cut = (struct iovec){(char *)last->iov_base + last->iov_len, rest};
	}
	work->cut_count = count;
}

void disk_uncut_piece(struct disk_request *request)
{
	struct disk_work *work = &request->work;

	request->iov += work->cut_count;
	request->iov_count -= work->cut_count;
	if (work->cut.iov_len) {
		request->iov--;
		request->iov_count++;
		*request->iov = work->cut;
	}
}

void disk_submit_piece(struct disk_request *request, enum io_opcode opcode, int fd, int flags,
	void (*done)(struct io_operation *operation))
{
	struct disk_work *work = &request->work;

	cut_piece(request);
	work->io = (struct io_operation){
		.opcode = opcode,
		.fd = fd,
		.offset = work->position,
		.flags = flags,
		.iov = request->iov,
		.iov_count = work->cut_count,
		.done = done,
	};
	io_submit(request->disk->io_thread, &work->io);
}

void disk_submit_buffer(struct disk_request *request, enum io_opcode opcode, int fd, int flags,
	uint64_t offset, struct iovec buffer, void (*done)(struct io_operation *operation))
{
	struct disk_work *work = &request->work;

	work->buffer = buffer;
	work->io = (struct io_operation){
		.opcode = opcode,
		.fd = fd,
		.offset = offset,
		.flags = flags,
		.iov = &work->buffer,
		.iov_count = 1,
		.done = done,
	};
	io_submit(request->disk->io_thread, &work->io);
}

/* The next bytes of the request's buffers that lie in one piece, at most length; consumed. */
static struct iovec take_front(struct disk_request *request, uint64_t length)
{
	struct iovec front;

	while (!request->iov->iov_len) {
		request->iov++;
		request->iov_count--;
	}
	front = *request->iov;
	if (front.iov_len > length)
		front.iov_len = (size_t)length;
	request->iov->iov_base = (char *)request->iov->iov_base + front.iov_len;
	request->iov->iov_len -= front.iov_len;
	return front;
}

/* SAFETY: the iovecs are checked spans of guest RAM; the guest may change bytes while they are
 * copied, which is its own loss: nothing is decided by them. */
void disk_copy_from_request(struct disk_request *request, void *bytes, uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		struct iovec front = take_front(request, length - done);

		memcpy((char *)bytes + done, front.iov_base, front.iov_len);
		done += front.iov_len;
	}
}

void disk_copy_to_request(struct disk_request *request, const void *bytes, uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		struct iovec front = take_front(request, length - done);

		memcpy(front.iov_base, (const char *)bytes + done, front.iov_len);
		done += front.iov_len;
	}
}

void disk_zero_request(struct disk_request *request, uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		struct iovec front = take_front(request, length - done);

		memset(front.iov_base, 0, front.iov_len);
		done += front.iov_len;
	}
}
