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
	CONFIG_CONSOLE_FD,   /* inherited; of virtio ports only */
	CONFIG_CONSOLE_TAIL, /* its end is shown if something goes wrong; of commands only */
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
	bool is_root; /* of a command; nobody has named it as a disk */
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

enum config_net_kind {
	CONFIG_NET_NONE,
	CONFIG_NET_TAP,
	CONFIG_NET_SOCKET,
	CONFIG_NET_USER,
	CONFIG_NET_PASST,
};

/* Whether the host's kernel moves a tap's frames. */
enum config_net_vhost { CONFIG_NET_VHOST_OFF, CONFIG_NET_VHOST_AUTO, CONFIG_NET_VHOST_ON };

/* A port of the host's that leads into the guest. */
struct config_publish {
	bool udp;
	char address[46]; /* of the host's, IPv4 or IPv6, as text */
	uint16_t host_port, guest_port;
};

struct config_net {
	enum config_net_kind kind;
	char *path;  /* a tap's name, a socket's path; NULL: the kernel's choice of a name, or fd */
	int fd;      /* inherited; -1: none */
	bool listen; /* socket: wait for a peer */
	char *peer;  /* socket: the peer's path, which makes it a socket of datagrams; NULL: none */
	char *bridge;                /* tap: put into this bridge; NULL: none */
	enum config_net_vhost vhost; /* of a tap */
	int vhost_fd;                /* inherited, with on; -1: none */
	bool has_mac;
	uint8_t mac[6];
	unsigned int mtu;         /* 0: the backend's */
	unsigned int queue_count; /* pairs; 0: one */
	bool antispoof;           /* drop what the guest sends with another source address */
	uint64_t rx_bytes_per_second, rx_burst_bytes; /* towards the guest; 0: no limit */
	uint64_t tx_bytes_per_second, tx_burst_bytes;
	char *pcap_path; /* NULL: none */
	/* user and passt: */
	bool restrict_host; /* the host's own addresses cannot be reached */
	struct config_publish *publish;
	unsigned int publish_count;
	char *dns; /* address of a server; NULL: the host's */
};

struct config_port {
	char *name; /* NULL: the terminal */
	enum config_console kind;
	char *path; /* of file and socket; the number of fd */
};

struct config_share {
	char *host_path;
	char *guest_path; /* absolute */
	bool read_only;
	bool is_root; /* of a command: --root DIRECTORY; the last one */
};

struct config_list {
	char **list;
	unsigned int count;
};

#define CONFIG_WORDS_MAX         32768
#define CONFIG_COMMAND_BYTES_MAX (2 << 20)
#define CONFIG_COMMAND_PORTS     4 /* of virtio, which a command has for itself */
#define CONFIG_TMPFS_MAX         64
#define CONFIG_SHARES_MAX        16 /* beside the root */
#define CONFIG_SHARE_TAG_BYTES   37 /* VIRTIO 1.2 5.11.4, and a NUL */
#define CONFIG_ROOT_SERIAL       "hull-root"
#define CONFIG_SCRIPT_NAME       "/run/hull-script" /* in the guest */

#define CONFIG_PORTS_MAX        30
#define CONFIG_PORT_NAME_MAX    64
#define CONFIG_DISKS_MAX        120
#define CONFIG_DISK_QUEUES_MAX  16
#define CONFIG_NETS_MAX         32
#define CONFIG_NET_QUEUES_MAX   16
#define CONFIG_NET_PUBLISH_MAX  256
#define CONFIG_NET_MTU_MIN      68   /* VIRTIO 1.2 5.1.4.1 */
#define CONFIG_NET_MTU_MIN_IPV6 1280 /* RFC 8200 5 */
#define CONFIG_NET_MTU_MAX      65520
#define CONFIG_SERIAL_MAX       20
#define CONFIG_IO_THREADS_MAX   64
#define CONFIG_IO_POLL_MAX_US   10000
#define CONFIG_IO_POLL_AUTO     UINT_MAX

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
	struct config_net *nets;
	unsigned int net_count;
	char *ip; /* auto or ADDRESS/PREFIX[,GATEWAY]; NULL: the kernel is told none */
	bool rng; /* an entropy device */
	uint64_t rng_bytes_per_second; /* 0: no limit */
	char *vsock_path;              /* of a socket device; NULL: none */
	uint32_t vsock_cid;
	struct config_share *shares;
	unsigned int share_count;
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
	int control_fd;  /* inherited: a socket that controls the VM; -1: none */
	bool timing;     /* report the time of each phase at the end */

	/* A command in the guest, by an init of Hull's own; all of it is unused without one. */
	struct config_list command;     /* empty: none */
	bool serve;                     /* commands come later, through the socket device */
	struct config_list environment; /* NAME=VALUE */
	struct config_list tmpfs;       /* directories */
	char *root_path;                /* an image or a directory; NULL: the initial RAM disk */
	bool root_writable;             /* what is written stays */
	char *script_path;              /* a file that is the command; NULL: none */
	char *modules_path;             /* NULL: found by the kernel's name */
	char *directory;                /* NULL: / */
	char *host_name;                /* NULL: the kernel's */
	uint32_t user, group;
};

/* The defaults; the UUID is random and set by config_validate unless one was given. */
void config_init(struct config *config);
void config_fini(struct config *config);

/* The root of the command is a share; validated. */
bool config_root_is_directory(const struct config *config);

/* By what name the guest mounts a share; the command has been settled. */
void config_share_tag(
	const struct config *config, unsigned int index, char ret_tag[CONFIG_SHARE_TAG_BYTES]);

/* The guest's first process is Hull's: for a command, or to serve. */
bool config_has_init(const struct config *config);
/* There is to be a socket device. */
bool config_has_vsock(const struct config *config);
/* NICs that there are to be: --net none is none. */
unsigned int config_nic_count(const struct config *config);
/* There is to be a virtio console. */
bool config_has_ports(const struct config *config);
/* How many virtio devices the machine has. */
unsigned int config_virtio_count(const struct config *config);

/* The words of the command, which are copied. -E2BIG, -ENOMEM. */
must_check int config_command_set(
	struct config *config, unsigned int count, char *const words[], struct err *err);

/* The door: ranges, what must be there, what does not go together. -EINVAL with a sentence. */
must_check int config_validate(struct config *config, struct err *err);
