/* See config.h. */
#include "config.h"

#include "config_command.h"
#include "config_disk.h"
#include "config_net.h"
#include "config_port.h"
#include "config_share.h"
#include "config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

void config_init(struct config *config)
{
	*config = (struct config){
		.memory_bytes = UINT64_C(1) << 30,
		.memory = CONFIG_MEMORY_ANONYMOUS,
		.transparent_huge_pages = true,
		.cpu_count = 1,
		.console = CONFIG_CONSOLE_STDIO,
		.transport = CONFIG_TRANSPORT_PCI,
		.io_thread_count = 1,
		.io_engine = CONFIG_IO_ENGINE_AUTO,
		.io_poll_us = CONFIG_IO_POLL_AUTO,
		.control_fd = -1,
		.vsock_cid = 3,
		.grace_ns = UINT64_C(5000000000),
		.on_reboot = CONFIG_ON_REBOOT_EXIT,
		.on_panic = CONFIG_ON_PANIC_EXIT,
	};
}

void config_fini(struct config *config)
{
	free(config->kernel_path);
	free(config->initrd_path);
	free(config->append);
	free(config->cpu_features);
	free(config->console_path);
	free(config->name);
	for (unsigned int i = 0; i < config->disk_count; i++)
		config_disk_fini(&config->disks[i]);
	free(config->disks);
	config_nets_fini(config);
	free(config->ip);
	free(config->vsock_path);
	config_ports_fini(config);
	config_shares_fini(config);
	config_command_fini(config);
	*config = (struct config){0};
}

/* A version 4 UUID (RFC 4122 4.4) from the kernel's generator: no file is opened for it. */
static int create_uuid(uint8_t uuid[16], struct err *err)
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set_errno(err, errno, "no random UUID");
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	memcpy(uuid, bytes, sizeof(bytes));
	return 0;
}

static int validate_memory(const struct config *config, struct err *err)
{
	if (config->memory_bytes < CONFIG_MEMORY_MIN_BYTES ||
		config->memory_bytes > CONFIG_MEMORY_MAX_BYTES)
		return err_set(err, EINVAL, "memory of %" PRIu64 " bytes is not within 1M to 16T",
			config->memory_bytes);
	if (config->memory_bytes % config_page_bytes())
		return err_set(err, EINVAL,
			"memory of %" PRIu64 " bytes is not a multiple of %" PRIu64
			"K, the size of this host's pages",
			config->memory_bytes, config_page_bytes() >> 10);
	if (config->memory == CONFIG_MEMORY_HUGEPAGES && config->memory_bytes % HUGE_PAGE_BYTES)
		return err_set(err, EINVAL,
			"with huge pages the memory must be a multiple of 2M, but %" PRIu64
			"K is not",
			config->memory_bytes >> 10);
	return 0;
}

/* The terminal of Hull's own can belong to one of them only. */
static int validate_stdio(const struct config *config, struct err *err)
{
	unsigned int users = config->console == CONFIG_CONSOLE_STDIO || config->command.count;

	users += config->has_hvc && config->hvc.kind == CONFIG_CONSOLE_STDIO;
	for (unsigned int i = 0; i < config->port_count; i++)
		users += config->ports[i].kind == CONFIG_CONSOLE_STDIO;
	if (users > 1)
		return err_set(err, EINVAL,
			"standard input and output can belong to one console or port only: give "
			"--console null, or another place");
	return 0;
}

unsigned int config_nic_count(const struct config *config)
{
	return config->net_count && config->nets[0].kind != CONFIG_NET_NONE ? config->net_count : 0;
}

bool config_has_init(const struct config *config)
{
	return config->serve || config->command.count;
}

bool config_has_vsock(const struct config *config)
{
	return config->serve || config->vsock_path;
}

bool config_has_ports(const struct config *config)
{
	return config->has_hvc || config->port_count || config_has_init(config);
}

unsigned int config_virtio_count(const struct config *config)
{
	return config->disk_count + config_nic_count(config) + config->rng +
	       config_has_vsock(config) + config->share_count + config_has_ports(config);
}

int config_validate(struct config *config, struct err *err)
{
	static const uint8_t nil[16];
	int r;

	if (!config->kernel_path)
		return err_set(err, EINVAL, "no kernel given: name one with --kernel FILE");
	r = validate_memory(config, err);
	if (r < 0)
		return r;
	if (config->cpu_count < 1 || config->cpu_count > CONFIG_CPUS_MAX)
		return err_set(err, EINVAL, "%u CPUs are not within 1 to %d", config->cpu_count,
			CONFIG_CPUS_MAX);
	if (config->timeout_ns > CONFIG_TIME_MAX_NS || config->grace_ns > CONFIG_TIME_MAX_NS)
		return err_set(err, EINVAL, "a time is longer than ten years");
	if ((config->console == CONFIG_CONSOLE_FILE || config->console == CONFIG_CONSOLE_SOCKET) !=
		!!config->console_path)
		return err_set(err, EINVAL,
			"a console of kind file or socket, and no other, needs a path");
	r = config_command_validate(config, err);
	if (r == 0)
		r = validate_stdio(config, err);
	if (r == 0)
		r = config_shares_validate(config, err);
	if (r == 0)
		r = config_nets_validate(config, err);
	if (r < 0)
		return r;
	if (memcmp(config->uuid, nil, sizeof(nil)) == 0)
		return create_uuid(config->uuid, err);
	return 0;
}
