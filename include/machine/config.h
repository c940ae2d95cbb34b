/*
 * What a VM is to be: plain data, filled in from options, validated once, then read-only.
 *
 * No side effects: nothing is opened here. Every string is owned by the config.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum config_console {
	CONFIG_CONSOLE_STDIO,
	CONFIG_CONSOLE_PTY,
	CONFIG_CONSOLE_FILE,
	CONFIG_CONSOLE_SOCKET,
	CONFIG_CONSOLE_NULL,
	CONFIG_CONSOLE_FD, /* inherited; of virtio ports only */
};

enum config_on_reboot { CONFIG_ON_REBOOT_EXIT, CONFIG_ON_REBOOT_RESET };
enum config_on_panic { CONFIG_ON_PANIC_EXIT, CONFIG_ON_PANIC_PAUSE };
enum config_memory { CONFIG_MEMORY_ANONYMOUS, CONFIG_MEMORY_SHARED, CONFIG_MEMORY_HUGEPAGES };

enum config_cache { CONFIG_CACHE_WRITEBACK, CONFIG_CACHE_WRITETHROUGH, CONFIG_CACHE_UNSAFE };
enum config_transport {
	CONFIG_TRANSPORT_PCI,
	CONFIG_TRANSPORT_MMIO,         /* found through ACPI */
	CONFIG_TRANSPORT_MMIO_CMDLINE, /* found by words of the kernel's command line, not ACPI */
};
enum config_io_engine { CONFIG_IO_ENGINE_AUTO, CONFIG_IO_ENGINE_URING, CONFIG_IO_ENGINE_THREADS };

struct config_disk {
	char *path;
	char *serial; /* NULL: none; at most CONFIG_SERIAL_MAX characters */
	bool read_only;
	bool direct;
	bool ephemeral;
	uint64_t ephemeral_bytes; /* 0: the backend's default */
	enum config_cache cache;
	unsigned int queue_count; /* 0: as many as CPUs, at most CONFIG_DISK_QUEUES_MAX */
	uint64_t bytes_per_second, burst_bytes; /* 0: no limit */
	uint64_t operations_per_second, burst_operations;
};

struct config_port {
	char *name; /* NULL: the terminal */
	enum config_console kind;
	char *path; /* of file and socket; the number of fd */
};

#define CONFIG_PORTS_MAX       30
#define CONFIG_PORT_NAME_MAX   64
#define CONFIG_DISKS_MAX       120
#define CONFIG_DISK_QUEUES_MAX 16
#define CONFIG_SERIAL_MAX      20
#define CONFIG_IO_THREADS_MAX  64
#define CONFIG_IO_POLL_MAX_US  10000
#define CONFIG_IO_POLL_AUTO    UINT_MAX

#define CONFIG_CPUS_MAX         1024
#define CONFIG_MEMORY_MIN_BYTES (UINT64_C(1) << 20)
#define CONFIG_MEMORY_MAX_BYTES (UINT64_C(1) << 44)
#define CONFIG_TIME_MAX_NS      (UINT64_C(87600) * 3600 * 1000000000) /* ten years */
#define CONFIG_NAME_MAX         64

struct config {
	char *kernel_path;
	char *initrd_path; /* NULL: none */
	char *append;      /* the user's words for the kernel, joined by blanks; NULL: none */
	bool append_only;  /* --cmdline: Hull adds no words of its own */
	uint64_t memory_bytes;
	enum config_memory memory;
	bool prealloc;
	bool transparent_huge_pages;
	unsigned int cpu_count;
	char *cpu_features; /* "-avx512f,+vmx": features hidden and shown; NULL: none */
	enum config_console console;
	char *console_path; /* of file and socket */
	struct config_disk *disks;
	unsigned int disk_count;
	bool rng;                      /* an entropy device */
	uint64_t rng_bytes_per_second; /* 0: no limit */
	bool has_hvc;
	struct config_port hvc;    /* the virtio console's terminal */
	struct config_port *ports; /* its named ports */
	unsigned int port_count;
	enum config_transport transport;
	unsigned int io_thread_count;
	enum config_io_engine io_engine;
	unsigned int io_poll_us; /* polling before a sleep, at most; CONFIG_IO_POLL_AUTO */
	char *name;              /* NULL: none */
	uint8_t uuid[16];        /* in the order of its text form (RFC 4122); all zero: not given */
	uint64_t timeout_ns;     /* 0: none */
	uint64_t grace_ns;       /* between the polite request to power off and the end */
	enum config_on_reboot on_reboot;
	enum config_on_panic on_panic;
	bool debug_exit; /* isa-debug-exit at 0xf4 */
	bool timing;     /* report the time of each phase at the end */
};

/* The defaults; the UUID is random and set by config_validate unless one was given. */
void config_init(struct config *config);
void config_fini(struct config *config);

/* How many virtio devices the machine has. */
unsigned int config_virtio_count(const struct config *config);

/* The door: ranges, what must be there, what does not go together. -EINVAL with a sentence. */
must_check int config_validate(struct config *config, struct err *err);
