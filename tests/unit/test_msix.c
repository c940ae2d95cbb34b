#include "fake_msi.h"
#include "fake_wiring.h"

/* PCI Local Bus 3.0 6.8.2. */
#define CAPABILITIES  0x34
#define ENABLE        0x8000
#define FUNCTION_MASK 0x4000

#define VECTORS 70

static struct pci_device pci;
static struct fake_msi msi;
static struct msix msix;

static int setup(void **state)
{
	static const struct pci_identity identity = {.vendor_id = 0x1af4};
	static const struct msix_layout layout = {.vector_count = VECTORS,
		.table_bar = 2,
		.pending_bar = 4,
		.table_offset = 0x40,
		.pending_offset = 0x800};
	struct msi_sink sink = fake_msi_sink(&msi);

	(void)state;
	memset(&msi, 0, sizeof(msi));
	pci_device_init(&pci, NULL, &identity);
	assert_int_equal(msix_init(&msix, &pci, &layout, &sink), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	msix_fini(&msix);
	return 0;
}

static unsigned int capability(void)
{
	return pci_device_load(&pci, CAPABILITIES, 1);
}

static void write_control(uint16_t value)
{
	pci_device_store_guest(&pci, capability() + 2, 2, value);
	msix_config_written(&msix, capability() + 2, 2);
}

static uint32_t read_entry(unsigned int vector, unsigned int field)
{
	return (uint32_t)msix_table_read(&msix, 16 * vector + field, 4);
}

static void write_entry(unsigned int vector, unsigned int field, uint32_t value)
{
	msix_table_write(&msix, 16 * vector + field, 4, value);
}

static bool is_pending(unsigned int vector)
{
	return msix_pending_read(&msix, vector / 64 * 8, 8) >> vector % 64 & 1;
}

/* Linux __pci_write_msi_msg: address, data, then the mask bit. */
static void set_up(unsigned int vector, uint64_t address, uint32_t data)
{
	write_entry(vector, 0, (uint32_t)address);
	write_entry(vector, 4, (uint32_t)(address >> 32));
	write_entry(vector, 8, data);
}

static void test_capability(void **state)
{
	(void)state;
	assert_int_equal(pci_device_load(&pci, capability(), 1), 0x11);
	assert_int_equal(pci_device_load(&pci, capability() + 2, 2), VECTORS - 1);
	assert_int_equal(pci_device_load(&pci, capability() + 4, 4), 0x42);
	assert_int_equal(pci_device_load(&pci, capability() + 8, 4), 0x804);
	/* Only the two bits can be changed. */
	write_control(0xffff);
	assert_int_equal(pci_device_load(&pci, capability() + 2, 2), 0xc000 | (VECTORS - 1));
	pci_device_store_guest(&pci, capability() + 4, 4, UINT32_MAX);
	pci_device_store_guest(&pci, capability() + 8, 4, UINT32_MAX);
	assert_int_equal(pci_device_load(&pci, capability() + 4, 4), 0x42);
	assert_int_equal(pci_device_load(&pci, capability() + 8, 4), 0x804);
}

static void test_layouts(void **state)
{
	static const struct msix_layout bad[] = {
		{.vector_count = 0},
		{.vector_count = MSIX_VECTORS_MAX + 1},
		{.vector_count = 1, .table_bar = PCI_BARS},
		{.vector_count = 1, .pending_bar = PCI_BARS},
		{.vector_count = 1, .table_offset = 4},
		{.vector_count = 1, .pending_offset = 1},
	};
	static const struct pci_identity identity = {.vendor_id = 0x1af4};
	struct msi_sink sink = fake_msi_sink(&msi);
	struct pci_device device;
	struct msix other;
	unsigned int offset;

	(void)state;
	pci_device_init(&device, NULL, &identity);
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(msix_init(&other, &device, &bad[i], &sink), -EINVAL);
	assert_int_equal(pci_device_load(&device, CAPABILITIES, 1), 0);
	assert_int_equal(pci_device_add_capability(&device, 9, 190, &offset), 0);
	assert_int_equal(
		msix_init(&other, &device, &(struct msix_layout){.vector_count = 1}, &sink),
		-ENOSPC);
}

/* Linux msix_capability_init, then request_irq, an interrupt, a change of affinity, free_irq. */
static void test_what_linux_does(void **state)
{
	(void)state;
	write_control(ENABLE | FUNCTION_MASK);
	for (unsigned int i = 0; i < VECTORS; i++)
		assert_int_equal(read_entry(i, 12), 1);
	set_up(3, 0xfee01000, 0x4023);
	write_control(ENABLE);
	assert_int_equal(msi.vectors[3].sets, 0);
	write_entry(3, 12, 0);
	assert_true(msi.vectors[3].unmasked);
	assert_int_equal(msi.vectors[3].address, 0xfee01000);
	assert_int_equal(msi.vectors[3].data, 0x4023);
	msix_fire(&msix, 3);
	assert_int_equal(msi.vectors[3].fired, 1);
	assert_false(is_pending(3));
	/* Affinity: masked, another message, unmasked; one comes in between. */
	write_entry(3, 12, 1);
	assert_false(msi.vectors[3].unmasked);
	set_up(3, 0x1fee02000, 0x4024);
	msix_fire(&msix, 3);
	msix_fire(&msix, 3);
	assert_int_equal(msi.vectors[3].fired, 1);
	assert_true(is_pending(3));
	write_entry(3, 12, 0);
	assert_int_equal(msi.vectors[3].fired, 2);
	assert_int_equal(msi.vectors[3].address, 0x1fee02000);
	assert_int_equal(msi.vectors[3].data, 0x4024);
	assert_false(is_pending(3));
	write_entry(3, 12, 1);
	write_control(0);
	assert_false(msix_is_enabled(&msix));
}

static void test_function_mask(void **state)
{
	(void)state;
	write_control(ENABLE);
	set_up(0, 0xfee00000, 1);
	set_up(69, 0xfee00000, 2);
	write_entry(0, 12, 0);
	write_entry(69, 12, 0);
	write_control(ENABLE | FUNCTION_MASK);
	assert_false(msi.vectors[0].unmasked);
	msix_fire(&msix, 0);
	msix_fire(&msix, 69);
	msix_fire(&msix, 1);
	assert_int_equal(msix_pending_read(&msix, 0, 8), 3);
	assert_int_equal(msix_pending_read(&msix, 0, 4), 3);
	assert_int_equal(msix_pending_read(&msix, 8, 8), 0x20);
	assert_int_equal(msix_pending_read(&msix, 12, 4), 0);
	write_control(ENABLE);
	assert_int_equal(msi.vectors[0].fired, 1);
	assert_int_equal(msi.vectors[69].fired, 1);
	assert_int_equal(msi.vectors[1].fired, 0);
	assert_true(is_pending(1));
	/* Off: what was pending is gone. */
	write_control(0);
	assert_false(is_pending(1));
	write_control(ENABLE);
	write_entry(1, 12, 0);
	assert_int_equal(msi.vectors[1].fired, 0);
}

static void test_a_message_that_changes_unmasked(void **state)
{
	unsigned int sets;

	(void)state;
	write_control(ENABLE);
	write_entry(5, 12, 0);
	sets = msi.vectors[5].sets;
	write_entry(5, 8, 0x77);
	assert_int_equal(msi.vectors[5].sets, sets + 1);
	assert_int_equal(msi.vectors[5].data, 0x77);
	write_entry(5, 8, 0x77);
	assert_int_equal(msi.vectors[5].sets, sets + 1);
}

static void test_a_sink_that_refuses(void **state)
{
	(void)state;
	write_control(ENABLE);
	msi.refuses = true;
	write_entry(2, 12, 0);
	msix_fire(&msix, 2);
	assert_int_equal(msi.vectors[2].fired, 0);
	assert_true(is_pending(2));
	assert_int_equal(read_entry(2, 12), 0);
	msi.refuses = false;
	write_entry(2, 8, 1);
	assert_int_equal(msi.vectors[2].fired, 1);
	/* One that ran and cannot with its new message. */
	msi.refuses = true;
	write_entry(2, 8, 2);
	msix_fire(&msix, 2);
	assert_false(msi.vectors[2].unmasked);
	assert_int_equal(msi.vectors[2].fired, 1);
	assert_true(is_pending(2));
}

static void test_fields(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < VECTORS; i++) {
		set_up(i, UINT64_MAX, i);
		write_entry(i, 12, UINT32_MAX);
	}
	for (unsigned int i = 0; i < VECTORS; i++) {
		assert_int_equal(msix_table_read(&msix, 16 * i, 8), UINT64_MAX & ~3ULL);
		assert_int_equal(msix_table_read(&msix, 16 * i + 8, 8), i | UINT64_C(1) << 32);
	}
	msix_table_write(&msix, 0, 8, 0x1122334455667788);
	msix_table_write(&msix, 8, 8, 0x99);
	assert_int_equal(read_entry(0, 0), 0x55667788);
	assert_int_equal(read_entry(0, 4), 0x11223344);
	assert_int_equal(read_entry(0, 8), 0x99);
	assert_int_equal(read_entry(0, 12), 0);
}

