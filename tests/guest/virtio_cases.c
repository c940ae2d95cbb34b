/*
 * See guest_cases.h: the guests that drive virtio. "@disk" in an option is a file that the runner
 * makes for the case, "@disk2" another one: 64 MiB of zeros each, gone after it; "@link" is a NIC
 * that hears what it says, "@share" a directory beside one that nobody may see.
 */
#include "virtio_cases.h"

#define HOSTILE_CASE(in, way, count)                                                              \
	{                                                                                         \
		.group = in, .name = "hostile over " way " on I/O threads: " count,               \
		.guest = "hostile",                                                               \
		.options = {"--debug-exit", "--io-threads", count, "--transport", way, "-d",      \
			"@disk", "-d", "@disk2,ro", "--rng", "--hvc", "null", "--port=port=null", \
			"-n", "@link", "--vsock", "@sockets", "--share", "@share"},               \
		.words = "transport=" way, .status = 33, .lines = {                               \
			"hostile: fact device " way " 2\n",                                       \
			"hostile: fact device " way " 1\n",                                       \
			"hostile: fact device " way " 4\n",                                       \
			"hostile: fact device " way " 19\n",                                      \
			"hostile: fact device " way " 26\n",                                      \
			"hostile: fact device " way " 3\n",                                       \
			", 0 failed"                                                              \
		}                                                                                 \
	}

#define BENCH_CASE(way, what)                                                                      \
	{                                                                                          \
		.group = "virtio", .name = "disk-bench " what " over " way, .guest = "disk-bench", \
		.options = {"--debug-exit", "--transport", way, "-d", "@disk,queues=2"},           \
		.words = "count=2000 " what, .status = 33, .lines = {                              \
			"disk-bench: result ",                                                     \
			" ops=2000 ",                                                              \
			" errors=0\n"                                                              \
		}                                                                                  \
	}

/* Frames that a NIC on a link to itself hears again. */
#define LINK_CASE(way, what)                                                                     \
	{                                                                                        \
		.group = "virtio", .name = "net-bench " what " over " way, .guest = "net-bench", \
		.options = {"--debug-exit", "--transport", way, "-n", "@link"},                  \
		.words = "op=echo count=2000 " what, .status = 33, .lines = {                    \
			"net-bench: result frames=",                                             \
			" odd=0\n"                                                               \
		}                                                                                \
	}

#define WRITER_CASE(way, what)                                                  \
	{                                                                       \
		.group = "virtio", .name = "disk-writer " what " over " way,    \
		.guest = "disk-writer",                                         \
		.options = {"--debug-exit", "--transport", way, "-d", "@disk"}, \
		.words = "count=200 " what, .status = 33, .lines = {            \
			"disk-writer: start run 1 first 0 ",                    \
			"disk-writer: ack 199\n",                               \
			"disk-writer: end 200\n"                                \
		}                                                               \
	}

const struct guest_case virtio_cases[] = {
	HOSTILE_CASE("virtio", "pci", "1"),
	HOSTILE_CASE("threads", "pci", "2"),
	HOSTILE_CASE("virtio", "mmio", "1"),
	BENCH_CASE("pci", "op=randread"),
	BENCH_CASE("pci", "op=randwrite queues=2"),
	BENCH_CASE("pci", "op=randread packed"),
	BENCH_CASE("pci", "op=seqread block=131072 depth=8"),
	BENCH_CASE("mmio", "op=randread"),
	BENCH_CASE("mmio", "op=randwrite queues=2"),
	LINK_CASE("pci", "bytes=60"),
	LINK_CASE("pci", "bytes=1514 depth=1"),
	LINK_CASE("mmio", "bytes=1514"),
	WRITER_CASE("pci", "record=512"),
	WRITER_CASE("pci", "record=4096 batch=8"),
	WRITER_CASE("mmio", "record=512 batch=8"),
	WRITER_CASE("mmio-cmdline", "record=512 batch=8"),
	{
		.group = "virtio",
		.name = "devices on the command line",
		.options = {"--debug-exit", "--transport=mmio-cmdline", "-d", "@disk", "--rng"},
		.words = "probe.only=command-line,acpi-tables,dsdt",
		.status = 33,
		.all_pass = true,
		.lines = {" virtio_mmio.device=0x200@0xf0000000:5 "
			  "virtio_mmio.device=0x200@0xf0001000:6 probe.only="},
	},
	{
		.group = "virtio",
		.name = "disk-bench with a queue on each of two I/O threads that poll",
		.guest = "disk-bench",
		.options = {"--debug-exit", "--io-threads", "2", "--io-poll", "200", "-d",
			"@disk,queues=2"},
		.words = "count=4000 op=randwrite queues=2",
		.status = 33,
		.lines = {"disk-bench: result ", " ops=4000 ", " errors=0\n"},
	},
	{
		.group = "virtio",
		.name = "no disk",
		.guest = "disk-writer",
		.options = {"--debug-exit"},
		.status = 35,
		.lines = {"disk-writer: no such disk among 0 virtio devices\n"},
	},
	{
		.group = "virtio",
		.name = "a read-only disk",
		.guest = "disk-writer",
		.options = {"--debug-exit", "-d", "@disk,ro"},
		.words = "flush=no",
		.status = 35,
		.lines = {"disk-writer: error 0 status 1\n"},
	},
};

const size_t virtio_case_count = sizeof(virtio_cases) / sizeof(virtio_cases[0]);
