/*
 * See guest_cases.h. Statuses are written as numbers on purpose: they are a promise to users, and
 * a test that took them from the program's own header would follow it astray.
 */
#include "guest_cases.h"

#include <signal.h>

#define UUID "01234567-89ab-4def-8123-456789abcdef"

/* The ends that need only a line. */
#define END_CASE(way, expected)                                            \
	{                                                                  \
		.group = "ends", .name = way, .options = {"--debug-exit"}, \
		.words = "probe.only=none end=" way, .status = expected    \
	}

#define VALUE_CASE(value, expected)                                                        \
	{                                                                                  \
		.group = "ends", .name = "debug-exit " value, .options = {"--debug-exit"}, \
		.words = "probe.only=none exit-value=" value, .status = expected           \
	}

#define TIMEOUT_CASE(way)                                                                          \
	{                                                                                          \
		.group = "ends", .name = way " times out", .options = {"--timeout=1s", "-c", "2"}, \
		.words = "probe.only=none end=" way, .status = 124,                                \
		.lines = {"probe: 0 passed, 0 failed"}, .message = "--timeout"                     \
	}

#define MEMORY_CASE(size, mib)                                                           \
	{                                                                                \
		.group = "machine", .name = "memory " size,                              \
		.options = {"--debug-exit", "-m", size}, .status = 33, .all_pass = true, \
		.memory_mib = mib                                                        \
	}

#define CPUS_CASE(count)                                                                  \
	{                                                                                 \
		.group = "machine", .name = "cpus " count,                                \
		.options = {"--debug-exit", "-c", count}, .status = 33, .all_pass = true, \
		.lines = {                                                                \
			"probe: fact cpus " count "\n",                                   \
			"probe: fact online " count "\n",                                 \
			"probe: ipi ok " count " hops\n"                                  \
		}                                                                         \
	}

