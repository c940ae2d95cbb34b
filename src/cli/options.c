/* See options.h. */
#include "options.h"

#include "suggest.h"

#include <string.h>

const char *const option_group_titles[OPTION_GROUP_COUNT] = {
	[OPTION_GROUP_BOOT] = "What to boot",
	[OPTION_GROUP_COMMAND] = "A command in the guest",
	[OPTION_GROUP_CPU] = "Processors",
	[OPTION_GROUP_MEMORY] = "Memory",
	[OPTION_GROUP_CONSOLE] = "Console and identity",
	[OPTION_GROUP_DISKS] = "Disks and other devices",
	[OPTION_GROUP_END] = "How it ends",
	[OPTION_GROUP_HULL] = "Hull itself",
};

const struct option option_table[] = {
	{
		.name = "kernel",
		.letter = 'k',
		.group = OPTION_GROUP_BOOT,
		.key = CONFIG_KEY_KERNEL,
		.commands = COMMAND_RUN,
		.value = "FILE",
		.help = "the kernel: a bzImage or an ELF file, on Arm an Image",
		.details =
			"A plain word on the command line means the same. An ELF file needs a "
			"PVH note, the 64-bit Linux entry or a multiboot header. Files packed "
			"with gzip, xz or zstd, also inside of an EFI program (zboot), are "
			"unpacked; a pipe will do as well. On aarch64 a kernel is an arm64 Image.",
	},
	{
		.name = "initrd",
		.letter = 'i',
		.group = OPTION_GROUP_BOOT,
		.key = CONFIG_KEY_INITRD,
		.commands = COMMAND_RUN,
		.value = "FILE",
		.help = "the initial RAM disk, given to the kernel as it is",
	},
	{
		.name = "append",
		.alias = "params",
		.letter = 'p',
		.group = OPTION_GROUP_BOOT,
		.key = CONFIG_KEY_APPEND,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "WORDS",
		.help = "words for the kernel command line, after Hull's",
		.details = "Given several times, the words are joined by blanks. They come after "
			   "Hull's own, so that where both set the same thing these win.",
	},
	{
		.name = "cmdline",
		.group = OPTION_GROUP_BOOT,
		.key = CONFIG_KEY_CMDLINE,
		.commands = COMMAND_RUN,
		.value = "WORDS",
		.help = "the kernel command line; Hull adds nothing",
		.details = "Replaces the words of every --append before it; an --append after it "
			   "adds to it.",
	},
	{
		.name = "root",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_ROOT,
		.commands = COMMAND_RUN,
		.value = "DIRECTORY|IMAGE[,rw]",
		.help = "the command's root: a directory, or an image of a file system [/]",
		.details =
			"An image is raw bytes, with ext2 to ext4, XFS, Btrfs, SquashFS or EROFS "
			"on them and no partitions. The root is only read; what the guest writes "
			"stays in its memory and is forgotten, unless rw is given. Without a "
			"command a shell is run. The word none, or an initial RAM disk without "
			"this option, makes that the root.",
	},
	{
		.name = "script",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_SCRIPT,
		.commands = COMMAND_RUN,
		.value = "FILE",
		.help = "a file of this machine that is the command",
		.details = "The guest runs a copy of it, with what follows -- as its arguments: a "
			   "script of the shell's, or of what its first line (#!) names, or a "
			   "program.",
	},
	{
		.name = "serve",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_SERVE,
		.commands = COMMAND_RUN,
		.help = "a guest that waits for commands and files of libhull's",
		.details =
			"The guest is the same as with a command behind --, but goes on until it "
			"is stopped. Whoever holds the control socket (--control) runs commands "
			"in it and copies files.",
	},
	{
		.name = "modules",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_MODULES,
		.commands = COMMAND_RUN,
		.value = "DIRECTORY",
		.help = "the kernel's modules, as /lib/modules/VERSION",
		.details = "By default they are looked for by the kernel's version next to the "
			   "kernel and in /lib/modules. Only what the guest's devices need is "
			   "taken.",
	},
	{
		.name = "env",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_ENV,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "NAME=VALUE",
		.help = "a variable of the command's environment",
	},
	{
		.name = "pass-env",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_PASS_ENV,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "NAME",
		.help = "a variable as it is here; if it is not set, none",
	},
	{
		.name = "cwd",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_DIRECTORY,
		.commands = COMMAND_RUN,
		.value = "DIRECTORY",
		.help = "where the command starts [/]",
	},
	{
		.name = "user",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_USER,
		.commands = COMMAND_RUN,
		.value = "UID[:GID]",
		.help = "who runs the command, in numbers [0:0]",
	},
	{
		.name = "hostname",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_HOST_NAME,
		.commands = COMMAND_RUN,
		.value = "NAME",
		.help = "the guest's name for itself",
	},
	{
		.name = "tmpfs",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_TMPFS,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "DIRECTORY",
		.help = "an empty directory in the guest's memory",
	},
	{
		.name = "share",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_SHARE,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "HOSTDIR:GUESTDIR[:ro]",
		.help = "a directory of the host's, seen by the guest",
		.details =
			"With a command it is mounted at GUESTDIR; else the guest mounts it, with "
			"type virtiofs and GUESTDIR without its first / as the source.",
	},
	{
		.name = "console-log",
		.group = OPTION_GROUP_COMMAND,
		.key = CONFIG_KEY_CONSOLE_LOG,
		.commands = COMMAND_RUN,
		.value = "FILE",
		.help = "what the kernel says, as --console file=FILE",
		.details = "With a command the end of it is shown on standard error when the guest "
			   "fails, and nothing otherwise.",
	},
	{
		.name = "cpus",
		.alias = "smp",
		.letter = 'c',
		.group = OPTION_GROUP_CPU,
		.key = CONFIG_KEY_CPUS,
		.commands = COMMAND_RUN,
		.value = "N",
		.default_value = "1",
		.help = "how many vCPUs, 1 to 1024",
	},
	{
		.name = "cpu",
		.group = OPTION_GROUP_CPU,
		.key = CONFIG_KEY_CPU,
		.commands = COMMAND_RUN,
		.value = "FEATURES",
		.help = "hide or show processor features: -NAME,+NAME",
		.details = "The guest sees the host's processor without the features named, as in "
			   "--cpu=-avx512f,-x2apic; names are those of /proc/cpuinfo. Nested "
			   "virtualisation (vmx, svm) is hidden unless it is named with a plus: "
			   "--cpu=+vmx. A feature that KVM does not offer cannot be added. On "
			   "aarch64 there are sve, pauth and pmu, and pmu is hidden unless named.",
	},
	{
		.name = "memory",
		.alias = "mem",
		.letter = 'm',
		.group = OPTION_GROUP_MEMORY,
		.key = CONFIG_KEY_MEMORY,
		.commands = COMMAND_RUN,
		.value = "SIZE",
		.default_value = "1G",
		.help = "RAM: MiB, or with K, M, G or T behind it",
		.details = "From 1M to 16T, a multiple of the host's pages, which are of 4K or, on "
			   "some Arm servers, of 16K or 64K. The host gives memory when the guest "
			   "first touches it, so a generous size costs nothing.",
	},
	{
		.name = "shared-memory",
		.group = OPTION_GROUP_MEMORY,
		.key = CONFIG_KEY_SHARED_MEMORY,
		.commands = COMMAND_RUN,
		.help = "RAM that can be shared with other processes",
		.details = "The RAM lives in a memfd. Huge pages are shareable as they are.",
	},
	{
		.name = "hugepages",
		.group = OPTION_GROUP_MEMORY,
		.key = CONFIG_KEY_HUGEPAGES,
		.commands = COMMAND_RUN,
		.help = "RAM from the host's pool of 2 MiB pages",
		.details = "The size must be a multiple of 2M, and the pool large enough: "
			   "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages.",
	},
	{
		.name = "prealloc",
		.group = OPTION_GROUP_MEMORY,
		.key = CONFIG_KEY_PREALLOC,
		.commands = COMMAND_RUN,
		.help = "take all of the RAM from the host at the start",
		.details = "The start takes longer; nothing can be missing later.",
	},
	{
		.name = "no-thp",
		.group = OPTION_GROUP_MEMORY,
		.key = CONFIG_KEY_NO_THP,
		.commands = COMMAND_RUN,
		.help = "do not ask for transparent huge pages",
	},
	{
		.name = "console",
		.group = OPTION_GROUP_CONSOLE,
		.key = CONFIG_KEY_CONSOLE,
		.commands = COMMAND_RUN,
		.value = "WHERE",
		.choices = "stdio pty null file= socket=",
		.default_value = "stdio",
		.help = "to stdio, pty, null, file=PATH or socket=PATH",
		.details = "Where the first serial port of the guest leads. The path of a new "
			   "pseudo-terminal is printed at the start; a file is written to, never "
			   "read from; on a socket Hull listens.",
	},
	{
		.name = "name",
		.group = OPTION_GROUP_CONSOLE,
		.key = CONFIG_KEY_NAME,
		.commands = COMMAND_RUN,
		.value = "NAME",
		.help = "a name for the VM, shown to the guest as well",
		.details = "At most 64 letters, digits and characters of . _ : @ + -.",
	},
	{
		.name = "uuid",
		.group = OPTION_GROUP_CONSOLE,
		.key = CONFIG_KEY_UUID,
		.commands = COMMAND_RUN,
		.value = "UUID",
		.choices = "random",
		.default_value = "random",
		.help = "the system's UUID",
	},
	{
		.name = "disk",
		.letter = 'd',
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_DISK,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "FILE[,WORD]...",
		.help = "a disk: an image of raw bytes, or a block device",
		.details =
			"The first disk is /dev/vda. A comma in the file's name is written twice. "
			"Words: ro (read-only), ephemeral[=SIZE] (writes are kept apart and "
			"forgotten at the end; several VMs may share the file), direct (past the "
			"host's page cache), cache=writeback|writethrough|unsafe, serial=TEXT, "
			"queues=N (as many as vCPUs by default, or fewer if there are many disks), "
			"rate=BYTES[/BURST] and iops=N[/BURST] (limits per second). The format is "
			"never guessed: every image is raw. A file that another VM writes to is "
			"refused. When the file grows or shrinks, the guest is told within a "
			"second or so.",
	},
	{
		.name = "net",
		.letter = 'n',
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_NET,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "KIND[,WORD]...",
		.choices = "none tap tap= socket= user passt",
		.help = "a NIC; without one, or with none, there is no network",
		.details =
			"Kinds: none; tap[=NAME] (an interface of the host, made for the time of "
			"the VM unless it exists) or tap=fd:N; socket=PATH (frames with their "
			"length before them, as QEMU and passt speak, or datagrams) or "
			"socket=fd:N; user (needs no privilege); passt. Words of all kinds: mac=, "
			"mtu=, antispoof (the guest sends from its own address only), "
			"rx-rate=BYTES[/BURST] and tx-rate= (limits per second towards and from "
			"the guest), pcap=FILE (a capture of what passes). Of tap: queues=N "
			"(pairs), bridge=NAME, vhost=on, auto or fd:N (the host's kernel moves the "
			"frames, by vhost-net; auto: where it can). Of socket: listen, peer=PATH "
			"(datagrams to and from "
			"that path). Of user and passt: publish=[ADDRESS:]HOST:GUEST[/udp] "
			"(repeatable: a port of the host, on 127.0.0.1 unless an address is given, "
			"that leads into the guest), restrict=off (the guest may reach the host's "
			"own addresses, its loopback as 10.0.2.2; passt bars the loopback alone); "
			"of passt: dns=ADDRESS. The guest of user is 10.0.2.15 by DHCP, and in "
			"fd00::/64. Unless mac is given, the address follows from the VM's UUID.",
	},
	{
		.name = "ip",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_IP,
		.commands = COMMAND_RUN,
		.value = "ADDRESS",
		.help = "tells the kernel its address: auto, or CIDR[,GATEWAY]",
		.details = "Adds ip= to the kernel's command line, where kernels and initial RAM "
			   "disks look for it: auto means DHCP. An ip= of --append wins.",
	},
	{
		.name = "hvc",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_HVC,
		.commands = COMMAND_RUN,
		.value = "WHERE",
		.help = "a virtio console (/dev/hvc0), as --console or fd=N",
		.details =
			"Much faster than the serial port, and there once the guest's driver is. "
			"The kernel uses it with --append console=hvc0. The guest knows the size "
			"of the user's terminal. fd=N is a descriptor that Hull inherits.",
	},
	{
		.name = "port",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_PORT,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "NAME=WHERE",
		.help = "a named port, /dev/virtio-ports/NAME in the guest",
		.details = "WHERE is stdio, pty, null, file=PATH, socket=PATH or fd=N. A port is a "
			   "stream of bytes in both directions; the guest waits when nobody reads, "
			   "and nothing is lost.",
	},
	{
		.name = "rng",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_RNG,
		.commands = COMMAND_RUN,
		.value = "rate=BYTES",
		.value_is_optional = true,
		.help = "a virtio entropy device",
		.details = "It gives what getrandom(2) gives; with a rate, at most so many bytes a "
			   "second.",
	},
	{
		.name = "vsock",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_VSOCK,
		.commands = COMMAND_RUN,
		.value = "PATH[,cid=N]",
		.help = "a virtio socket device; its ports are UNIX sockets at PATH",
		.details =
			"A client of the socket PATH writes \"CONNECT PORT\" and a newline, and "
			"reads \"OK\" and a number when the guest has accepted at that port. What "
			"the guest connects to at PORT of CID 2 is the socket PATH_PORT. N is the "
			"guest's own CID, 3 if not said.",
	},
	{
		.name = "transport",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_TRANSPORT,
		.commands = COMMAND_RUN,
		.value = "BUS",
		.default_value = "pci",
		.choices = "pci mmio mmio-cmdline",
		.help = "where virtio devices sit: pci, mmio or mmio-cmdline",
		.details = "A kernel finds devices on mmio through ACPI or the device tree. For "
			   "one that is built without ACPI, mmio-cmdline (not on aarch64) says on "
			   "its command line where they are "
			   "(virtio_mmio.device=SIZE@BASE:IRQ), and ACPI does not; with --cmdline "
			   "these words are yours to give.",
	},
	{
		.name = "io-threads",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_IO_THREADS,
		.commands = COMMAND_RUN,
		.value = "N",
		.default_value = "1",
		.help = "threads that do the devices' I/O",
		.details = "Devices are spread over them, and so are the queue pairs of a NIC and "
			   "the queues of a disk, unless its requests depend on each other (rate "
			   "limits, ephemeral writes, direct I/O on blocks larger than 512 bytes).",
	},
	{
		.name = "io-engine",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_IO_ENGINE,
		.commands = COMMAND_RUN,
		.value = "ENGINE",
		.default_value = "auto",
		.help = "auto, io_uring or threads",
		.details = "auto takes io_uring where this host allows it, and otherwise threads "
			   "with plain system calls; --verbose says which and why.",
	},
	{
		.name = "io-poll",
		.group = OPTION_GROUP_DISKS,
		.key = CONFIG_KEY_IO_POLL,
		.commands = COMMAND_RUN,
		.value = "MICROSECONDS",
		.default_value = "auto",
		.help = "look for I/O so long before sleeping",
		.details =
			"Saves the time of waking up, and most of the guest's notifications, for "
			"a part of a CPU; only while sleeps turn out to be that short. auto: 32 "
			"where the host has more CPUs than the VM, otherwise 0, which is never.",
	},
	{
		.name = "timeout",
		.group = OPTION_GROUP_END,
		.key = CONFIG_KEY_TIMEOUT,
		.commands = COMMAND_RUN,
		.value = "TIME",
		.help = "end the VM after this time (status 124)",
		.details = "Seconds, or a number with ms, s, m or h behind it; 0 means never, "
			   "which is the default.",
	},
	{
		.name = "grace",
		.group = OPTION_GROUP_END,
		.key = CONFIG_KEY_GRACE,
		.commands = COMMAND_RUN,
		.value = "TIME",
		.default_value = "5s",
		.help = "the time a guest has to power off when asked",
		.details = "A signal that ends Hull is first passed on as a press of the power "
			   "button; this is what lies between that and the end of the VM.",
	},
	{
		.name = "on-reboot",
		.group = OPTION_GROUP_END,
		.key = CONFIG_KEY_ON_REBOOT,
		.commands = COMMAND_RUN,
		.value = "ACTION",
		.choices = "exit reset",
		.default_value = "exit",
		.help = "exit (status 120), or reset the VM",
	},
	{
		.name = "on-panic",
		.group = OPTION_GROUP_END,
		.key = CONFIG_KEY_ON_PANIC,
		.commands = COMMAND_RUN,
		.value = "ACTION",
		.choices = "exit pause",
		.default_value = "exit",
		.help = "exit (status 121), or pause the VM",
	},
	{
		.name = "debug-exit",
		.group = OPTION_GROUP_END,
		.key = CONFIG_KEY_DEBUG_EXIT,
		.commands = COMMAND_RUN,
		.help = "the device isa-debug-exit at port 0xf4",
		.details = "As with QEMU's device of that name: a guest that writes the byte N "
			   "there ends the VM with status 2N+1. On aarch64 it is at 0x9030000.",
	},
	{
		.name = "control",
		.group = OPTION_GROUP_HULL,
		.key = CONFIG_KEY_CONTROL,
		.commands = COMMAND_RUN,
		.value = "FD",
		.help = "an inherited socket that controls the VM",
		.details = "What programs start VMs with, by libhull or without it: requests and "
			   "answers are lines (docs/embedding.md). The VM ends when the other end "
			   "of the socket does.",
	},
	{
		.name = "timing",
		.group = OPTION_GROUP_HULL,
		.key = CONFIG_KEY_TIMING,
		.commands = COMMAND_RUN,
		.help = "report how long each phase took, at the end",
	},
	{
		.name = "config",
		.group = OPTION_GROUP_HULL,
		.effect = OPTION_READS_CONFIG,
		.commands = COMMAND_RUN,
		.repeatable = true,
		.value = "FILE",
		.help = "read options from a file",
		.details = "See CONFIGURATION FILES. Options on the command line win over those in "
			   "files, wherever they stand.",
	},
	{
		.name = "dry-run",
		.group = OPTION_GROUP_HULL,
		.effect = OPTION_DRY_RUN,
		.commands = COMMAND_RUN,
		.help = "print the resolved configuration and stop",
		.details = "The output is a configuration file. Nothing but the files of --config "
			   "is opened.",
	},
	{
		.name = "json",
		.group = OPTION_GROUP_HULL,
		.effect = OPTION_JSON,
		.commands = COMMAND_DOCTOR,
		.help = "print the findings as JSON",
		.details = "An option of hull doctor.",
	},
	{
		.name = "verbose",
		.letter = 'v',
		.group = OPTION_GROUP_HULL,
		.effect = OPTION_VERBOSE,
		.commands = COMMAND_RUN,
		.help = "say more on standard error",
	},
	{
		.name = "quiet",
		.letter = 'q',
		.group = OPTION_GROUP_HULL,
		.effect = OPTION_QUIET,
		.commands = COMMAND_RUN,
		.help = "say nothing on standard error but errors",
	},
	{
		.name = "help",
		.letter = 'h',
		.group = OPTION_GROUP_HULL,
		.effect = OPTION_HELP,
		.commands = COMMAND_ALL,
		.help = "print help",
	},
};

const size_t option_count = array_size(option_table);

static bool equals(const char *string, const char *name, size_t length)
{
	return string && strlen(string) == length && memcmp(string, name, length) == 0;
}

const struct option *option_find(const char *name, size_t length, enum command_set commands)
{
	for (size_t i = 0; i < option_count; i++)
		if ((option_table[i].commands & commands) &&
			(equals(option_table[i].name, name, length) ||
				equals(option_table[i].alias, name, length)))
			return &option_table[i];
	return NULL;
}

const struct option *option_find_letter(char letter, enum command_set commands)
{
	for (size_t i = 0; i < option_count; i++)
		if ((option_table[i].commands & commands) && option_table[i].letter == letter)
			return &option_table[i];
	return NULL;
}

const char *option_nearest(const char *name, size_t length, enum command_set commands)
{
	struct suggestion suggestion = {.wanted = name, .wanted_length = length};

	for (size_t i = 0; i < option_count; i++) {
		if (!(option_table[i].commands & commands))
			continue;
		suggest_consider(&suggestion, option_table[i].name);
		if (option_table[i].alias)
			suggest_consider(&suggestion, option_table[i].alias);
	}
	return suggestion.best;
}
