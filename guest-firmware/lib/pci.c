/* See pci.h. */
#include "pci.h"

#include "board.h"
#include "mmio.h"
#include "places.h"

#define FUNCTION_BYTES   4096
#define SLOT_FUNCTIONS   8
#define BUS_FUNCTIONS    256
#define MULTI_FUNCTION   0x80
#define NO_VENDOR        0xffff
#define STATUS_HAS_LIST  0x0010
#define BAR_IO           0x1
#define BAR_TYPE         0x6
#define BAR_TYPE_64      0x4
#define BAR_FLAGS        UINT64_C(0xf)
#define CAPABILITIES_MAX 48

static uint64_t ecam;
static uint64_t window_next =
	PLACE_PCI_WINDOW_BASE; /* without firmware, BARs are the guest's to place */

bool pci_init(void)
{
	unsigned int buses;
	uint64_t base;

	if (!board_find_ecam(&base, &buses) || !buses ||
		!board_map(base, BUS_FUNCTIONS * FUNCTION_BYTES))
		return false;
	ecam = base;
	return true;
}

uint64_t pci_ecam(void)
{
	return ecam;
}

bool pci_next(unsigned int *position, struct pci_function *ret_function)
{
	while (*position < BUS_FUNCTIONS) {
		unsigned int at = *position;
		uint64_t config = ecam + (uint64_t)at * FUNCTION_BYTES;
		bool first = at % SLOT_FUNCTIONS == 0;
		uint16_t vendor = mmio_read16(config + PCI_VENDOR_ID);

		if (first && (vendor == NO_VENDOR ||
				     !(mmio_read8(config + PCI_HEADER_TYPE) & MULTI_FUNCTION)))
			*position = at + SLOT_FUNCTIONS;
		else
			*position = at + 1;
		if (vendor == NO_VENDOR)
			continue;
		*ret_function = (struct pci_function){
			.config = config,
			.vendor_id = vendor,
			.device_id = mmio_read16(config + PCI_DEVICE_ID),
			.slot = (uint8_t)(at / SLOT_FUNCTIONS),
			.number = at % SLOT_FUNCTIONS,
		};
		return true;
	}
	return false;
}

uint8_t pci_find_capability(const struct pci_function *function, uint8_t id, uint8_t after)
{
	uint8_t at;

	if (!(mmio_read16(function->config + PCI_STATUS) & STATUS_HAS_LIST))
		return 0;
	at = mmio_read8(function->config + (after ? after + UINT64_C(1) : PCI_CAPABILITIES)) & 0xfc;
	for (unsigned int i = 0; i < CAPABILITIES_MAX && at; i++) {
		if (mmio_read8(function->config + at) == id)
			return at;
		at = mmio_read8(function->config + at + 1) & 0xfc;
	}
	return 0;
}

void pci_bar_move(
	const struct pci_function *function, unsigned int index, bool wide, uint64_t address)
{
	uint64_t reg = function->config + PCI_BAR0 + index * UINT64_C(4);

	mmio_write32(reg, (uint32_t)address);
	if (wide)
		mmio_write32(reg + 4, (uint32_t)(address >> 32));
}

/* PCI 3.0 6.2.5.1: what stays zero of all-ones is below the size. */
static uint64_t bar_size(const struct pci_function *function, unsigned int index, bool wide)
{
	uint64_t reg = function->config + PCI_BAR0 + index * UINT64_C(4);
	uint64_t mask;

	pci_bar_move(function, index, wide, UINT64_MAX);
	mask = mmio_read32(reg) & ~BAR_FLAGS;
	mask |= wide ? (uint64_t)mmio_read32(reg + 4) << 32 : UINT64_C(0xffffffff00000000);
	return mask ? ~mask + 1 : 0;
}

struct pci_bar pci_bar(const struct pci_function *function, unsigned int index)
{
	uint64_t reg = function->config + PCI_BAR0 + index * UINT64_C(4);
	uint16_t command = mmio_read16(function->config + PCI_COMMAND);
	uint32_t low = mmio_read32(reg);
	struct pci_bar bar = {0};

	if (low & BAR_IO)
		return bar;
	bar.wide = (low & BAR_TYPE) == BAR_TYPE_64;
	bar.address = (low & ~BAR_FLAGS) | (bar.wide ? (uint64_t)mmio_read32(reg + 4) << 32 : 0);
	mmio_write16(function->config + PCI_COMMAND, (uint16_t)(command & ~PCI_COMMAND_MEMORY));
	bar.bytes = bar_size(function, index, bar.wide);
	if (bar.bytes && !bar.address) {
		bar.address = (window_next + bar.bytes - 1) & ~(bar.bytes - 1);
		window_next = bar.address + bar.bytes;
	}
	pci_bar_move(function, index, bar.wide, bar.address);
	mmio_write16(function->config + PCI_COMMAND, command);
	if (!bar.bytes || window_next > PLACE_PCI_WINDOW_END || !board_map(bar.address, bar.bytes))
		return (struct pci_bar){0};
	return bar;
}