static void test_accesses_that_are_none(void **state)
{
	static const uint64_t far[] = {16 * VECTORS, 16 * VECTORS - 4, 0x7fc, 0x1000, UINT32_MAX,
		UINT64_MAX - 7, UINT64_MAX - 3};

	(void)state;
	for (uint64_t offset = 0; offset < 16 * VECTORS + 64; offset++) {
		for (unsigned int size = 1; size <= 8; size *= 2) {
			bool good = (size == 4 || size == 8) && offset % size == 0 &&
			            offset + size <= 16 * VECTORS;

			msix_table_write(&msix, offset, size, UINT64_MAX);
			if (!good)
				assert_int_equal(msix_table_read(&msix, offset, size), 0);
			if (!good || offset >= 16)
				assert_int_equal(msix_pending_read(&msix, offset, size), 0);
		}
	}
	for (size_t i = 0; i < array_size(far); i++) {
		msix_table_write(&msix, far[i], 8, 0);
		(void)msix_table_read(&msix, far[i], 8);
		assert_int_equal(msix_pending_read(&msix, far[i], 8), 0);
	}
	msix_fire(&msix, VECTORS);
	msix_fire(&msix, 0xffff);
	msix_fire(&msix, UINT32_MAX);
}

static void test_reset(void **state)
{
	(void)state;
	write_control(ENABLE);
	set_up(4, 0xfee00000, 9);
	write_entry(4, 12, 0);
	msix_fire(&msix, 5);
	pci_device_reset(&pci);
	msix_reset(&msix);
	assert_false(msix_is_enabled(&msix));
	assert_false(msi.vectors[4].unmasked);
	assert_int_equal(msix_table_read(&msix, 64, 8), 0);
	assert_int_equal(msix_table_read(&msix, 72, 8), UINT64_C(1) << 32);
	assert_false(is_pending(5));
	assert_int_equal(pci_device_load(&pci, capability() + 2, 2), VECTORS - 1);
}

#define FIRES 20000

static void *fire_often(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < FIRES; i++)
		msix_fire(&msix, 7);
	return NULL;
}

/* Firing meets masking: never more messages than interrupts, and the last one is not lost. */
static void test_firing_while_masking(void **state)
{
	pthread_t thread;

	(void)state;
	write_control(ENABLE);
	assert_int_equal(pthread_create(&thread, NULL, fire_often, NULL), 0);
	for (unsigned int i = 0; i < 2000; i++)
		write_entry(7, 12, i & 1);
	write_entry(7, 12, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	msix_fire(&msix, 7);
	assert_true(is_pending(7));
	write_entry(7, 12, 0);
	assert_false(is_pending(7));
	assert_in_range(msi.vectors[7].fired, 1, FIRES + 1);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_capability),
		test(test_layouts),
		test(test_what_linux_does),
		test(test_function_mask),
		test(test_a_message_that_changes_unmasked),
		test(test_a_sink_that_refuses),
		test(test_fields),
		test(test_accesses_that_are_none),
		test(test_reset),
		test(test_firing_while_masking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
