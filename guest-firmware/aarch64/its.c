/* See its.h. */
#include "its.h"

#include "clock.h"
#include "cpu.h"
#include "gic.h"
#include "mmio.h"
#include "tree.h"

#include <stddef.h>

#define CTLR_ENABLED   1u
#define CTLR_QUIESCENT (1u << 31)

#define TYPER_ENTRY_SHIFT  4 /* bytes of an event's entry, less 1 */
#define TYPER_ENTRY_MASK   0xf
#define TYPER_BY_ADDRESS   (UINT64_C(1) << 19) /* how commands name a redistributor */
#define PROCESSOR_SHIFT    8                   /* of GICR_TYPER */
#define PROCESSOR_MASK     0xffff
#define TARGET_SHIFT       16
#define COMMAND_TYPE_SHIFT 32 /* of what stands above the command, or below the number */

/* CBASER, BASER: write-back memory that the inner domain shares. */
#define INNER_CACHED     (UINT64_C(7) << 59)
#define INNER_SHAREABLE  (UINT64_C(1) << 10)
#define BASER_TYPE_SHIFT 56
#define BASER_TYPE_MASK  7
#define BASER_PAGE_SHIFT 8
#define BASER_PAGE_MASK  (UINT64_C(3) << BASER_PAGE_SHIFT)
#define TYPE_DEVICES     1
#define TYPE_COLLECTIONS 4
#define PAGE_CHOICES     3 /* 4, 16 and 64 KiB */

/* GICR_PROPBASER, GICR_PENDBASER. */
#define GICR_CTLR         0x00
#define GICR_TYPER        0x08
#define GICR_PROPBASER    0x70
#define GICR_PENDBASER    0x78
#define CTLR_MESSAGES     1u
#define TABLE_CACHED      (UINT64_C(7) << 7)
#define PENDING_ALL_CLEAR (UINT64_C(1) << 62)
#define NUMBER_BITS       14   /* up to GIC_MESSAGE_FIRST + ITS_MESSAGES */
#define PROPERTY_ENABLED  0xa3 /* priority 0xa0, group 1 */

#define ALIGNMENT        0x10000 /* what any of the tables asks for */
#define TABLE_BYTES      0x10000
#define QUEUE_BYTES      0x10000
#define QUEUE_PAGES      (QUEUE_BYTES / 4096)
#define COMMAND_BYTES    sizeof(struct its_command)
#define EVENT_BITS       6
#define ENTRY_BYTES_MAX  16
#define EVENT_TABLE_UNIT 256

_Static_assert(1 << EVENT_BITS == ITS_EVENTS, "bits of an event");
_Static_assert(1 << NUMBER_BITS == GIC_MESSAGE_FIRST + ITS_MESSAGES, "bits of a number");

#define TABLE(name, bytes) static uint8_t name[bytes] __attribute__((aligned(ALIGNMENT)))

TABLE(queue, QUEUE_BYTES);
TABLE(devices, TABLE_BYTES);
TABLE(collections, TABLE_BYTES);
TABLE(pending[ITS_CPUS_MAX], TABLE_BYTES);
TABLE(properties, ITS_MESSAGES);
static uint8_t events[ITS_DEVICES_MAX][ITS_EVENTS * ENTRY_BYTES_MAX]
	__attribute__((aligned(EVENT_TABLE_UNIT)));
static uint32_t known[ITS_DEVICES_MAX];
static unsigned int known_count;
static uint64_t base;
static uint64_t redistributors[ITS_CPUS_MAX];
static uint64_t targets[ITS_CPUS_MAX]; /* what commands call them */

uint64_t its_base(void)
{
	return gic_version() == 3 ? tree_cells("msi-controller", "reg", 0) : 0;
}

static bool wait_for(uint64_t at, uint32_t mask, uint32_t value)
{
	const uint64_t start = clock_count();

	while ((mmio_read32(at) & mask) != value)
		if (!clock_has_patience(start))
			return false;
	return true;
}

static void set_low_bit(uint64_t at, bool on)
{
	const uint32_t value = mmio_read32(at);

	mmio_write32(at, on ? value | 1 : value & ~1u);
}

void its_close(void)
{
	base = its_base();
	if (!base)
		return;
	set_low_bit(base + ITS_CTLR, false);
	(void)wait_for(base + ITS_CTLR, CTLR_QUIESCENT, CTLR_QUIESCENT);
	for (unsigned int i = 0; i < ITS_CPUS_MAX; i++)
		if (redistributors[i])
			set_low_bit(redistributors[i] + GICR_CTLR, false);
	known_count = 0;
}

/* Pages as large as the register takes. */
static bool set_table(uint64_t at, const uint8_t *table)
{
	static const uint32_t page_bytes[PAGE_CHOICES] = {0x1000, 0x4000, 0x10000};

	for (unsigned int choice = PAGE_CHOICES; choice-- > 0;) {
		const uint64_t value = ITS_VALID | INNER_CACHED | INNER_SHAREABLE |
		                       (uintptr_t)table | (uint64_t)choice << BASER_PAGE_SHIFT |
		                       (TABLE_BYTES / page_bytes[choice] - 1);
		uint64_t found;

		mmio_write64(at, value);
		found = mmio_read64(at);
		if ((found & ITS_VALID) && (found & BASER_PAGE_MASK) == (uint64_t)choice
										<< BASER_PAGE_SHIFT)
			return true;
	}
	return false;
}

