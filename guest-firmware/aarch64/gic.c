/* See gic.h. */
#include "gic.h"

#include "clock.h"
#include "cpu.h"
#include "mmio.h"
#include "tree.h"
#include "words.h"

/* The distributor, of which version 3 has private interrupts' part once for each processor. */
#define GICD_CTLR        0x0000
#define GICD_TYPER       0x0004
#define GICD_IGROUPR     0x0080
#define GICD_ISENABLER   0x0100
#define GICD_ICENABLER   0x0180
#define GICD_ISPENDR     0x0200
#define GICD_ICPENDR     0x0280
#define GICD_ICACTIVER   0x0380
#define GICD_IPRIORITYR  0x0400
#define GICD_ITARGETSR   0x0800 /* version 2 */
#define GICD_ICFGR       0x0c00
#define GICD_SGIR        0x0f00 /* version 2 */
#define GICD_IROUTER     0x6000 /* version 3 */
#define CTLR_ENABLE      0x01   /* version 2 */
#define CTLR_GROUP1_ARE  0x12   /* version 3 with one security state: group 1, affinity routing */
#define CTLR_PENDING     (1u << 31)
#define TYPER_LINES_MASK 0x1f
#define SGIR_MASK_SHIFT  16

/* Version 2's CPU interface. */
#define GICC_CTLR   0x00
#define GICC_PMR    0x04
#define GICC_IAR    0x0c
#define GICC_EOIR   0x10
#define NUMBER_MASK 0x3ff /* of IAR; the sender of a software interrupt stands above it */

/* Version 3's redistributors: two frames of 64 KiB each. */
#define GICR_TYPER           0x08
#define GICR_WAKER           0x14
#define GICR_PRIVATE         0x10000
#define GICR_BYTES           0x20000
#define WAKER_SLEEP          2
#define WAKER_ASLEEP         4
#define TYPER_AFFINITY_SHIFT 32
#define TYPER_LAST           0x10

/* Version 3's CPU interface, which assemblers for Armv8.0 do not know by name. */
#define ICC_PMR_EL1     "s3_0_c4_c6_0"
#define ICC_IAR1_EL1    "s3_0_c12_c12_0"
#define ICC_EOIR1_EL1   "s3_0_c12_c12_1"
#define ICC_SGI1R_EL1   "s3_0_c12_c11_5"
#define ICC_SRE_EL1     "s3_0_c12_c12_5"
#define ICC_IGRPEN1_EL1 "s3_0_c12_c12_7"

#define PRIORITY     0xa0
#define PRIORITY_ANY 0xff

static unsigned int version;
static uint64_t distributor, interface, redistributors, redistributors_bytes;

uint64_t gic_redistributor_of(uint64_t affinity)
{
	/* As TYPER has it: the four fields together. */
	const uint64_t packed = (affinity >> 32 << 24) | (affinity & 0xffffff);

	for (uint64_t at = 0; at + GICR_BYTES <= redistributors_bytes; at += GICR_BYTES) {
		const uint64_t type = mmio_read64(redistributors + at + GICR_TYPER);

		if (type >> TYPER_AFFINITY_SHIFT == packed)
			return redistributors + at;
		if (type & TYPER_LAST)
			break;
	}
	return 0;
}

uint64_t gic_redistributor(void)
{
	return gic_redistributor_of(cpu_affinity());
}

static uint64_t registers_of(uint32_t interrupt)
{
	return version == 3 && interrupt < GIC_SHARED_FIRST ? gic_redistributor() + GICR_PRIVATE
	                                                    : distributor;
}

bool gic_open(void)
{
	uint32_t length;
	const char *compatible = tree_property("interrupt-controller", "compatible", &length);
	const uint64_t second = tree_cells("interrupt-controller", "reg", 4);

	distributor = tree_cells("interrupt-controller", "reg", 0);
	if (!compatible || !distributor || !second)
		return false;
	if (string_equal(compatible, "arm,gic-v3")) {
		version = 3;
		redistributors = second;
		redistributors_bytes = tree_cells("interrupt-controller", "reg", 6);
		mmio_write32(distributor + GICD_CTLR, CTLR_GROUP1_ARE);
	} else if (string_equal(compatible, "arm,cortex-a15-gic") ||
		   string_equal(compatible, "arm,gic-400")) {
		version = 2;
		interface = second;
		mmio_write32(distributor + GICD_CTLR, CTLR_ENABLE);
	}
	return version != 0;
}

unsigned int gic_version(void)
{
	return version;
}

uint64_t gic_distributor(void)
{
	return distributor;
}

uint32_t gic_interrupts(void)
{
	return 32 * ((mmio_read32(distributor + GICD_TYPER) & TYPER_LINES_MASK) + 1);
}

static bool wake_redistributor(uint64_t redistributor)
{
	const uint64_t start = clock_count();
	const uint64_t waker = redistributor + GICR_WAKER;

	mmio_write32(waker, mmio_read32(waker) & ~(uint32_t)WAKER_SLEEP);
	while (mmio_read32(waker) & WAKER_ASLEEP)
		if (!clock_has_patience(start))
			return false;
	return true;
}

static bool start_version3(void)
{
	const uint64_t redistributor = gic_redistributor();

	if (!redistributor || !wake_redistributor(redistributor))
		return false;
	CPU_WRITE(ICC_SRE_EL1, CPU_READ(ICC_SRE_EL1) | 1);
	if (!(CPU_READ(ICC_SRE_EL1) & 1))
		return false;
	CPU_WRITE(ICC_PMR_EL1, PRIORITY_ANY);
	CPU_WRITE(ICC_IGRPEN1_EL1, 1);
	return true;
}

