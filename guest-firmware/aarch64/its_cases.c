/*
 * Hostile: messages, and the tables and commands by which they become interrupts. Whatever a guest
 * says there, the worst that may come of it is that its own interrupts do not come.
 */
#include "board_cases.h"
#include "gic.h"
#include "interrupts.h"
#include "its.h"
#include "mmio.h"
#include "msix.h"

#define PAGES_OF_64_KIB  (UINT64_C(2) << 8)
#define COMMAND_COUNT    256 /* a byte says which */
#define COMMANDS_PER_USE 16
#define COMMAND_SHIFT    32
#define COMMAND_BYTES    32
#define QUEUE_BYTES      0x10000
#define GICR_CTLR        0x00
#define GICR_PROPBASER   0x70
#define GICR_PENDBASER   0x78
#define IDENTITY_BITS    0x1f

static uint32_t device_of(const struct scene *scene)
{
	const struct pci_function *function = &scene->device->function;

	return interrupts_device((uint16_t)(function->slot << 3 | function->number));
}

/* What a driver would do, on whatever there is now. Any of it may fail. */
static void use(const struct scene *scene)
{
	const uint32_t device = device_of(scene);

	for (uint32_t event = 0; event < BOARD_MESSAGES; event++)
		(void)(its_map(device, event, GIC_MESSAGE_FIRST + event) &&
			its_raise(device, event));
	board_take_interrupts();
}

static void switch_on(void)
{
	mmio_write32(its_base() + ITS_CTLR, 1);
}

/* All tables are at place a. */
void board_its_tables(struct scene *scene, const struct hostile_case *self)
{
	its_close();
	for (uint64_t i = 0; i < ITS_BASERS; i++)
		mmio_write64(its_base() + ITS_BASER + 8 * i,
			ITS_VALID | self->a | PAGES_OF_64_KIB | self->b);
	switch_on();
	use(scene);
	board_recover(scene);
}

/* The queue is at place a, and full. */
void board_its_queue(struct scene *scene, const struct hostile_case *self)
{
	const uint64_t base = its_base();

	its_close();
	mmio_write64(base + ITS_CBASER, ITS_VALID | self->a | self->b);
	mmio_write64(base + ITS_CWRITER, 0);
	switch_on();
	for (uint64_t at = COMMAND_BYTES; at <= QUEUE_BYTES * 4; at *= 2)
		mmio_write64(base + ITS_CWRITER, at - COMMAND_BYTES);
	mmio_write64(base + ITS_CWRITER, UINT64_MAX);
	mmio_write64(base + ITS_CREADR, UINT64_MAX);
	mmio_write64(base + ITS_CBASER, 0); /* while it is on */
	mmio_write32(base + ITS_TRANSLATER, 0);
	board_recover(scene);
}

/* A queue that nobody has written commands to. */
void board_its_garbage(struct scene *scene, const struct hostile_case *self)
{
	volatile uint64_t *words = (volatile uint64_t *)(uintptr_t)stage.data;
	uint64_t random = self->a;

	for (unsigned int i = 0; i < DATA_BYTES / 8; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		words[i] = i % 4 ? random : (random & ~UINT64_C(0xf0));
	}
	its_close();
	mmio_write64(its_base() + ITS_CBASER,
		ITS_VALID | (uintptr_t)stage.data | (DATA_BYTES / 4096 - 1));
	mmio_write64(its_base() + ITS_CWRITER, 0);
	switch_on();
	mmio_write64(its_base() + ITS_CWRITER, DATA_BYTES - COMMAND_BYTES);
	board_recover(scene);
}

/* Every command there may be, with all arguments of one kind: a and b in turn. */
void board_its_commands(struct scene *scene, const struct hostile_case *self)
{
	const uint64_t device = (uint64_t)device_of(scene) << COMMAND_SHIFT;

	for (uint64_t command = 0; command < COMMAND_COUNT; command++) {
		const struct its_command wild[] = {
			{{command | self->a << COMMAND_SHIFT, self->b, self->a, self->b}},
			{{command | device, self->a, self->b, self->a}},
			{{command | device, self->b << COMMAND_SHIFT, ITS_VALID | self->a,
				self->b}},
		};

		if (command % COMMANDS_PER_USE == 0)
			use(scene);
		for (unsigned int i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
			if (!report_expect(
				    scene->report, its_do(wild[i]), "0x%lx never ends", command))
				return;
		board_take_interrupts();
	}
	board_recover(scene);
}

/* What says which messages are enabled and pending is at place a. */
void board_its_properties(struct scene *scene, const struct hostile_case *self)
{
	const uint64_t own = gic_redistributor();

	its_close();
	mmio_write64(own + GICR_PROPBASER, self->a | IDENTITY_BITS);
	mmio_write64(own + GICR_PENDBASER, self->a);
	mmio_write32(own + GICR_CTLR, 1);
	switch_on();
	use(scene);
	mmio_write64(own + GICR_PROPBASER, 0); /* while they are on */
	mmio_write64(own + GICR_PENDBASER, UINT64_MAX);
	board_recover(scene);
}

/* Messages with data a, to b bytes from where they go. */
void board_message_data(struct scene *scene, const struct hostile_case *self)
{
	struct board_message message = msix_message(scene, 1);

	message.address += self->b;
	message.data = (uint32_t)self->a;
	if (msix_up(scene, MSIX_ENTRY_MASKED)) {
		msix_write_entry(scene, 1, message, 0);
		(void)scene_expect_good(scene);
		msix_take_all();
	}
	msix_control(scene, 0);
	board_recover(scene);
}

/* Nobody listens when the message comes. */
void board_message_off(struct scene *scene, const struct hostile_case *self)
{
	(void)self;
	if (msix_up(scene, 0)) {
		its_close();
		(void)scene_expect_good(scene);
		msix_take_all();
	}
	msix_control(scene, 0);
	board_recover(scene);
}
