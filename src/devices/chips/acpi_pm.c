/*
 * ACPI fixed hardware. See acpi_pm.h for the contract.
 *
 * ACPI 6.5 4.8.3 (PM1 registers and PM timer) and 16.1 (entering S5). There is no legacy mode to
 * leave: SCI_EN reads 1 from the start, as a FADT without SMI_CMD says. The registers may be
 * reached in any width and at any offset (4.8.3 only asks for their natural one), so each write is
 * cut into the bytes that fall on each register.
 */
#include "acpi_pm.h"

#include "clock.h"

#define PM1_STS 0x0
#define PM1_EN  0x2
#define PM1_CNT 0x4
#define PM_TMR  0x8

/* ACPI 6.5 4.8.3.1.1 and 4.8.3.1.2: the same bits in PM1_STS and PM1_EN. */
#define PM1_TMR    UINT16_C(0x0001)
#define PM1_GBL    UINT16_C(0x0020)
#define PM1_PWRBTN UINT16_C(0x0100)
#define PM1_SLPBTN UINT16_C(0x0200)
#define PM1_RTC    UINT16_C(0x0400)

/* ACPICA reads an enable bit back and calls hardware that forgot it broken. */
#define PM1_EN_WRITABLE (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC)

/* ACPI 6.5 4.8.3.2.1. GBL_RLS and SLP_EN read as zero. */
#define CNT_SCI_EN        UINT16_C(0x0001)
#define CNT_BM_RLD        UINT16_C(0x0002)
#define CNT_SLP_TYP       UINT16_C(0x1c00)
#define CNT_SLP_TYP_SHIFT 10
#define CNT_SLP_EN        UINT16_C(0x2000)
#define SLP_TYP_S5        5

#define PM_TIMER_HZ   UINT64_C(3579545)
#define TOP_BIT_SHIFT 31 /* of the 32-bit timer: it changes every 600 s */

static uint64_t timer_ticks(const struct acpi_pm *pm)
{
	uint64_t ns = pm->options.read_clock(CLOCK_MONOTONIC) - pm->start_ns;

	return (uint64_t)((__uint128_t)ns * PM_TIMER_HZ / NANOSECONDS_PER_SECOND);
}

static uint64_t half_turn_deadline_ns(const struct acpi_pm *pm, uint64_t half_turns)
{
	__uint128_t ticks = (__uint128_t)half_turns << TOP_BIT_SHIFT;

	return pm->start_ns + (uint64_t)(ticks * NANOSECONDS_PER_SECOND / PM_TIMER_HZ) + 1;
}

/* The timer's value. ACPI 6.5 4.8.3.1.1: TMR_STS is set whenever its top bit changes. */
static uint32_t update_timer(struct acpi_pm *pm)
{
	uint64_t ticks = timer_ticks(pm);

	if (ticks >> TOP_BIT_SHIFT != pm->half_turns_seen) {
		pm->half_turns_seen = ticks >> TOP_BIT_SHIFT;
		pm->status |= PM1_TMR;
	}
	return (uint32_t)ticks;
}

/* Makes the SCI and the timer follow the registers. */
static void settle(struct acpi_pm *pm)
{
	bool level = (pm->status & pm->enable) != 0;
	bool awaits_timer = (pm->enable & PM1_TMR) && !(pm->status & PM1_TMR);
	uint64_t deadline_ns = 0;

	if (level != pm->sci_level) {
		pm->sci_level = level;
		irq_set_level(&pm->options.sci, level);
	}
	if (awaits_timer)
		deadline_ns = half_turn_deadline_ns(pm, pm->half_turns_seen + 1);
	if (deadline_ns != pm->deadline_ns) {
		pm->deadline_ns = deadline_ns;
		timer_arm(&pm->options.timer, deadline_ns);
	}
}

