/*
 * See acpi.h. The static tables; the DSDT's body is in acpi_dsdt.c.
 *
 * A full ACPI machine, not a hardware-reduced one: PM1a registers and the PM timer in ports, an SCI
 * and a power button in fixed hardware, no SMI command port (ACPI mode is always on), no GPEs.
 * APIC ids are the CPUs' indices. Everything lies below 4 GiB.
 */
#include "acpi.h"

#include "acpi_dsdt.h"
#include "blob.h"
#include "layout.h"

#include <errno.h>
#include <inttypes.h>

#define OEM_ID       "HULL  "
#define OEM_REVISION 1

/* ACPI 6.5 5.2.6: the header of every table but RSDP and FACS. */
#define HEADER_BYTES    36
#define HEADER_LENGTH   4
#define HEADER_CHECKSUM 9

#define RSDP_BYTES                36
#define RSDP_CHECKSUM             8 /* over the first 20 bytes, all that ACPI 1.0 knew */
#define RSDP_BYTES_1_0            20
#define RSDP_XSDT                 24
#define RSDP_CHECKSUM_EXTENDED    32
#define FACS_BYTES                64
#define FACS_ALIGNMENT            64
#define TABLE_ALIGNMENT           8
#define GENERIC_ADDRESS_BYTES     12
#define ADDRESS_SPACE_IO          1
#define FADT_REVISION             6
#define FADT_MINOR_REVISION       5
#define PROFILE_ENTERPRISE_SERVER 4

/* ACPI 6.5 5.2.9, "Fixed Feature Flags". */
enum {
	FADT_WBINVD = 1U << 0,
	FADT_PROC_C1 = 1U << 2,
	FADT_SLP_BUTTON = 1U << 5, /* none in fixed hardware; a clear PWR_BUTTON means there is */
	FADT_FIX_RTC = 1U << 6,    /* no RTC wake status in the PM1 block */
	FADT_TMR_VAL_EXT = 1U << 8,
	FADT_RESET_REG_SUP = 1U << 10,
	FADT_HEADLESS = 1U << 12,
};

/* ACPI 6.5 5.2.9.3, "IA-PC Boot Architecture Flags". No 8042: there is nothing to probe. */
enum {
	BOOT_LEGACY_DEVICES = 1U << 0,
	BOOT_VGA_NOT_PRESENT = 1U << 2,
	BOOT_CMOS_RTC_NOT_PRESENT = 1U << 5,
};

#define PM1_EVENT_BYTES 4
#define PM1_CNT_BYTES   2
#define PM_TIMER_BYTES  4

#define NO_C_STATE_2_US 0x0fff /* latencies beyond 100 and 1000 us: the states do not exist */
#define NO_C_STATE_3_US 0x0fff

/* ACPI 6.5 5.2.12: MADT entries. */
enum {
	MADT_LOCAL_APIC = 0,
	MADT_IO_APIC = 1,
	MADT_SOURCE_OVERRIDE = 2,
	MADT_LOCAL_APIC_NMI = 4,
	MADT_LOCAL_X2APIC = 9,
	MADT_LOCAL_X2APIC_NMI = 10,
};

#define MADT_REVISION          5
#define MADT_PCAT_COMPAT       1 /* a pair of 8259s, too */
#define MADT_CPU_ENABLED       1
#define INTI_LEVEL_ACTIVE_HIGH 0x000d
#define INTI_AS_THE_BUS_HAS_IT 0
#define NMI_LINT               1
#define XAPIC_IDS              255 /* ids below fit a Local APIC entry; 255 is its broadcast */

/* The tables under way. */
struct acpi {
	struct blob blob;
	const struct board *board;
	const struct board_device *power;
	uint64_t base;
	uint32_t facs, dsdt;
	uint64_t listed[4]; /* what the XSDT points to */
	unsigned int listed_count;
};

static const struct board_device *find_device(
	const struct board *board, enum board_device_kind kind)
{
	for (unsigned int i = 0; i < board->device_count; i++)
		if (board->devices[i].kind == kind)
			return &board->devices[i];
	return NULL;
}

static uint64_t next_address(struct acpi *acpi, size_t alignment)
{
	blob_align(&acpi->blob, alignment);
	return acpi->base + acpi->blob.length;
}

/* ACPI 6.5 5.2.6. Returns the table's offset, for table_end. */
static size_t table_begin(struct acpi *acpi, const char signature[4], uint8_t revision)
{
	struct blob *blob = &acpi->blob;
	size_t start;

	blob_align(blob, TABLE_ALIGNMENT);
	start = blob->length;
	blob_bytes(blob, signature, 4);
	blob_u32(blob, 0); /* length and checksum: table_end */
	blob_u8(blob, revision);
	blob_u8(blob, 0);
	blob_bytes(blob, OEM_ID, 6);
	blob_bytes(blob, "HULL", 4); /* OEM table id */
	blob_bytes(blob, signature, 4);
	blob_u32(blob, OEM_REVISION);
	blob_bytes(blob, "HULL", 4); /* creator */
	blob_u32(blob, OEM_REVISION);
	return start;
}