const struct guest_case guest_cases[] = {
	MEMORY_CASE("16M", 16),
	MEMORY_CASE("128M", 128),
	MEMORY_CASE("512M", 512),
	MEMORY_CASE("3G", 3072),
	MEMORY_CASE("3076M", 3076),
	MEMORY_CASE("5G", 5120),
	CPUS_CASE("1"),
	CPUS_CASE("2"),
	CPUS_CASE("4"),
	CPUS_CASE("8"),
	{
		.group = "machine",
		.name = "xAPIC mode",
		.options = {"--debug-exit", "-c", "2"},
		.words = "xapic",
		.status = 33,
		.all_pass = true,
	},
	{
		.group = "machine",
		.name = "multiboot entry",
		.guest = "probe-multiboot",
		.options = {"--debug-exit"},
		.status = 33,
		.all_pass = true,
		.lines = {"probe: fact entry multiboot\n"},
	},
	{
		.group = "machine",
		.name = "64-bit Linux entry",
		.guest = "probe-linux64",
		.options = {"--debug-exit", "-m", "5G"},
		.status = 33,
		.all_pass = true,
		.memory_mib = 5120,
		.lines = {"probe: fact entry linux64\n"},
	},
	{
		.group = "machine",
		.name = "initrd by PVH",
		.options = {"--debug-exit", "-i", "@first-byte"},
		.words = "probe.only=module",
		.status = 33,
		.lines = {"first byte 0x7f, last 0x00"},
	},
	{
		.group = "machine",
		.name = "initrd by multiboot",
		.guest = "probe-multiboot",
		.options = {"--debug-exit", "-i", "@first-byte"},
		.words = "probe.only=module",
		.status = 33,
		.lines = {"first byte 0x7f, last 0x00"},
	},
	{
		.group = "machine",
		.name = "initrd by Linux entry",
		.guest = "probe-linux64",
		.options = {"--debug-exit", "-i", "@first-byte"},
		.words = "probe.only=module",
		.status = 33,
		.lines = {"first byte 0x7f, last 0x00"},
	},
	{
		.group = "machine",
		.name = "identity",
		.options = {"--debug-exit", "--uuid", UUID, "--name", "probe-1"},
		.words = "probe.only=smbios",
		.status = 33,
		.lines = {"probe: fact uuid " UUID "\n"},
	},
	{
		.group = "machine",
		.name = "whole command line",
		.options = {"--debug-exit", "--cmdline", "probe.only=command-line a=b  c"},
		.status = 33,
		.lines = {"probe: fact command-line probe.only=command-line a=b  c\n"},
	},
	{
		.group = "machine",
		.name = "shared memory",
		.options = {"--debug-exit", "--shared-memory", "-m", "128M"},
		.status = 33,
		.all_pass = true,
		.memory_mib = 128,
	},
	{
		.group = "machine",
		.name = "a failed check",
		.options = {"--debug-exit"},
		.words = "probe.only=misspelt",
		.status = 35,
		.lines = {"probe: 0 passed, 1 failed\n"},
	},

	END_CASE("debug-exit", 33),
	END_CASE("poweroff", 0),
	END_CASE("reset-cf9", 120),
	END_CASE("reset-kbd", 120),
	END_CASE("reset-acpi", 120),
	END_CASE("triple-fault", 122),
	END_CASE("pvpanic", 121),
	END_CASE("panic-flag", 121),
	END_CASE("bad-instruction", 123),
	VALUE_CASE("0x00", 1),
	VALUE_CASE("0x3f", 127),
	VALUE_CASE("0x7f", 255),
	VALUE_CASE("0x80", 1),
	TIMEOUT_CASE("halt"),
	TIMEOUT_CASE("spin"),
	TIMEOUT_CASE("hang-uart"),
	TIMEOUT_CASE("crash-loaded"),
	{
		.group = "ends",
		.name = "debug-exit without the device",
		.words = "probe.only=none",
		.status = 122,
		.lines = {"probe: nothing at the debug-exit port"},
	},
	{
		.group = "ends",
		.name = "power-off with 4 vCPUs up",
		.options = {"-c", "4"},
		.words = "probe.only=smp,ipi end=poweroff",
		.status = 0,
		.lines = {"probe: 2 passed, 0 failed\n"},
	},
	{
		.group = "ends",
		.name = "reset with 4 vCPUs up",
		.options = {"-c", "4"},
		.words = "probe.only=smp,ipi end=reset-cf9",
		.status = 120,
	},
	{
		.group = "ends",
		.name = "resets again and again",
		.options = {"--on-reboot=reset", "-c", "2", "--timeout=3s"},
		.words = "probe.only=smp end=reset-kbd",
		.status = 124,
		.lines = {"probe: 1 passed, 0 failed\n", "probe: 1 passed, 0 failed\n",
			"probe: 1 passed, 0 failed\n"},
	},
	{
		.group = "ends",
		.name = "pauses on panic",
		.options = {"--on-panic=pause", "--timeout=1s"},
		.words = "probe.only=none end=pvpanic",
		.status = 124,
	},
	{
		.group = "ends",
		.name = "no console",
		.options = {"--console=null"},
		.words = "probe.only=none end=poweroff",
		.status = 0,
	},
	{
		.group = "ends",
		.name = "too little memory",
		.options = {"-m", "1M"},
		.status = 117,
		.message = "memory",
	},

	{
		.group = "console",
		.name = "echo by interrupts",
		.options = {"--debug-exit"},
		.words = "probe.only=none echo",
		.status = 33,
		.steps = {{.after = "echo until q", .send = "hello"},
			{.after = "hello", .send = " world, at more than one FIFO's length"},
			{.after = "FIFO's length", .send = "q"}},
		.lines = {"hello world, at more than one FIFO's length", "probe: echo ended"},
	},
	{
		.group = "console",
		.name = "echo by polling",
		.options = {"--debug-exit"},
		.words = "probe.only=none echo=poll",
		.status = 33,
		.steps = {{.after = "echo until q", .send = "polledq"}},
		.lines = {"polled", "probe: echo ended"},
	},
	{
		.group = "console",
		.name = "input ends, the guest goes on",
		.options = {"--debug-exit"},
		.words = "flood=2",
		.status = 33,
		.flood_kib = 2,
		.all_pass = true,
		.steps = {{.after = "boot-info", .close_input = true}},
	},
	{
		.group = "console",
		.name = "flood",
		.options = {"--debug-exit"},
		.words = "probe.only=none flood=16",
		.status = 33,
		.flood_kib = 16,
	},
	{
		.group = "console",
		.name = "flood by string instructions",
		.options = {"--debug-exit"},
		.words = "probe.only=none flood-string=16",
		.status = 33,
		.flood_kib = 16,
	},
	{
		.group = "console",
		.name = "flood against a slow reader",
		.options = {"--debug-exit"},
		.words = "probe.only=none flood=24",
		.status = 33,
		.flood_kib = 24,
		.stall_ms = 1500,
	},

	{
		.group = "signals",
		.name = "SIGTERM, the guest powers off",
		.words = "probe.only=none power-button",
		.status = 143,
		.steps = {{.after = "waiting for the power button", .signal = SIGTERM}},
		.lines = {"probe: power button, status 0x0100, ", " interrupts, then 0x0000\n"},
	},
	{
		.group = "signals",
		.name = "SIGTERM, nobody listens",
		.words = "probe.only=none end=spin",
		.status = 143,
		.steps = {{.after = "0 failed", .signal = SIGTERM}},
	},
	{
		.group = "signals",
		.name = "SIGINT, the guest halted",
		.options = {"-c", "2"},
		.words = "probe.only=none end=halt",
		.status = 130,
		.steps = {{.after = "0 failed", .signal = SIGINT}},
	},
	{
		.group = "signals",
		.name = "SIGHUP, the guest at a port",
		.words = "probe.only=none end=hang-uart",
		.status = 129,
		.steps = {{.after = "0 failed", .signal = SIGHUP}},
	},
	{
		.group = "signals",
		.name = "SIGTERM while paused after a panic",
		.options = {"--on-panic=pause"},
		.words = "probe.only=none end=pvpanic",
		.status = 121,
		.steps = {{.after = "--on-panic=pause", .signal = SIGTERM}},
	},
	{
		.group = "signals",
		.name = "the guest ignores the power button",
		.options = {"--grace=500ms"},
		.words = "probe.only=none power-button=ignore",
		.status = 143,
		.steps = {{.after = "waiting for the power button", .signal = SIGTERM}},
		.message = "--grace",
	},
	{
		.group = "signals",
		.name = "a second signal ends it at once",
		.options = {"--grace=1h"},
		.words = "probe.only=none power-button=ignore",
		.status = 143,
		.steps = {{.after = "waiting for the power button", .signal = SIGTERM},
			{.after = "asked the guest", .signal = SIGINT}},
	},
};

const size_t guest_case_count = sizeof(guest_cases) / sizeof(guest_cases[0]);