bool gic_start_processor(void)
{
	bool is_started = version == 2;

	if (version == 3)
		is_started = start_version3();
	if (version == 2) {
		mmio_write32(interface + GICC_PMR, PRIORITY_ANY);
		mmio_write32(interface + GICC_CTLR, 1);
	}
	for (uint32_t interrupt = 0; is_started && interrupt < GIC_PRIVATE_FIRST; interrupt++)
		gic_enable(interrupt);
	return is_started;
}

uint32_t gic_number(const char *node, unsigned int index)
{
	const uint32_t type = tree_cell(node, "interrupts", 3 * index);
	const uint32_t number = tree_cell(node, "interrupts", 3 * index + 1);

	if (!tree_cell(node, "interrupts", 3 * index + 2))
		return 0;
	return number + (type ? GIC_PRIVATE_FIRST : GIC_SHARED_FIRST);
}

static void set_bit(uint64_t registers, uint32_t interrupt)
{
	const uint64_t at = registers + interrupt / 32 * 4;

	mmio_write32(at, mmio_read32(at) | 1u << interrupt % 32);
}

static void route_to_self(uint32_t interrupt, bool by_edge)
{
	const uint64_t at = distributor + GICD_ICFGR + interrupt / 16 * 4;
	const uint32_t bit = 2u << interrupt % 16 * 2;

	mmio_write32(at, by_edge ? mmio_read32(at) | bit : mmio_read32(at) & ~bit);
	if (version == 3)
		mmio_write64(distributor + GICD_IROUTER + 8 * (uint64_t)interrupt, cpu_affinity());
	else
		mmio_write8(distributor + GICD_ITARGETSR + interrupt, (uint8_t)gic_self().mask);
}

static void enable(uint32_t interrupt, bool by_edge)
{
	const uint64_t registers = registers_of(interrupt);

	if (interrupt >= GIC_SHARED_FIRST)
		route_to_self(interrupt, by_edge);
	if (version == 3)
		set_bit(registers + GICD_IGROUPR, interrupt);
	mmio_write8(registers + GICD_IPRIORITYR + interrupt, PRIORITY);
	mmio_write32(registers + GICD_ISENABLER + interrupt / 32 * 4, 1u << interrupt % 32);
}

void gic_enable(uint32_t interrupt)
{
	enable(interrupt, false);
}

void gic_enable_edge(uint32_t interrupt)
{
	enable(interrupt, true);
}

void gic_disable(uint32_t interrupt)
{
	const uint64_t start = clock_count();
	const uint64_t registers = registers_of(interrupt);

	mmio_write32(registers + GICD_ICENABLER + interrupt / 32 * 4, 1u << interrupt % 32);
	while (version == 3 && registers == distributor && clock_has_patience(start))
		if (!(mmio_read32(distributor + GICD_CTLR) & CTLR_PENDING))
			break;
}

bool gic_is_pending(uint32_t interrupt)
{
	return mmio_read32(registers_of(interrupt) + GICD_ISPENDR + interrupt / 32 * 4) >>
	               interrupt % 32 &
	       1;
}

static void silence(uint64_t registers, uint32_t first, uint32_t end)
{
	for (uint32_t number = first; number < end; number += 32) {
		const uint64_t at = registers + number / 32 * 4;

		mmio_write32(at + GICD_ICENABLER, UINT32_MAX);
		mmio_write32(at + GICD_ICPENDR, UINT32_MAX);
		mmio_write32(at + GICD_ICACTIVER, UINT32_MAX);
	}
}

void gic_silence(void)
{
	silence(registers_of(0), 0, GIC_SHARED_FIRST);
	silence(distributor, GIC_SHARED_FIRST, gic_interrupts());
}

/* Version 2: the targets of a private interrupt read as the reader, or as none where there is only
 * one processor. */
struct gic_target gic_self(void)
{
	const uint32_t mask = version == 2 ? mmio_read8(distributor + GICD_ITARGETSR) : 0;

	return (struct gic_target){.affinity = cpu_affinity(), .mask = mask ? mask : 1};
}

void gic_send(struct gic_target target, uint32_t interrupt)
{
	const uint64_t affinity = target.affinity;

	__asm__ volatile("dsb ish" : : : "memory");
	if (version == 2) {
		mmio_write32(distributor + GICD_SGIR, target.mask << SGIR_MASK_SHIFT | interrupt);
		return;
	}
	/* Affinity 3 in bits 55 to 48, 2 in 39 to 32, 1 in 23 to 16; 0 is a bit of a list of 16,
	 * which bits 47 to 44 choose. */
	CPU_WRITE(ICC_SGI1R_EL1, (affinity >> 32 & 0xff) << 48 | (affinity >> 4 & 0xf) << 44 |
					 (affinity >> 16 & 0xff) << 32 | (uint64_t)interrupt << 24 |
					 (affinity >> 8 & 0xff) << 16 |
					 UINT64_C(1) << (affinity & 0xf));
}

uint32_t gic_acknowledge(void)
{
	uint32_t acknowledged;

	if (version == 2)
		return mmio_read32(interface + GICC_IAR);
	acknowledged = (uint32_t)CPU_READ(ICC_IAR1_EL1);
	__asm__ volatile("dsb sy" : : : "memory");
	return acknowledged;
}

uint32_t gic_interrupt(uint32_t acknowledged)
{
	return version == 2 ? acknowledged & NUMBER_MASK : acknowledged & 0xffffff;
}

void gic_end(uint32_t acknowledged)
{
	if (version == 2)
		mmio_write32(interface + GICC_EOIR, acknowledged);
	else
		CPU_WRITE(ICC_EOIR1_EL1, acknowledged);
}