static void table_end(struct acpi *acpi, size_t start)
{
	size_t length = acpi->blob.length - start;

	blob_patch_u32(&acpi->blob, start + HEADER_LENGTH, (uint32_t)length);
	blob_patch_checksum(&acpi->blob, start, length, start + HEADER_CHECKSUM);
}

static void list_table(struct acpi *acpi, size_t start)
{
	acpi->listed[acpi->listed_count++] = acpi->base + start;
}

/* ACPI 6.5 5.2.10. */
static void add_facs(struct acpi *acpi)
{
	struct blob *blob = &acpi->blob;

	acpi->facs = (uint32_t)next_address(acpi, FACS_ALIGNMENT);
	blob_bytes(blob, "FACS", 4);
	blob_u32(blob, FACS_BYTES);
	blob_zeros(blob, 24); /* no signature, no waking vectors, no lock, no flags */
	blob_u8(blob, 2);     /* version */
	blob_zeros(blob, 31);
}

static void add_dsdt(struct acpi *acpi)
{
	size_t start = table_begin(acpi, "DSDT", 2); /* 2: integers of 64 bits */

	acpi->dsdt = (uint32_t)(acpi->base + start);
	acpi_dsdt_body(&acpi->blob, acpi->board);
	table_end(acpi, start);
}

static uint16_t boot_architecture(const struct board *board)
{
	unsigned int flags = BOOT_VGA_NOT_PRESENT;

	if (find_device(board, BOARD_UART_16550))
		flags |= BOOT_LEGACY_DEVICES;
	if (!find_device(board, BOARD_RTC_CMOS))
		flags |= BOOT_CMOS_RTC_NOT_PRESENT;
	return (uint16_t)flags;
}

/* A register in ports, read and written access_bytes at a time (ACPI 6.5 5.2.3.2). */
static void add_port_address(
	struct blob *blob, uint64_t port, uint8_t size_bytes, uint8_t access_bytes)
{
	blob_u8(blob, ADDRESS_SPACE_IO);
	blob_u8(blob, (uint8_t)(8 * size_bytes));
	blob_u8(blob, 0);
	blob_u8(blob, access_bytes == 4 ? 3 : access_bytes);
	blob_u64(blob, port);
}

/* The FADT's first half, in the widths of ACPI 1.0. */
static void add_fadt_legacy(struct acpi *acpi)
{
	struct blob *blob = &acpi->blob;
	uint32_t ports = (uint32_t)acpi->power->base;

	blob_u32(blob, acpi->facs);
	blob_u32(blob, acpi->dsdt);
	blob_u8(blob, 0);
	blob_u8(blob, PROFILE_ENTERPRISE_SERVER);
	blob_u16(blob, (uint16_t)acpi->power->irq); /* SCI_INT */
	blob_zeros(blob, 8);                        /* SMI_CMD and the commands: none */
	blob_u32(blob, ports + POWER_PM1_EVENT);
	blob_u32(blob, 0);
	blob_u32(blob, ports + POWER_PM1_CNT);
	blob_zeros(blob, 8); /* PM1b_CNT, PM2_CNT */
	blob_u32(blob, ports + POWER_PM_TIMER);
	blob_zeros(blob, 8); /* GPE0, GPE1 */
	blob_u8(blob, PM1_EVENT_BYTES);
	blob_u8(blob, PM1_CNT_BYTES);
	blob_u8(blob, 0);
	blob_u8(blob, PM_TIMER_BYTES);
	blob_zeros(blob, 4); /* lengths of GPE0 and GPE1, GPE1_BASE, CST_CNT */
	blob_u16(blob, NO_C_STATE_2_US);
	blob_u16(blob, NO_C_STATE_3_US);
	blob_zeros(blob, 8); /* flush, duty cycle, RTC alarm */
	blob_u8(blob, find_device(acpi->board, BOARD_RTC_CMOS) ? RTC_CENTURY_INDEX : 0);
	blob_u16(blob, boot_architecture(acpi->board));
	blob_u8(blob, 0);
	blob_u32(blob, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC |
			       FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP | FADT_HEADLESS);
}