static uint64_t acpi_pm_read(void *device, uint64_t offset, unsigned int size)
{
	struct acpi_pm *pm = device;
	__uint128_t block;

	if (offset >= ACPI_PM_PORTS)
		return UINT64_MAX;
	pthread_mutex_lock(&pm->lock);
	block = (__uint128_t)update_timer(pm) << (8 * PM_TMR);
	settle(pm);
	block |= (uint64_t)(pm->control | CNT_SCI_EN) << (8 * PM1_CNT);
	block |= (uint64_t)pm->enable << (8 * PM1_EN) | pm->status;
	pthread_mutex_unlock(&pm->lock);
	block >>= 8 * offset;
	return size >= 8 ? (uint64_t)block : (uint64_t)block & ((UINT64_C(1) << (8 * size)) - 1);
}

/* What a write leaves in the 16-bit register at the given offset; *ret_mask tells which of its
 * bits were written at all. */
static uint16_t written_part(uint64_t offset, unsigned int size, uint64_t value,
	uint64_t register_offset, uint16_t *ret_mask)
{
	unsigned int part = 0, mask = 0;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t at = register_offset + i;

		if (at < offset || at - offset >= size)
			continue;
		mask |= 0xffU << (8 * i);
		part |= (unsigned int)(value >> (8 * (at - offset)) & 0xff) << (8 * i);
	}
	*ret_mask = (uint16_t)mask;
	return (uint16_t)part;
}

static void acpi_pm_write(void *device, uint64_t offset, unsigned int size, uint64_t value)
{
	struct acpi_pm *pm = device;
	uint16_t part, mask;
	bool power_off;

	pthread_mutex_lock(&pm->lock);
	(void)update_timer(pm);

	part = written_part(offset, size, value, PM1_STS, &mask);
	pm->status = (uint16_t)(pm->status & ~part); /* write one to clear */

	part = written_part(offset, size, value, PM1_EN, &mask);
	pm->enable = (uint16_t)((pm->enable & ~mask) | (part & PM1_EN_WRITABLE));

	part = written_part(offset, size, value, PM1_CNT, &mask);
	pm->control = (uint16_t)((pm->control & ~mask) | (part & (CNT_BM_RLD | CNT_SLP_TYP)));
	power_off = (part & CNT_SLP_EN) &&
	            (pm->control & CNT_SLP_TYP) >> CNT_SLP_TYP_SHIFT == SLP_TYP_S5;

	settle(pm);
	pthread_mutex_unlock(&pm->lock);
	if (power_off)
		guest_end_report(&pm->options.end, GUEST_END_POWER_OFF, 0);
}

const struct bus_ops acpi_pm_bus_ops = {acpi_pm_read, acpi_pm_write};

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_options *options)
{
	*pm = (struct acpi_pm){
		.options = *options, .start_ns = options->read_clock(CLOCK_MONOTONIC)};
	(void)pthread_mutex_init(&pm->lock, NULL); /* cannot fail without attributes */
}

void acpi_pm_fini(struct acpi_pm *pm)
{
	(void)pthread_mutex_destroy(&pm->lock);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	(void)update_timer(pm);
	pm->status = 0;
	pm->enable = 0;
	pm->control = 0;
	settle(pm);
	pthread_mutex_unlock(&pm->lock);
}

void acpi_pm_tick(struct acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->deadline_ns = 0; /* it has fired: settle arms anew when it came early */
	(void)update_timer(pm);
	settle(pm);
	pthread_mutex_unlock(&pm->lock);
}

void acpi_pm_press_power_button(struct acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->status |= PM1_PWRBTN;
	settle(pm);
	pthread_mutex_unlock(&pm->lock);
}

bool acpi_pm_power_button_is_enabled(struct acpi_pm *pm)
{
	bool enabled;

	pthread_mutex_lock(&pm->lock);
	enabled = (pm->enable & PM1_PWRBTN) != 0;
	pthread_mutex_unlock(&pm->lock);
	return enabled;
}
