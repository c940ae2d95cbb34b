/* See vhost.h; linux/vhost.h says what each call means and in which order they go. */
#include "vhost.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* VIRTIO 1.2 5.1.3 and 6: what changes how a ring or the header in its buffers is read. */
#define RING_FEATURES                                                    \
	(FEATURE(15) /* MRG_RXBUF */ | FEATURE(28) /* INDIRECT_DESC */ | \
		FEATURE(29) /* EVENT_IDX */ | FEATURE(32) /* VERSION_1 */)

static int control(int fd, unsigned long request, const void *argument)
{
	int r;

	do
		r = ioctl(fd, request, argument);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int cannot_open(int code, struct err *err)
{
	if (code == ENOENT || code == ENODEV || code == ENXIO)
		return err_set(err, code,
			"there is no '" VHOST_NET_PATH "': 'modprobe vhost_net' loads it; in a "
			"container it is a device to be passed");
	if (code == EACCES || code == EPERM)
		return err_set(err, code,
			"'" VHOST_NET_PATH "' may not be opened: give the user access, as in "
			"'setfacl -m u:USER:rw " VHOST_NET_PATH "'");
	return err_set_errno(err, code, "'" VHOST_NET_PATH "' cannot be opened");
}

static int own(int fd, struct err *err)
{
	uint64_t features = 0;
	int r;

	r = control(fd, VHOST_GET_FEATURES, &features);
	if (r == 0 && (features & RING_FEATURES) != RING_FEATURES)
		return err_set(err, ENOTSUP,
			"vhost-net of this kernel lacks features (0x%" PRIx64 " of 0x%" PRIx64 ")",
			features & RING_FEATURES, RING_FEATURES);
	if (r == 0)
		r = control(fd, VHOST_SET_OWNER, NULL);
	if (r < 0)
		return err_set_errno(err, r, "vhost-net refuses this process");
	return 0;
}

int vhost_net_open(struct err *err)
{
	cleanup_fd int fd = open(VHOST_NET_PATH, O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0)
		return cannot_open(errno, err);
	r = own(fd, err);
	return r < 0 ? r : take_fd(&fd);
}

int vhost_net_adopt(int fd, struct err *err)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(err, errno, "the descriptor of vhost-net is none");
	return own(fd, err);
}

static int set_memory(int fd, const struct gmem *gmem)
{
	_Alignas(struct vhost_memory)
		uint8_t bytes[sizeof(struct vhost_memory) +
			      GMEM_REGIONS_MAX * sizeof(struct vhost_memory_region)] = {0};
	struct vhost_memory *table = (void *)bytes;

	table->nregions = gmem->region_count;
	for (unsigned int i = 0; i < gmem->region_count; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = gmem->regions[i].base.address,
			.memory_size = gmem->regions[i].size_bytes,
			.userspace_addr = (uint64_t)(uintptr_t)gmem->regions[i].host,
		};
	return control(fd, VHOST_SET_MEM_TABLE, table);
}

int vhost_net_set_up(int fd, uint64_t features, const struct gmem *gmem)
{
	const uint64_t agreed = features & RING_FEATURES;
	int r = control(fd, VHOST_SET_FEATURES, &agreed);

	return r < 0 ? r : set_memory(fd, gmem);
}

static int host_address(
	const struct gmem *gmem, uint64_t address, uint32_t length, unsigned long long *ret_host)
{
	struct gmem_span span;
	int r = gmem_span(gmem, gpa_at(address), length, GMEM_WRITE, &span);

	if (r == 0)
		*ret_host = (unsigned long long)(uintptr_t)span.host;
	return r;
}

/* VIRTIO 1.2 2.7, with the event fields. */
static int set_areas(
	int fd, unsigned int queue, const struct vhost_queue *config, const struct gmem *gmem)
{
	struct vhost_vring_addr areas = {.index = queue};
	const uint32_t size = config->size;
	unsigned long long host = 0;
	int r;

	r = host_address(gmem, config->descriptor_area, 16 * size, &host);
	areas.desc_user_addr = host;
	if (r == 0)
		r = host_address(gmem, config->driver_area, 6 + 2 * size, &host);
	areas.avail_user_addr = host;
	if (r == 0)
		r = host_address(gmem, config->device_area, 6 + 8 * size, &host);
	areas.used_user_addr = host;
	return r < 0 ? r : control(fd, VHOST_SET_VRING_ADDR, &areas);
}

static int set_file(int fd, unsigned long request, unsigned int queue, int file_fd)
{
	const struct vhost_vring_file file = {.index = queue, .fd = file_fd};

	return control(fd, request, &file);
}

int vhost_net_set_queue(
	int fd, unsigned int queue, const struct vhost_queue *config, const struct gmem *gmem)
{
	const struct vhost_vring_state size = {.index = queue, .num = config->size};
	const struct vhost_vring_state beginning = {.index = queue, .num = 0};
	int r = control(fd, VHOST_SET_VRING_NUM, &size);

	if (r == 0)
		r = control(fd, VHOST_SET_VRING_BASE, &beginning);
	if (r == 0)
		r = set_areas(fd, queue, config, gmem);
	if (r == 0)
		r = set_file(fd, VHOST_SET_VRING_ERR, queue, config->error_fd);
	if (r == 0)
		r = set_file(fd, VHOST_SET_VRING_CALL, queue, config->notify_fd);
	return r < 0 ? r : set_file(fd, VHOST_SET_VRING_KICK, queue, config->doorbell_fd);
}

int vhost_net_set_notify(int fd, unsigned int queue, int notify_fd)
{
	return set_file(fd, VHOST_SET_VRING_CALL, queue, notify_fd);
}

int vhost_net_run(int fd, unsigned int queue, int tap_fd)
{
	return set_file(fd, VHOST_NET_SET_BACKEND, queue, tap_fd);
}

void vhost_net_stop(int fd, unsigned int queue)
{
	/* The kernel knows no reason to refuse. */
	(void)set_file(fd, VHOST_NET_SET_BACKEND, queue, -1);
}

int vhost_net_position(int fd, unsigned int queue, uint16_t *ret_position)
{
	struct vhost_vring_state state = {.index = queue};
	int r = control(fd, VHOST_GET_VRING_BASE, &state);

	if (r == 0)
		*ret_position = (uint16_t)state.num;
	return r;
}