/* ACPI 6.5 5.2.9. */
static void add_fadt(struct acpi *acpi)
{
	struct blob *blob = &acpi->blob;
	uint64_t ports = acpi->power->base;
	size_t start = table_begin(acpi, "FACP", FADT_REVISION);

	list_table(acpi, start);
	add_fadt_legacy(acpi);
	add_port_address(blob, PIO_RESET, 1, 1);
	blob_u8(blob, RESET_VALUE);
	blob_u16(blob, 0); /* Arm boot flags */
	blob_u8(blob, FADT_MINOR_REVISION);
	blob_u64(blob, 0); /* X_FIRMWARE_CTRL: the FACS has one address, the one above */
	blob_u64(blob, acpi->dsdt);
	add_port_address(blob, ports + POWER_PM1_EVENT, PM1_EVENT_BYTES, 2);
	blob_zeros(blob, GENERIC_ADDRESS_BYTES);
	add_port_address(blob, ports + POWER_PM1_CNT, PM1_CNT_BYTES, 2);
	blob_zeros(blob, 2 * GENERIC_ADDRESS_BYTES); /* PM1b_CNT, PM2_CNT */
	add_port_address(blob, ports + POWER_PM_TIMER, PM_TIMER_BYTES, 4);
	blob_zeros(blob, 4 * GENERIC_ADDRESS_BYTES); /* GPE0, GPE1, sleep control and status */
	blob_bytes(blob, "HULL\0\0\0\0", 8);         /* hypervisor vendor identity */
	table_end(acpi, start);
}

/* ACPI 6.5 5.2.12.2 and 5.2.12.12. */
static void add_processor(struct blob *blob, unsigned int id)
{
	if (id < XAPIC_IDS) {
		blob_u8(blob, MADT_LOCAL_APIC);
		blob_u8(blob, 8);
		blob_u8(blob, (uint8_t)id); /* _UID */
		blob_u8(blob, (uint8_t)id); /* APIC id */
		blob_u32(blob, MADT_CPU_ENABLED);
		return;
	}
	blob_u8(blob, MADT_LOCAL_X2APIC);
	blob_u8(blob, 16);
	blob_u16(blob, 0);
	blob_u32(blob, id); /* APIC id */
	blob_u32(blob, MADT_CPU_ENABLED);
	blob_u32(blob, id); /* _UID */
}

/* ACPI 6.5 5.2.12.5. ISA interrupts without an override are identity-mapped, edge-triggered and
 * active high. That holds for IRQ 0, too: KVM's own routing leads the PIT to pin 0 of the I/O APIC,
 * not to pin 2 as on a PC. */
static void add_sci_override(struct blob *blob, unsigned int sci)
{
	blob_u8(blob, MADT_SOURCE_OVERRIDE);
	blob_u8(blob, 10);
	blob_u8(blob, 0); /* bus: ISA */
	blob_u8(blob, (uint8_t)sci);
	blob_u32(blob, sci);
	blob_u16(blob, INTI_LEVEL_ACTIVE_HIGH);
}

/* NMIs come in at LINT1 of every CPU (ACPI 6.5 5.2.12.7, 5.2.12.13). */
static void add_nmi_lines(struct blob *blob, unsigned int cpu_count)
{
	blob_u8(blob, MADT_LOCAL_APIC_NMI);
	blob_u8(blob, 6);
	blob_u8(blob, UINT8_MAX); /* all processors */
	blob_u16(blob, INTI_AS_THE_BUS_HAS_IT);
	blob_u8(blob, NMI_LINT);
	if (cpu_count <= XAPIC_IDS)
		return;
	blob_u8(blob, MADT_LOCAL_X2APIC_NMI);
	blob_u8(blob, 12);
	blob_u16(blob, INTI_AS_THE_BUS_HAS_IT);
	blob_u32(blob, UINT32_MAX);
	blob_u8(blob, NMI_LINT);
	blob_zeros(blob, 3);
}

/* ACPI 6.5 5.2.12. */
static void add_madt(struct acpi *acpi)
{
	struct blob *blob = &acpi->blob;
	size_t start = table_begin(acpi, "APIC", MADT_REVISION);

	list_table(acpi, start);
	blob_u32(blob, (uint32_t)LAPIC_ADDRESS);
	blob_u32(blob, MADT_PCAT_COMPAT);
	for (unsigned int i = 0; i < acpi->board->cpu_count; i++)
		add_processor(blob, i);
	blob_u8(blob, MADT_IO_APIC);
	blob_u8(blob, 12);
	blob_u8(blob, IOAPIC_ID);
	blob_u8(blob, 0);
	blob_u32(blob, (uint32_t)IOAPIC_ADDRESS);
	blob_u32(blob, 0); /* its first GSI */
	add_sci_override(blob, acpi->power->irq);
	add_nmi_lines(blob, acpi->board->cpu_count);
	table_end(acpi, start);
}

