/* See interrupts.h. */
#include "interrupts.h"

#include "board.h"
#include "cpu.h"
#include "gic.h"
#include "its.h"
#include "mmio.h"
#include "places.h"
#include "tree.h"

#define LOOPS_PER_WINDOW 100

/* A GICv2m frame (SBSA, appendix E). */
#define FRAME_TYPER       0x08
#define FRAME_SETSPI      0x40
#define FRAME_FIRST_SHIFT 16
#define FRAME_FIRST_MASK  0x3ff

static uint32_t first_message; /* 0: there are none */
static volatile unsigned int message_counts[BOARD_MESSAGES];
static void (*other_handler)(uint32_t interrupt);
static void (*line_handler)(void);

void trap_interrupt(void);

static void open_frame(void)
{
	const uint64_t frame = tree_cells("v2m", "reg", 0);

	if (!frame)
		return;
	first_message = mmio_read32(frame + FRAME_TYPER) >> FRAME_FIRST_SHIFT & FRAME_FIRST_MASK;
	for (uint32_t i = 0; i < BOARD_MESSAGES; i++)
		gic_enable_edge(first_message + i);
}

void interrupts_open(void)
{
	first_message = 0;
	if (!gic_open() || !gic_start_processor())
		return;
	if (gic_version() == 2)
		open_frame();
	else if (its_open())
		first_message = GIC_MESSAGE_FIRST;
}

void interrupts_set_handler(void (*handler)(uint32_t interrupt))
{
	other_handler = handler;
}

static bool is_line(uint32_t interrupt)
{
	return interrupt >= PLACE_LINE_FIRST && interrupt < PLACE_LINE_END;
}

void trap_interrupt(void)
{
	const uint32_t acknowledged = gic_acknowledge();
	const uint32_t interrupt = gic_interrupt(acknowledged);

	if (interrupt >= GIC_SPECIAL && interrupt < GIC_MESSAGE_FIRST)
		return;
	if (first_message && interrupt >= first_message &&
		interrupt < first_message + BOARD_MESSAGES)
		message_counts[interrupt - first_message]++;
	else if (line_handler && is_line(interrupt))
		line_handler();
	else if (other_handler)
		other_handler(interrupt);
	gic_end(acknowledged);
}

/* Of msi-map: the first requester, the ITS, what that calls it, how many. */
uint32_t interrupts_device(uint16_t requester)
{
	const uint32_t first = tree_cell("pcie", "msi-map", 0);

	if (requester - first >= tree_cell("pcie", "msi-map", 3))
		return UINT32_MAX;
	return requester - first + tree_cell("pcie", "msi-map", 2);
}

/* With an ITS the number of an event is that of the message; devices with events of the same number
 * share what is counted. */
struct board_message board_message(uint16_t requester, unsigned int index)
{
	const struct board_message none = {0, 0};

	if (!first_message)
		return none;
	if (gic_version() == 2)
		return (struct board_message){
			tree_cells("v2m", "reg", 0) + FRAME_SETSPI, first_message + index};
	if (!its_map(interrupts_device(requester), index, first_message + index))
		return none;
	return (struct board_message){its_base() + ITS_TRANSLATER, index};
}

unsigned int board_message_count(unsigned int index)
{
	return message_counts[index];
}

void board_take_interrupts(void)
{
	cpu_unmask_interrupts();
	for (unsigned int i = 0; i < LOOPS_PER_WINDOW; i++)
		cpu_relax();
	cpu_mask_interrupts();
}

bool board_watch_lines(void (*handler)(void))
{
	line_handler = handler;
	for (uint32_t line = PLACE_LINE_FIRST; gic_version() && line < PLACE_LINE_END; line++) {
		if (handler)
			gic_enable(line);
		else
			gic_disable(line);
	}
	return gic_version() != 0;
}
