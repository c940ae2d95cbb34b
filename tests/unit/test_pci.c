#include "fake_wiring.h"
#include "pci.h"

#include <errno.h>
#include <string.h>

/* PCI Local Bus 3.0, chapter 6. */
#define VENDOR       0x00
#define COMMAND      0x04
#define STATUS       0x06
#define CLASS        0x08
#define HEADER_TYPE  0x0e
#define BAR(n)       (0x10U + 4U * (n))
#define SUBSYSTEM    0x2c
#define CAPABILITIES 0x34
#define IRQ_LINE     0x3c
#define IRQ_PIN      0x3d

#define ECAM       UINT64_C(0xe0000000)
#define ECAM_BUSES 2
#define SLOT       3

/* A device with one BAR of each kind, which records what it is told. */
struct probe {
	struct pci_device pci;
	unsigned int changes;
	unsigned int last_index;
};

static void probe_bar_changed(struct pci_device *device, unsigned int index)
{
	struct probe *probe = container_of(device, struct probe, pci);

	probe->changes++;
	probe->last_index = index;
}

static const struct pci_device_ops probe_ops = {.bar_changed = probe_bar_changed};
static const struct pci_identity probe_identity = {
	.vendor_id = 0x1af4,
	.device_id = 0x1041,
	.subsystem_vendor_id = 0x1234,
	.subsystem_id = 0x5678,
	.class_code = 0x020000,
	.revision = 1,
	.interrupt_pin = 1,
};

static struct bus memory;
static struct pci_host host;
static struct probe probe;
static struct {
	unsigned int reads, writes;
	uint64_t offset, value;
} reset;

static uint64_t reset_read(void *device, uint64_t offset, unsigned int size)
{
	assert_ptr_equal(device, &reset);
	assert_int_equal(offset, 0);
	assert_int_equal(size, 1);
	reset.reads++;
	return 0x0a;
}

static void reset_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	assert_ptr_equal(device, &reset);
	assert_int_equal(offset, 0);
	assert_int_equal(size, 1);
	reset.writes++;
	reset.value = value;
}

static const struct bus_ops reset_ops = {reset_read, reset_write};

