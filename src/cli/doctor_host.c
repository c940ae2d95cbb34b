/* What the rest of the host offers: memory, network, confinement, libraries, limits. */
#include "doctor.h"

#include "fd.h"
#include "vhost.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not vm.nr_hugepages: that is the pool of another size where the host's own pages are larger. */
#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"

/* The first line of a small file, without its newline; "" when it cannot be read. */
static void read_line(const char *path, char line[128])
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : fd_read(fd, line, 127);

	line[length > 0 ? length : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

static void check_huge_pages(struct report *report)
{
	char total[128], available[128];

	read_line(HUGE_PAGES "nr_hugepages", total);
	read_line(HUGE_PAGES "free_hugepages", available);
	if (!total[0])
		report_add(report, "huge pages", FINDING_MISSING, NULL,
			"this kernel has no pool of 2 MiB pages: --hugepages cannot work");
	else if (strcmp(total, "0") == 0)
		report_add(report, "huge pages", FINDING_LIMITED,
			"for --hugepages, 1 GiB: echo 512 | sudo tee "
			"/sys/kernel/mm/hugepages/*-2048kB/nr_hugepages",
			"the pool of 2 MiB pages is empty");
	else
		report_add(report, "huge pages", FINDING_OK, NULL, "%s of %s pages of 2 MiB free",
			available, total);
}

void doctor_check_memory(struct report *report)
{
	cleanup_fd int fd = memfd_create("hull-doctor", MFD_CLOEXEC);
	char modes[128];

	if (fd >= 0 && ftruncate(fd, 1 << 20) == 0)
		report_add(report, "memfd", FINDING_OK, NULL, "can be created");
	else
		report_add(report, "memfd", FINDING_MISSING, NULL,
			"%s: --shared-memory and compressed kernels cannot work",
			strerrordesc_np(errno));
	check_huge_pages(report);
	read_line("/sys/kernel/mm/transparent_hugepage/enabled", modes);
	if (!modes[0])
		report_add(report, "thp", FINDING_LIMITED, NULL,
			"this kernel has no transparent huge pages");
	else if (strstr(modes, "[never]"))
		report_add(report, "thp", FINDING_LIMITED,
			"echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
			"transparent huge pages are switched off");
	else
		report_add(report, "thp", FINDING_OK, NULL, "%s", modes);
}

void doctor_check_network(struct report *report)
{
	cleanup_fd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (fd < 0 && errno == ENOENT)
		report_add(report, "tap", FINDING_MISSING,
			"sudo modprobe tun; in a container: --device /dev/net/tun",
			"/dev/net/tun does not exist");
	else if (fd < 0)
		report_add(report, "tap", FINDING_MISSING, NULL, "/dev/net/tun: %s",
			strerrordesc_np(errno));
	/* It is gone again with the descriptor. */
	else if (ioctl(fd, TUNSETIFF, &request) == 0)
		report_add(report, "tap", FINDING_OK, NULL, "interfaces can be created");
	else
		report_add(report, "tap", FINDING_LIMITED,
			"sudo ip tuntap add NAME mode tap user $USER",
			"%s: only interfaces made for you can be used", strerrordesc_np(errno));
}

void doctor_check_vhost(struct report *report)
{
	struct err err = {0};
	cleanup_fd int fd = vhost_net_open(&err);

	if (fd >= 0)
		report_add(report, "vhost-net", FINDING_OK, NULL, "works, for --net tap,vhost=on");
	else
		report_add(report, "vhost-net", FINDING_LIMITED, NULL,
			"--net tap,vhost=on cannot work: %s", err.text);
}

void doctor_check_confinement(struct report *report)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi > 0)
		report_add(report, "landlock", FINDING_OK, NULL, "ABI version %ld", abi);
	else
		report_add(report, "landlock", FINDING_LIMITED,
			errno == EOPNOTSUPP ? "add landlock to lsm= on the host's command line"
					    : NULL,
			"%s: files cannot be fenced off that way", strerrordesc_np(errno));
	/* Without a filter a kernel that has filters complains of the address, one without of the
	 * operation. seccomp(2) */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) != 0 && errno == EFAULT)
		report_add(report, "seccomp", FINDING_OK, NULL, "filters are available");
	else
		report_add(report, "seccomp", FINDING_LIMITED, NULL,
			"%s: system calls cannot be filtered", strerrordesc_np(errno));
}

void doctor_check_libraries(struct report *report)
{
	static const struct {
		const char *name, *file, *purpose, *package;
	} libraries[] = {
		{"zlib", "libz.so.1", "kernels packed with gzip", "install zlib (Debian: zlib1g)"},
		{"liblzma", "liblzma.so.5", "kernels packed with xz",
			"install liblzma (Debian: liblzma5)"},
		{"libzstd", "libzstd.so.1", "kernels packed with zstd",
			"install libzstd (Debian: libzstd1)"},
		{"libslirp", "libslirp.so.0", "--net user", "install libslirp (Debian: libslirp0)"},
	};

	for (size_t i = 0; i < array_size(libraries); i++) {
		void *library = dlopen(libraries[i].file, RTLD_NOW | RTLD_LOCAL);

		if (library)
			report_add(report, libraries[i].name, FINDING_OK, NULL, "%s",
				libraries[i].purpose);
		else
			report_add(report, libraries[i].name, FINDING_LIMITED, libraries[i].package,
				"%s does not load: no %s", libraries[i].file, libraries[i].purpose);
		if (library)
			(void)dlclose(library);
	}
}

static void describe_limit(rlim_t limit, char description[32])
{
	if (limit == RLIM_INFINITY)
		(void)snprintf(description, 32, "unlimited");
	else
		(void)snprintf(description, 32, "%" PRIu64, (uint64_t)limit);
}

void doctor_check_limits(struct report *report)
{
	struct rlimit files = {0}, locked = {0};
	char soft[32], hard[32];

	(void)getrlimit(RLIMIT_NOFILE, &files);
	(void)getrlimit(RLIMIT_MEMLOCK, &locked);
	describe_limit(files.rlim_cur, soft);
	describe_limit(files.rlim_max, hard);
	report_add(report, "open files", files.rlim_cur >= 256 ? FINDING_OK : FINDING_LIMITED,
		files.rlim_cur >= 256 ? NULL : "ulimit -n 1024", "%s (hard limit %s)", soft, hard);
	describe_limit(locked.rlim_cur, soft);
	report_add(report, "locked memory", FINDING_OK, NULL, "%s bytes", soft);
}
