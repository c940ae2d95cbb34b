/* Devicetree Specification 0.4; read back by libfdt. */
#include "arm_boards.h"
#include "cmocka_all.h"

#include <endian.h>
#include <errno.h>
#include <libfdt.h>
#include <string.h>

static uint8_t blob[TREE_BYTES_MAX];

static const struct test_board *board_named(const char *name)
{
	for (size_t i = 0; i < array_size(test_boards); i++)
		if (strcmp(test_boards[i].name, name) == 0)
			return &test_boards[i];
	fail();
	return NULL;
}

static void build(const char *name)
{
	static uint64_t mpidrs[TEST_CPUS_MAX];
	const struct test_board *from = board_named(name);
	const struct board board = test_board_fill(from);
	const struct tree_request request = test_request_fill(from, &board, mpidrs);
	size_t length;

	memset(blob, 0xa5, sizeof(blob));
	assert_int_equal(tree_build(&request, blob, sizeof(blob), &length, NULL), 0);
	assert_int_equal(fdt_check_full(blob, length), 0);
}

static int node(const char *path)
{
	int offset = fdt_path_offset(blob, path);

	if (offset < 0)
		fail_msg("%s: %s", path, fdt_strerror(offset));
	return offset;
}

/* The index-th cell of a property. */
static uint32_t cell(const char *path, const char *name, int index)
{
	int length;
	const void *value = fdt_getprop(blob, node(path), name, &length);
	uint32_t word;

	assert_non_null(value);
	assert_true(length >= (index + 1) * 4);
	memcpy(&word, (const uint8_t *)value + (ptrdiff_t)index * 4, sizeof(word));
	return be32toh(word);
}

static void assert_text(const char *path, const char *name, const char *text)
{
	const void *value = fdt_getprop(blob, node(path), name, NULL);

	assert_non_null(value);
	assert_string_equal(value, text);
}

static bool is_there(const char *path)
{
	return fdt_path_offset(blob, path) >= 0;
}

static void test_what_the_kernel_is_told(void **state)
{
	(void)state;
	build("gicv3");
	assert_text("/chosen", "bootargs", "console=ttyS0 panic=-1");
	assert_text("/chosen", "stdout-path", "/serial@9000000");
	assert_true(is_there("/serial@9000000"));
	assert_int_equal(cell("/chosen", "linux,initrd-start", 1), 0x42000000);
	assert_int_equal(cell("/chosen", "linux,initrd-end", 1), 0x42003039);
	assert_int_equal(cell("/chosen", "kaslr-seed", 0), 0x01234567);
	assert_int_equal(cell("/chosen", "rng-seed", 0), 0x01020300);
	assert_int_equal(cell("/memory@40000000", "reg", 1), 0x40000000);
	assert_int_equal(cell("/memory@40000000", "reg", 2), 1);
	build("bare");
	assert_null(fdt_getprop(blob, node("/chosen"), "linux,initrd-start", NULL));
	assert_false(is_there("/pcie@30000000"));
}

static void test_cpus(void **state)
{
	(void)state;
	build("huge");
	assert_text("/psci", "method", "hvc");
	assert_text("/cpus/cpu@0", "enable-method", "psci");
	assert_int_equal(cell("/cpus/cpu@1f0f", "reg", 0), 0);
	assert_int_equal(cell("/cpus/cpu@1f0f", "reg", 1), 0x1f0f); /* without bit 31 */
	assert_false(is_there("/pmu"));
	build("gicv3");
	assert_int_equal(cell("/pmu", "interrupts", 1), 7);
}

static bool has(const char *path, const char *name)
{
	return fdt_getprop(blob, node(path), name, NULL) != NULL;
}

static void assert_next_cache(const char *path, const char *next)
{
	assert_int_equal(cell(path, "next-level-cache", 0), cell(next, "phandle", 0));
}

static void test_caches(void **state)
{
	(void)state;
	build("gicv2");
	assert_false(has("/cpus/cpu@7", "cache-unified"));
	assert_next_cache("/cpus/cpu@7", "/cpus/cpu@7/l2-cache");
	assert_next_cache("/cpus/cpu@0/l2-cache", "/cpus/l3-cache");
	assert_next_cache("/cpus/cpu@7/l2-cache", "/cpus/l3-cache");
	assert_text("/cpus/cpu@7/l2-cache", "compatible", "cache");
	assert_int_equal(cell("/cpus/cpu@7/l2-cache", "cache-level", 0), 2);
	assert_true(has("/cpus/cpu@7/l2-cache", "cache-unified"));
	assert_false(has("/cpus/l3-cache", "next-level-cache"));
	build("gicv3");
	assert_next_cache("/cpus/cpu@3", "/cpus/l2-cache");
	build("huge");
	assert_next_cache("/cpus/cpu@1f0f/l6-cache", "/cpus/l7-cache");
}

