#include "fake_wiring.h"
#include "pl061.h"
#include "primecell_identity.h"

/* ARM DDI 0190, table 3-1; names as Linux has them. */
#define GPIODIR 0x400
#define GPIOIS  0x404
#define GPIOIBE 0x408
#define GPIOIEV 0x40c
#define GPIOIE  0x410
#define GPIORIS 0x414
#define GPIOMIS 0x418
#define GPIOIC  0x41c

#define SECOND  UINT64_C(1000000000)
#define KEY     0x08
#define DATA(n) ((uint64_t)(n) << 2)

static struct fake_irq irq;
static struct fake_timer timer;
static struct pl061 gpio;

static int setup(void **state)
{
	(void)state;
	irq = (struct fake_irq){0};
	timer = (struct fake_timer){0};
	fake_monotonic_ns = 5 * SECOND;
	pl061_init(&gpio, &(struct pl061_options){
				  .irq = fake_irq_line(&irq),
				  .key_line = 3,
				  .timer = fake_timer_host(&timer),
				  .read_clock = fake_read_clock,
			  });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pl061_fini(&gpio);
	return 0;
}

static uint32_t readl(uint64_t offset)
{
	return (uint32_t)pl061_bus_ops.read(&gpio, offset, 4);
}

static void writel(uint32_t value, uint64_t offset)
{
	pl061_bus_ops.write(&gpio, offset, 4, value);
}

static void test_identity(void **state)
{
	(void)state;
	assert_primecell(&pl061_bus_ops, &gpio, 0x061);
}

/* As Linux's driver does it. */
static void test_bytes(void **state)
{
	(void)state;
	pl061_bus_ops.write(&gpio, GPIOIE, 1, KEY);
	assert_int_equal(pl061_bus_ops.read(&gpio, GPIOIE, 1), KEY);
	assert_int_equal(readl(GPIOIE), KEY);
	assert_true(pl061_power_key_is_enabled(&gpio));
}

/* 3.3.1: a write changes, and a read shows, the lines that the address names. */
static void test_data(void **state)
{
	(void)state;
	writel(0xf0, GPIODIR);
	writel(0xff, DATA(0x50));
	assert_int_equal(readl(DATA(0xff)), 0x50);
	assert_int_equal(readl(DATA(0x10)), 0x10);
	assert_int_equal(readl(DATA(0x80)), 0);
	writel(0, DATA(0x40));
	assert_int_equal(readl(DATA(0xff)), 0x10);
	assert_int_equal(readl(GPIODIR), 0xf0);
}

static void test_key_by_edges(void **state)
{
	(void)state;
	assert_false(pl061_power_key_is_enabled(&gpio));
	writel(KEY, GPIOIBE); /* as gpio-keys wants them */
	writel(KEY, GPIOIE);
	assert_true(pl061_power_key_is_enabled(&gpio));
	assert_false(irq.level);
	pl061_press_power_key(&gpio);
	assert_true(irq.level);
	assert_int_equal(readl(GPIOMIS), KEY);
	assert_int_equal(readl(DATA(KEY)), KEY);
	writel(KEY, GPIOIC);
	assert_false(irq.level);
	assert_true(timer.deadline_ns > fake_monotonic_ns);
	fake_monotonic_ns = timer.deadline_ns;
	pl061_tick(&gpio);
	assert_true(irq.level);
	assert_int_equal(readl(DATA(KEY)), 0);
	writel(0, GPIOIE);
	assert_false(irq.level);
	assert_int_equal(readl(GPIORIS), KEY);
	assert_int_equal(readl(GPIOMIS), 0);
}

static void test_key_by_one_edge(void **state)
{
	(void)state;
	writel(KEY, GPIOIEV);
	writel(KEY, GPIOIE);
	pl061_press_power_key(&gpio);
	assert_int_equal(readl(GPIORIS), KEY);
	writel(KEY, GPIOIC);
	pl061_tick(&gpio);
	assert_int_equal(readl(GPIORIS), 0);
	writel(0, GPIOIEV);
	pl061_press_power_key(&gpio);
	assert_int_equal(readl(GPIORIS), 0);
	pl061_tick(&gpio);
	assert_int_equal(readl(GPIORIS), KEY);
}

static void test_key_by_level(void **state)
{
	(void)state;
	writel(KEY, GPIOIS);
	writel(KEY, GPIOIEV);
	writel(KEY, GPIOIE);
	assert_false(irq.level);
	pl061_press_power_key(&gpio);
	assert_true(irq.level);
	writel(0xff, GPIOIC); /* the line is still high */
	assert_true(irq.level);
	pl061_tick(&gpio);
	assert_false(irq.level);
	writel(0, GPIOIEV);
	assert_true(irq.level);
}

/* A line that the guest drives is not the key's. */
static void test_key_as_output(void **state)
{
	(void)state;
	writel(KEY, GPIODIR);
	writel(KEY, GPIOIE);
	writel(KEY, GPIOIBE);
	assert_false(pl061_power_key_is_enabled(&gpio));
	pl061_press_power_key(&gpio);
	assert_false(irq.level);
	assert_int_equal(readl(DATA(KEY)), 0);
	writel(KEY, DATA(KEY));
	assert_true(irq.level);
}

static void test_reset(void **state)
{
	(void)state;
	for (uint64_t offset = GPIODIR; offset <= GPIOIE; offset += 4)
		writel(0xff, offset);
	pl061_press_power_key(&gpio);
	pl061_reset(&gpio);
	assert_false(irq.level);
	assert_int_equal(timer.deadline_ns, 0);
	for (uint64_t offset = 0; offset < 0xfe0; offset += 4)
		assert_int_equal(readl(offset), 0);
}

static void test_odd_accesses(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < PL061_BYTES; offset++) {
		for (unsigned int size = 1; size <= 8; size *= 2) {
			if (size <= 4 && offset % 4 == 0)
				continue;
			pl061_bus_ops.write(&gpio, offset, size, UINT64_MAX);
			assert_int_equal(pl061_bus_ops.read(&gpio, offset, size), 0);
		}
	}
	assert_int_equal(readl(GPIODIR), 0);
	for (uint64_t offset = 0; offset < PL061_BYTES; offset += 4)
		writel(UINT32_MAX, offset);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_by_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_by_one_edge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_by_level, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_as_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_accesses, setup, teardown),
	};

	return cmocka_run_group_tests_name("pl061", tests, NULL, NULL);
}