static bool set_tables(void)
{
	unsigned int found = 0;

	for (uint64_t i = 0; i < ITS_BASERS; i++) {
		const uint64_t at = base + ITS_BASER + 8 * i;
		const uint64_t type = mmio_read64(at) >> BASER_TYPE_SHIFT & BASER_TYPE_MASK;

		if (type == TYPE_DEVICES)
			found += set_table(at, devices);
		else if (type == TYPE_COLLECTIONS)
			found += set_table(at, collections);
	}
	return found >= 1; /* collections may be in the ITS itself */
}

static uint64_t target_of(uint64_t redistributor)
{
	const uint64_t type = mmio_read64(redistributor + GICR_TYPER);

	if (mmio_read64(base + ITS_TYPER) & TYPER_BY_ADDRESS)
		return redistributor;
	return (type >> PROCESSOR_SHIFT & PROCESSOR_MASK) << TARGET_SHIFT;
}

static void start_messages(unsigned int index, uint64_t redistributor)
{
	redistributors[index] = redistributor;
	targets[index] = target_of(redistributor);
	set_low_bit(redistributor + GICR_CTLR, false);
	mmio_write64(redistributor + GICR_PROPBASER,
		(uintptr_t)properties | INNER_SHAREABLE | TABLE_CACHED | (NUMBER_BITS - 1));
	mmio_write64(redistributor + GICR_PENDBASER,
		(uintptr_t)pending[index] | INNER_SHAREABLE | TABLE_CACHED | PENDING_ALL_CLEAR);
	__asm__ volatile("dsb sy" : : : "memory");
	set_low_bit(redistributor + GICR_CTLR, true);
}

static bool synchronize(unsigned int index)
{
	return its_do((struct its_command){{ITS_SYNC, 0, targets[index], 0}});
}

static bool map_collection(unsigned int index)
{
	return its_do((struct its_command){{ITS_MAPC, 0, ITS_VALID | targets[index] | index, 0}}) &&
	       synchronize(index);
}

static uint64_t entry_bytes(void)
{
	return (mmio_read64(base + ITS_TYPER) >> TYPER_ENTRY_SHIFT & TYPER_ENTRY_MASK) + 1;
}

bool its_open(void)
{
	const uint64_t own = gic_redistributor();

	its_close();
	if (!base || !own || !set_tables() || entry_bytes() > ENTRY_BYTES_MAX)
		return false;
	for (unsigned int i = 0; i < ITS_CPUS_MAX; i++)
		redistributors[i] = 0;
	for (unsigned int i = 0; i < ITS_MESSAGES; i++)
		properties[i] = 0;
	start_messages(0, own);
	mmio_write64(base + ITS_CBASER,
		ITS_VALID | INNER_CACHED | INNER_SHAREABLE | (uintptr_t)queue | (QUEUE_PAGES - 1));
	mmio_write64(base + ITS_CWRITER, 0);
	set_low_bit(base + ITS_CTLR, true);
	return map_collection(0);
}

bool its_do(struct its_command command)
{
	const uint64_t at = mmio_read64(base + ITS_CWRITER) % QUEUE_BYTES;
	const uint64_t next = (at + COMMAND_BYTES) % QUEUE_BYTES;
	volatile uint64_t *place = (volatile uint64_t *)(uintptr_t)(queue + at);

	for (unsigned int i = 0; i < 4; i++)
		place[i] = command.words[i];
	__asm__ volatile("dsb sy" : : : "memory");
	mmio_write64(base + ITS_CWRITER, next);
	return wait_for(base + ITS_CREADR, UINT32_MAX, (uint32_t)next);
}

static uint64_t head(uint32_t device, uint32_t type)
{
	return (uint64_t)device << COMMAND_TYPE_SHIFT | type;
}

static bool know_device(uint32_t device)
{
	unsigned int i = 0;

	while (i < known_count && known[i] != device)
		i++;
	if (i < known_count)
		return true;
	if (i == ITS_DEVICES_MAX)
		return false;
	known[known_count++] = device;
	return its_do((struct its_command){
		{head(device, ITS_MAPD), EVENT_BITS - 1, ITS_VALID | (uintptr_t)events[i], 0}});
}

bool its_map(uint32_t device, uint32_t event, uint32_t number)
{
	if (!base || event >= ITS_EVENTS || number < GIC_MESSAGE_FIRST ||
		number >= GIC_MESSAGE_FIRST + ITS_MESSAGES || !know_device(device))
		return false;
	((volatile uint8_t *)properties)[number - GIC_MESSAGE_FIRST] = PROPERTY_ENABLED;
	return its_do((struct its_command){{head(device, ITS_MAPTI),
		       (uint64_t)number << COMMAND_TYPE_SHIFT | event, 0, 0}}) &&
	       its_do((struct its_command){{head(device, ITS_INV), event, 0, 0}}) && synchronize(0);
}

bool its_raise(uint32_t device, uint32_t event)
{
	return base && its_do((struct its_command){{head(device, ITS_INT), event, 0, 0}});
}

bool its_add_processor(unsigned int index, uint64_t affinity)
{
	const uint64_t redistributor = gic_redistributor_of(affinity);

	if (!base || !index || index >= ITS_CPUS_MAX || !redistributor)
		return false;
	start_messages(index, redistributor);
	return map_collection(index);
}

bool its_move(uint32_t device, uint32_t event, unsigned int index)
{
	return base && its_do((struct its_command){{head(device, ITS_MOVI), event, index, 0}}) &&
	       synchronize(index);
}