/* PCI Firmware 3.3 4.1.2. */
static void add_mcfg(struct acpi *acpi)
{
	struct blob *blob = &acpi->blob;
	size_t start = table_begin(acpi, "MCFG", 1);

	list_table(acpi, start);
	blob_zeros(blob, 8);
	blob_u64(blob, acpi->board->pci.ecam_base);
	blob_u16(blob, 0); /* segment */
	blob_u8(blob, 0);  /* first bus */
	blob_u8(blob, (uint8_t)(acpi->board->pci.bus_count - 1));
	blob_u32(blob, 0);
	table_end(acpi, start);
}

/* ACPI 6.5 5.2.5.3, with room for the address of the XSDT. */
static void begin_rsdp(struct acpi *acpi)
{
	struct blob *blob = &acpi->blob;

	blob_bytes(blob, "RSD PTR ", 8);
	blob_u8(blob, 0);
	blob_bytes(blob, OEM_ID, 6);
	blob_u8(blob, 2);  /* revision */
	blob_u32(blob, 0); /* no RSDT */
	blob_u32(blob, RSDP_BYTES);
	blob_zeros(blob, RSDP_BYTES - RSDP_XSDT);
}

/* ACPI 6.5 5.2.8; it knows all other tables by now. */
static void add_xsdt(struct acpi *acpi)
{
	size_t start = table_begin(acpi, "XSDT", 1);

	for (unsigned int i = 0; i < acpi->listed_count; i++)
		blob_u64(&acpi->blob, acpi->listed[i]);
	table_end(acpi, start);
	blob_patch_u32(&acpi->blob, RSDP_XSDT, (uint32_t)(acpi->base + start));
	blob_patch_checksum(&acpi->blob, 0, RSDP_BYTES_1_0, RSDP_CHECKSUM);
	blob_patch_checksum(&acpi->blob, 0, RSDP_BYTES, RSDP_CHECKSUM_EXTENDED);
}

static int check_pci(const struct board_pci *pci, struct err *err)
{
	if (!pci->present)
		return 0;
	if (pci->bus_count < 1 || pci->bus_count > 256)
		return err_set(err, EINVAL, "ACPI: a PCI segment has 1 to 256 buses, not %u",
			pci->bus_count);
	if (pci->window32_base > 4 * GIB || pci->window32_size > 4 * GIB - pci->window32_base)
		return err_set(err, EINVAL, "ACPI: the 32-bit PCI window ends above 4 GiB");
	return 0;
}

/* What the tables cannot express is a mistake in the machine's assembly. */
static int check_board(const struct board *board, struct err *err)
{
	if (board->cpu_count < 1 || board->cpu_count > ACPI_CPUS_MAX)
		return err_set(err, EINVAL, "ACPI: 1 to %d CPUs can be described, not %u",
			ACPI_CPUS_MAX, board->cpu_count);
	if (board->device_count > BOARD_DEVICES_MAX)
		return err_set(err, EINVAL, "ACPI: the board claims %u devices and holds %d",
			board->device_count, BOARD_DEVICES_MAX);
	if (!find_device(board, BOARD_POWER))
		return err_set(err, EINVAL, "ACPI: the board has no power management block");
	for (unsigned int i = 0; i < board->device_count; i++) {
		const struct board_device *device = &board->devices[i];

		if (device->kind == BOARD_VIRTIO_MMIO && device->size >= 1 &&
			device->size <= UINT32_MAX &&
			device->base <= UINT32_MAX + UINT64_C(1) - device->size)
			continue;
		if (device->size < 1 || device->size > UINT8_MAX ||
			device->base > UINT16_MAX + UINT64_C(1) - device->size)
			return err_set(err, EINVAL,
				"ACPI: the device at 0x%" PRIx64 " with 0x%" PRIx64
				" bytes is not in its address space",
				device->base, device->size);
	}
	return check_pci(&board->pci, err);
}

int acpi_build(const struct board *board, uint64_t base, uint8_t *buffer, size_t capacity,
	size_t *ret_length, struct err *err)
{
	struct acpi acpi = {
		.blob = {.data = buffer, .capacity = capacity},
		.board = board,
		.base = base,
	};
	int error = check_board(board, err);

	if (error)
		return error;
	if (base % FACS_ALIGNMENT || base > 4 * GIB || capacity > 4 * GIB - base)
		return err_set(err, EINVAL,
			"ACPI: tables at 0x%" PRIx64 " are misaligned or reach beyond 4 GiB", base);
	acpi.power = find_device(board, BOARD_POWER);
	begin_rsdp(&acpi);
	add_facs(&acpi);
	add_dsdt(&acpi);
	add_fadt(&acpi);
	add_madt(&acpi);
	if (board->pci.present)
		add_mcfg(&acpi);
	add_xsdt(&acpi);
	if (acpi.blob.overflow)
		return err_set(err, ENOSPC,
			"ACPI: the tables for %u CPUs do not fit into %zu bytes", board->cpu_count,
			capacity);
	*ret_length = acpi.blob.length;
	return 0;
}