static int setup(void **state)
{
	struct bus_range ecam = {.base = ECAM,
		.size = ECAM_BUSES * PCI_ECAM_BYTES_PER_BUS,
		.ops = &pci_host_ecam_bus_ops,
		.device = &host,
		.name = "ECAM"};

	(void)state;
	bus_init(&memory, "MMIO");
	bus_init(&fake_ports, "PIO");
	memset(&reset, 0, sizeof(reset));
	memset(&probe, 0, sizeof(probe));
	pci_host_init(&host, &reset_ops, &reset);
	assert_int_equal(bus_attach(&memory, &ecam, NULL), 0);
	fake_ports_attach(PCI_PORT_BASE, PCI_PORTS, &pci_host_port_bus_ops, &host);
	pci_device_init(&probe.pci, &probe_ops, &probe_identity);
	assert_int_equal(pci_device_add_bar(&probe.pci, 0, PCI_BAR_IO, false, 64), 0);
	assert_int_equal(pci_device_add_bar(&probe.pci, 1, PCI_BAR_MEMORY32, false, 4096), 0);
	assert_int_equal(
		pci_device_add_bar(&probe.pci, 4, PCI_BAR_MEMORY64, true, UINT64_C(1) << 33), 0);
	assert_int_equal(pci_host_attach(&host, SLOT, 0, &probe.pci, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_host_fini(&host);
	return 0;
}

static uint64_t ecam_address(
	unsigned int bus, unsigned int slot, unsigned int function, unsigned int reg)
{
	return ECAM + ((uint64_t)bus << 20 | slot << 15 | function << 12 | reg);
}

static uint64_t ecam_read(
	unsigned int slot, unsigned int function, unsigned int reg, unsigned int size)
{
	uint64_t value;

	assert_true(bus_read(&memory, ecam_address(0, slot, function, reg), size, &value));
	return value;
}

static uint32_t get(unsigned int reg, unsigned int size)
{
	return (uint32_t)ecam_read(SLOT, 0, reg, size);
}

static void put(unsigned int reg, unsigned int size, uint64_t value)
{
	assert_true(bus_write(&memory, ecam_address(0, SLOT, 0, reg), size, value));
}

static uint32_t conf1_read(
	unsigned int bus, unsigned int devfn, unsigned int reg, unsigned int size)
{
	outl(0x80000000U | bus << 16 | devfn << 8 | (reg & 0xfc), 0xcf8);
	return (uint32_t)fake_in(0xcfc + (reg & 3), size);
}

/* Linux, pci_scan_child_bus: one dword tells whether a slot has something. */
static void enumeration(void **state)
{
	(void)state;
	for (unsigned int slot = 0; slot < 32; slot++)
		for (unsigned int function = 0; function < 8; function++) {
			uint32_t expected = UINT32_MAX;

			if (function == 0 && slot == 0)
				expected = 0x00081b36;
			else if (function == 0 && slot == SLOT)
				expected = 0x10411af4;
			assert_int_equal(ecam_read(slot, function, VENDOR, 4), expected);
			assert_int_equal(conf1_read(0, slot << 3 | function, VENDOR, 4), expected);
		}
	assert_int_equal(ecam_read(0, 0, CLASS + 2, 2), 0x0600);
	assert_int_equal(ecam_read(0, 0, HEADER_TYPE, 1), 0);
	assert_int_equal(ecam_read(0, 0, STATUS, 2) & 0x10, 0);
	assert_int_equal(get(CLASS, 4), 0x02000001);
	assert_int_equal(get(SUBSYSTEM, 4), 0x56781234);
	assert_int_equal(get(IRQ_PIN, 1), 1);
	assert_int_equal(get(VENDOR, 2), 0x1af4);
	assert_int_equal(get(0x100, 4), 0); /* no extended capabilities */
	assert_int_equal(get(0xffc, 4), 0);
	put(VENDOR, 4, 0);
	put(CLASS, 4, 0);
	put(IRQ_LINE, 2, 0x020b);
	assert_int_equal(get(VENDOR, 4), 0x10411af4);
	assert_int_equal(get(CLASS, 4), 0x02000001);
	assert_int_equal(get(IRQ_LINE, 2), 0x010b);
}

static void other_buses_are_empty(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(bus_read(&memory, ecam_address(1, 0, 0, VENDOR), 4, &value));
	assert_int_equal(value, UINT32_MAX);
	assert_true(bus_write(&memory, ecam_address(1, SLOT, 0, COMMAND), 2, 3));
	assert_int_equal(get(COMMAND, 2), 0);
	assert_int_equal(conf1_read(1, 0, VENDOR, 4), UINT32_MAX);
	assert_int_equal(conf1_read(255, 0xff, 0xff, 1), 0xff);
}

/* Linux, __pci_read_base: decoding off, all-ones in, mask out, old value back. */
static uint32_t size_bar(unsigned int reg)
{
	uint32_t old = get(reg, 4), mask;

	put(reg, 4, UINT32_MAX);
	mask = get(reg, 4);
	put(reg, 4, old);
	assert_int_equal(get(reg, 4), old);
	return mask;
}

static void bar_sizing(void **state)
{
	(void)state;
	put(COMMAND, 2, get(COMMAND, 2) & ~3U);
	assert_int_equal(size_bar(BAR(0)), 0xffffffc1);
	assert_int_equal(size_bar(BAR(1)), 0xfffff000);
	assert_int_equal(size_bar(BAR(2)), 0);
	assert_int_equal(size_bar(BAR(3)), 0);
	assert_int_equal(size_bar(BAR(4)), 0x0000000c); /* 8 GiB, 64 bits, prefetchable */
	assert_int_equal(size_bar(BAR(5)), 0xfffffffe);
	assert_int_equal(size_bar(0x30), 0); /* no ROM */
	assert_int_equal(probe.changes, 0);
}

static void bars_are_told_when_they_decode(void **state)
{
	(void)state;
	put(BAR(0), 4, 0xc000);
	put(BAR(1), 4, 0xc0001000);
	put(BAR(4), 4, 0);
	put(BAR(5), 4, 0x10);
	assert_int_equal(probe.changes, 0);
	put(COMMAND, 2, 0x1);
	assert_int_equal(probe.changes, 1);
	assert_int_equal(probe.last_index, 0);
	assert_true(probe.pci.bars[0].enabled);
	assert_int_equal(probe.pci.bars[0].base, 0xc000);
	put(COMMAND, 2, 0x7);
	assert_int_equal(probe.changes, 3);
	assert_int_equal(probe.pci.bars[1].base, 0xc0001000);
	assert_int_equal(probe.pci.bars[4].base, UINT64_C(0x1000000000));
	put(BAR(1), 4, 0xc0001000); /* no move, no word */
	put(COMMAND, 2, 0x407);
	assert_int_equal(probe.changes, 3);
	put(BAR(1) + 2, 1, 0x34); /* a move by one byte */
	assert_int_equal(probe.changes, 4);
	assert_int_equal(probe.last_index, 1);
	assert_int_equal(probe.pci.bars[1].base, 0xc0341000);
	pci_host_reset(&host);
	assert_int_equal(probe.changes, 7);
	for (unsigned int i = 0; i < PCI_BARS; i++)
		assert_false(probe.pci.bars[i].enabled);
	assert_int_equal(get(BAR(1), 4), 0);
	assert_int_equal(get(BAR(4), 4), 0xc);
	assert_int_equal(get(COMMAND, 2), 0);
}

static void bars_that_cannot_be(void **state)
{
	static const struct {
		unsigned int index;
		enum pci_bar_kind kind;
		uint64_t size;
		int result;
	} cases[] = {
		{0, PCI_BAR_MEMORY32, 4096, -EINVAL}, /* taken */
		{5, PCI_BAR_MEMORY32, 4096, -EINVAL}, /* the upper half of 4 */
		{3, PCI_BAR_MEMORY64, 4096, -EINVAL}, /* its upper half is 4 */
		{6, PCI_BAR_MEMORY32, 4096, -EINVAL},
		{2, PCI_BAR_NONE, 4096, -EINVAL},
		{2, (enum pci_bar_kind)9, 4096, -EINVAL},
		{2, PCI_BAR_MEMORY32, 0, -EINVAL},
		{2, PCI_BAR_MEMORY32, 8, -EINVAL},
		{2, PCI_BAR_MEMORY32, 4097, -EINVAL},
		{2, PCI_BAR_MEMORY32, UINT64_C(1) << 32, -EINVAL},
		{2, PCI_BAR_IO, 2, -EINVAL},
		{2, PCI_BAR_IO, 512, -EINVAL},
		{2, PCI_BAR_MEMORY64, 16, 0},
	};
	struct pci_device empty;

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++)
		assert_int_equal(pci_device_add_bar(&probe.pci, cases[i].index, cases[i].kind,
					 false, cases[i].size),
			cases[i].result);
	pci_device_init(&empty, NULL, &probe_identity);
	assert_int_equal(pci_device_add_bar(&empty, 5, PCI_BAR_MEMORY64, false, 4096), -EINVAL);
}

/* Linux, pci_find_capability. */
static void capabilities(void **state)
{
	unsigned int first, second, third;

	(void)state;
	assert_int_equal(pci_device_add_capability(&probe.pci, 0x11, 12, &first), 0);
	assert_int_equal(pci_device_add_capability(&probe.pci, 0x09, 17, &second), 0);
	assert_int_equal(pci_device_add_capability(&probe.pci, 0x09, 161, &third), -ENOSPC);
	assert_int_equal(pci_device_add_capability(&probe.pci, 0x09, 1, &third), -ENOSPC);
	assert_int_equal(
		pci_device_add_capability(&probe.pci, 0x01, 0x100 - second - 20, &third), 0);
	assert_int_equal(get(STATUS, 2) & 0x10, 0x10);
	assert_int_equal(get(CAPABILITIES, 1), first);
	assert_int_equal(get(first, 2), second << 8 | 0x11);
	assert_int_equal(get(second, 2), third << 8 | 0x09);
	assert_int_equal(get(third, 2), 0x01);
	assert_int_equal(second % 4 | third % 4, 0);
	assert_int_equal(pci_device_add_capability(&probe.pci, 0x01, 4, &first), -ENOSPC);

	pci_device_set_writable(&probe.pci, 0x42, 2, 0xc000); /* as MSI-X has it */
	put(0x40, 4, UINT32_MAX);
	assert_int_equal(get(0x42, 2), 0xc000);
	assert_int_equal(get(0x40, 1), 0x11);
	pci_device_store(&probe.pci, 0x42, 2, 0x0007);
	assert_int_equal(get(0x42, 2), 0x0007);
}

/* Linux, pci_check_type1 and pci_check_type2; then what the ports do with odd accesses. */
static void mechanism_1(void **state)
{
	uint32_t before;

	(void)state;
	outb(0x01, 0xcfb);
	before = inl(0xcf8);
	outl(0x80000000, 0xcf8);
	assert_int_equal(inl(0xcf8), 0x80000000);
	outl(before, 0xcf8);
	outb(0, 0xcfb);
	outb(0, 0xcf8);
	outb(0, 0xcfa);
	assert_true(inb(0xcf8) != 0 || inb(0xcfa) != 0);

	outl(UINT32_MAX, 0xcf8);
	assert_int_equal(inl(0xcf8), 0x80fffffc);
	assert_int_equal(conf1_read(0, SLOT << 3, VENDOR + 2, 2), 0x1041);
	assert_int_equal(conf1_read(0, SLOT << 3, VENDOR + 3, 1), 0x10);
	assert_int_equal(fake_in(0xcfd, 2), 0x411a);
	assert_int_equal(fake_in(0xcfa, 4), UINT32_MAX); /* address and data at once */
	outl(SLOT << 11, 0xcf8);                         /* not enabled */
	assert_int_equal(inl(0xcfc), UINT32_MAX);
	outl(0x80000000U | SLOT << 11 | COMMAND, 0xcf8);
	outw(0x0007, 0xcfc);
	assert_int_equal(get(COMMAND, 2), 7);
	assert_int_equal(get(STATUS, 2), 0);
	assert_int_equal(reset.reads + reset.writes, 0);
}

static void the_reset_port_is_passed_on(void **state)
{
	(void)state;
	outl(0x80001800, 0xcf8); /* spans it, but is not for it */
	outb(0x06, 0xcf9);
	assert_int_equal(reset.writes, 1);
	assert_int_equal(reset.value, 0x06);
	assert_int_equal(inb(0xcf9), 0x0a);
	assert_int_equal(reset.reads, 1);
	outw(0x0606, 0xcf9);
	outw(0x0606, 0xcf8);
	assert_int_equal(inw(0xcf9), 0xffff);
	assert_int_equal(reset.writes, 1);
	assert_int_equal(inl(0xcf8), 0x80001800);

	pci_host_fini(&host);
	pci_host_init(&host, NULL, NULL);
	outb(0x06, 0xcf9);
	assert_int_equal(inb(0xcf9), 0xff);
}

static void odd_widths(void **state)
{
	(void)state;
	assert_true(ecam_read(SLOT, 0, 0, 8) == (UINT64_C(0x0000000010411af4)));
	assert_true(ecam_read(SLOT, 0, 4, 8) == UINT64_MAX); /* not aligned */
	assert_int_equal(ecam_read(SLOT, 0, 1, 2), 0x411a);
	assert_int_equal(ecam_read(SLOT, 0, 3, 2), 0xffff);
	assert_int_equal(ecam_read(SLOT, 0, 1, 4), UINT32_MAX);
	assert_int_equal(ecam_read(SLOT, 0, 0xfff, 2), 0xffff); /* into the next function */
	assert_int_equal(ecam_read(SLOT, 0, 0xffd, 4), UINT32_MAX);
	assert_true(ecam_read(SLOT, 0, 0xffc, 8) == UINT64_MAX);
	assert_true(ecam_read(SLOT, 0, 0xff8, 8) == 0);
	put(BAR(4), 8, UINT64_C(0x0000123450000000)); /* two dwords */
	assert_int_equal(get(BAR(4), 4), 0x0000000c);
	assert_int_equal(get(BAR(5), 4), 0x00001234);
	put(COMMAND - 1, 4, UINT32_MAX);
	put(COMMAND - 4, 4, UINT32_MAX);
	assert_int_equal(get(COMMAND, 2), 0);
}

static uint32_t odd_read(struct pci_device *device, unsigned int reg, unsigned int size)
{
	return reg == 0x80 ? UINT32_MAX : pci_device_load(device, reg, size);
}

static void odd_write(
	struct pci_device *device, unsigned int reg, unsigned int size, uint32_t value)
{
	pci_device_store_guest(device, reg, size, value);
	if (reg == 0x80)
		pci_device_store(device, 0x84, 4, value);
}

static void devices_may_take_over(void **state)
{
	static const struct pci_device_ops ops = {
		.read_config = odd_read, .write_config = odd_write};
	struct pci_device device;

	(void)state;
	pci_device_init(&device, &ops, &probe_identity);
	assert_int_equal(pci_host_attach(&host, 5, 0, &device, NULL), 0);
	assert_int_equal(ecam_read(5, 0, 0x80, 1), 0xff); /* no wider than asked for */
	assert_int_equal(ecam_read(5, 0, 0, 4), 0x10411af4);
	assert_true(bus_write(&memory, ecam_address(0, 5, 0, 0x80), 4, 0x12345678));
	assert_int_equal(ecam_read(5, 0, 0x84, 4), 0x12345678);
}

static void slots(void **state)
{
	struct err err = {0};
	struct pci_device device;

	(void)state;
	pci_device_init(&device, NULL, &probe_identity);
	assert_int_equal(pci_host_attach(&host, 0, 0, &device, &err), -EEXIST);
	assert_int_equal(pci_host_attach(&host, SLOT, 0, &device, &err), -EEXIST);
	assert_int_equal(pci_host_attach(&host, 32, 0, &device, &err), -EINVAL);
	assert_int_not_equal(err.text[0], '\0');
	assert_int_equal(pci_host_attach(&host, 31, 0, &device, &err), 0);
	assert_int_equal(ecam_read(31, 0, VENDOR, 4), 0x10411af4);
	assert_int_equal(ecam_read(31, 0, HEADER_TYPE, 1), 0);
}

static void functions(void **state)
{
	struct err err = {0};
	struct pci_device devices[8];

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		pci_device_init(&devices[i], NULL, &probe_identity);
		pci_device_store(&devices[i], 0x80, 4, i);
	}
	/* Nobody would look for it. */
	assert_int_equal(pci_host_attach(&host, 7, 1, &devices[1], &err), -EINVAL);
	assert_non_null(strstr(err.text, "07.1"));
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(pci_host_attach(&host, 7, i, &devices[i], &err), 0);
		assert_int_equal(ecam_read(7, 0, HEADER_TYPE, 1), i ? 0x80 : 0);
	}
	assert_int_equal(pci_host_attach(&host, 7, 7, &devices[0], &err), -EEXIST);
	assert_int_equal(pci_host_attach(&host, 7, 8, &devices[0], &err), -EINVAL);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(ecam_read(7, i, HEADER_TYPE, 1), 0x80);
		assert_int_equal(ecam_read(7, i, 0x80, 4), i);
		outl(0x80000080 | 7 << 11 | i << 8, 0xcf8);
		assert_int_equal(inl(0xcfc), i);
	}
	/* A guest cannot change it, and a slot beside it has one function still. */
	assert_true(bus_write(&memory, ecam_address(0, 7, 0, HEADER_TYPE), 1, 0));
	assert_int_equal(ecam_read(7, 0, HEADER_TYPE, 1), 0x80);
	assert_int_equal(ecam_read(SLOT, 1, VENDOR, 4), 0xffffffff);
	assert_true(bus_write(&memory, ecam_address(0, 7, 5, COMMAND), 2, 7));
	assert_int_equal(ecam_read(7, 4, COMMAND, 2), 0);
	assert_int_equal(ecam_read(7, 5, COMMAND, 2), 7);
	pci_host_reset(&host);
	assert_int_equal(ecam_read(7, 5, COMMAND, 2), 0);
	assert_int_equal(ecam_read(7, 0, HEADER_TYPE, 1), 0x80);
}

