/* See apic.h. SDM 3A "Advanced Programmable Interrupt Controller". */
#include "apic.h"

#include "cpu.h"
#include "paging.h"
#include "trap.h"

#define MSR_APIC_BASE     0x1b
#define APIC_BASE_X2APIC  (1u << 10)
#define APIC_BASE_ENABLED (1u << 11)
#define APIC_BASE_ADDRESS UINT64_C(0xfffff000)
#define MSR_X2APIC        0x800
#define CPUID_X2APIC      (1u << 21)
#define SPURIOUS_ENABLED  (1u << 8)
#define COMMAND_PENDING   (1u << 12)
#define PENDING_POLLS_MAX 100000

#define IOAPIC_VERSION     1
#define IOAPIC_REDIRECTION 0x10
#define REDIRECTION_MASKED (1u << 16)
#define REDIRECTION_LEVEL  (1u << 15)
#define REDIRECTION_LOW    (1u << 13)

static bool x2apic;
static volatile uint32_t *page;

bool apic_is_x2apic(void)
{
	return x2apic;
}

uint32_t apic_read(uint32_t offset)
{
	if (x2apic)
		return (uint32_t)msr_read(MSR_X2APIC + offset / 16);
	return page[offset / sizeof(*page)];
}

void apic_write(uint32_t offset, uint32_t value)
{
	if (x2apic)
		msr_write(MSR_X2APIC + offset / 16, value);
	else
		page[offset / sizeof(*page)] = value;
}

uint32_t apic_id(void)
{
	return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_end_of_interrupt(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t id, uint32_t command)
{
	if (x2apic) {
		msr_write(MSR_X2APIC + APIC_COMMAND / 16, (uint64_t)id << 32 | command);
		return;
	}
	apic_write(APIC_COMMAND_HIGH, id << 24);
	apic_write(APIC_COMMAND, command);
	for (unsigned int i = 0; i < PENDING_POLLS_MAX; i++) {
		if (!(apic_read(APIC_COMMAND) & COMMAND_PENDING))
			return;
	}
}

void apic_enable(void)
{
	uint64_t base = msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLED;

	msr_write(MSR_APIC_BASE, base);
	if (x2apic)
		msr_write(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLED | VECTOR_SPURIOUS);
}

void apic_init(bool keep_xapic)
{
	uint64_t base = msr_read(MSR_APIC_BASE);

	/* A loader that has left x2APIC mode on has decided: there is no direct way back. */
	x2apic = (base & APIC_BASE_X2APIC) ||
	         (!keep_xapic && (cpuid_read(1, 0).ecx & CPUID_X2APIC));
	page = physical(base & APIC_BASE_ADDRESS);
	if (paging_map(base & APIC_BASE_ADDRESS, 4096))
		apic_enable();
}

static volatile uint32_t *ioapic_window(uint32_t gsi, uint32_t *ret_pin)
{
	static struct acpi_madt madt;
	volatile uint32_t *window;

	if (!madt.ioapic_address && (!acpi_read_madt(&madt) || !madt.ioapic_address))
		return 0;
	if (gsi < madt.ioapic_gsi_base || !paging_map(madt.ioapic_address, 4096))
		return 0;
	window = physical(madt.ioapic_address);
	window[0] = IOAPIC_VERSION;
	*ret_pin = gsi - madt.ioapic_gsi_base;
	return *ret_pin <= (window[4] >> 16 & 0xff) ? window : 0;
}

bool ioapic_route(struct acpi_interrupt interrupt, uint8_t vector, uint8_t apic_id)
{
	uint32_t pin;
	volatile uint32_t *window = ioapic_window(interrupt.gsi, &pin);

	if (!window)
		return false;
	window[0] = IOAPIC_REDIRECTION + 2 * pin + 1;
	window[4] = (uint32_t)apic_id << 24;
	window[0] = IOAPIC_REDIRECTION + 2 * pin;
	window[4] = vector | (interrupt.level ? REDIRECTION_LEVEL : 0) |
	            (interrupt.active_low ? REDIRECTION_LOW : 0);
	return true;
}

void ioapic_mask(uint32_t gsi)
{
	uint32_t pin;
	volatile uint32_t *window = ioapic_window(gsi, &pin);

	if (!window)
		return;
	window[0] = IOAPIC_REDIRECTION + 2 * pin;
	window[4] = REDIRECTION_MASKED;
}