static void test_caches_that_are_not_told(void **state)
{
	(void)state;
	build("no-its");
	assert_true(has("/cpus/cpu@1", "cache-unified"));
	assert_next_cache("/cpus/cpu@1", "/cpus/l2-cache");
	assert_true(has("/cpus/l2-cache", "cache-unified"));
	build("bare");
	assert_false(has("/cpus/cpu@0", "next-level-cache"));
	assert_false(is_there("/cpus/l2-cache"));
}

static void test_gicv3(void **state)
{
	const char *gic = "/interrupt-controller@8000000";
	const char *its = "/interrupt-controller@8000000/msi-controller@8040000";

	(void)state;
	build("gicv3");
	assert_text(gic, "compatible", "arm,gic-v3");
	assert_int_equal(cell(gic, "reg", 5), 0x0a000000);
	assert_int_equal(cell(gic, "reg", 7), 4 * 0x20000);
	assert_text(its, "compatible", "arm,gic-v3-its");
	assert_int_equal(cell("/pcie@30000000", "msi-map", 1), cell(its, "phandle", 0));
	assert_int_equal(cell("/timer", "interrupts", 2), 4);
	build("no-its");
	assert_false(is_there(its));
	assert_null(fdt_getprop(blob, node("/pcie@30000000"), "msi-map", NULL));
}

static void test_gicv2(void **state)
{
	const char *gic = "/interrupt-controller@8000000";
	const char *frame = "/interrupt-controller@8000000/v2m@8020000";

	(void)state;
	build("gicv2");
	assert_text(gic, "compatible", "arm,cortex-a15-gic");
	assert_int_equal(cell(frame, "arm,msi-base-spi", 0), 96);
	assert_int_equal(cell(frame, "arm,msi-num-spis", 0), 896);
	assert_int_equal(cell("/pcie@30000000", "msi-parent", 0), cell(frame, "phandle", 0));
	assert_int_equal(cell("/timer", "interrupts", 2), 0xff04); /* all eight CPUs */
}

/* INTA of device 1 is the second line, INTD of device 3 the third. */
static void test_pci_lines(void **state)
{
	const char *pci = "/pcie@30000000";

	(void)state;
	build("gicv3");
	assert_int_equal(cell(pci, "interrupt-map-mask", 0), 0x1800);
	assert_int_equal(cell(pci, "interrupt-map", 4 * 10), 0x0800);
	assert_int_equal(cell(pci, "interrupt-map", 4 * 10 + 3), 1);
	assert_int_equal(cell(pci, "interrupt-map", 4 * 10 + 8), GSI_PCI_A + 1);
	assert_int_equal(cell(pci, "interrupt-map", 15 * 10), 0x1800);
	assert_int_equal(cell(pci, "interrupt-map", 15 * 10 + 3), 4);
	assert_int_equal(cell(pci, "interrupt-map", 15 * 10 + 8), GSI_PCI_A + 2);
	assert_int_equal(cell(pci, "ranges", 0), 0x02000000);
	assert_int_equal(cell(pci, "ranges", 7), 0x43000000);
}

static void test_devices(void **state)
{
	(void)state;
	build("gicv2");
	assert_text("/serial@9000000", "compatible", "ns16550a");
	assert_int_equal(cell("/serial@9000000", "interrupts", 1), GSI_UART);
	assert_text("/rtc@9010000", "compatible", "arm,pl031");
	assert_int_equal(cell("/rtc@9010000", "clocks", 0), cell("/apb-pclk", "phandle", 0));
	assert_int_equal(cell("/virtio_mmio@9101000", "interrupts", 1), GSI_VIRTIO_MMIO + 1);
	assert_true(has("/gpio@9040000", "interrupt-controller"));
	assert_int_equal(cell("/gpio@9040000", "#interrupt-cells", 0), 2);
	assert_true(is_there("/pvpanic@9020000"));
}

static void test_too_little_room(void **state)
{
	static uint64_t mpidrs[TEST_CPUS_MAX];
	const struct board board = test_board_fill(&test_boards[0]);
	const struct tree_request request = test_request_fill(&test_boards[0], &board, mpidrs);
	struct err err = {0};
	size_t length, needed;

	(void)state;
	assert_int_equal(tree_build(&request, blob, sizeof(blob), &needed, &err), 0);
	for (size_t capacity = 64; capacity < needed; capacity += 64)
		assert_int_equal(tree_build(&request, blob, capacity, &length, &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_kernel_is_told),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_caches),
		cmocka_unit_test(test_caches_that_are_not_told),
		cmocka_unit_test(test_gicv3),
		cmocka_unit_test(test_gicv2),
		cmocka_unit_test(test_pci_lines),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_too_little_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