/* Whatever a guest writes, what is read-only stays, and what the device was told is what it set. */
static void hostile(void **state)
{
	uint8_t config[PCI_CONFIG_BYTES];

	(void)state;
	memcpy(config, probe.pci.config, sizeof(config));
	hostile_accesses(&pci_host_port_bus_ops, &host, PCI_PORTS, 4);
	hostile_accesses(&pci_host_ecam_bus_ops, &host, ECAM_BUSES * PCI_ECAM_BYTES_PER_BUS, 8);
	for (uint64_t reg = 0, random = 7; reg < 200000; reg++) {
		uint64_t number = fake_random(&random);

		put(number % 64, 1U << (number >> 8) % 4, fake_random(&random));
		for (unsigned int i = 0; i < PCI_BARS; i++)
			assert_int_equal(probe.pci.bars[i].base & (probe.pci.bars[i].size - 1) &
						 (probe.pci.bars[i].size ? UINT64_MAX : 0),
				0);
	}
	pci_host_reset(&host);
	assert_memory_equal(config, probe.pci.config, sizeof(config));
	assert_int_equal(ecam_read(0, 0, VENDOR, 4), 0x00081b36);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(enumeration, setup, teardown),
		cmocka_unit_test_setup_teardown(other_buses_are_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(bar_sizing, setup, teardown),
		cmocka_unit_test_setup_teardown(bars_are_told_when_they_decode, setup, teardown),
		cmocka_unit_test_setup_teardown(bars_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(mechanism_1, setup, teardown),
		cmocka_unit_test_setup_teardown(the_reset_port_is_passed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_widths, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_may_take_over, setup, teardown),
		cmocka_unit_test_setup_teardown(functions, setup, teardown),
		cmocka_unit_test_setup_teardown(slots, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
