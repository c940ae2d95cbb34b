/*
 * PCI functions of bus 0, by memory-mapped configuration space (PCI Express Base 7.2.2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PCI_VENDOR_ID         0x00
#define PCI_DEVICE_ID         0x02
#define PCI_COMMAND           0x04
#define PCI_STATUS            0x06
#define PCI_HEADER_TYPE       0x0e
#define PCI_BAR0              0x10
#define PCI_CAPABILITIES      0x34
#define PCI_COMMAND_MEMORY    0x0002
#define PCI_COMMAND_MASTER    0x0004
#define PCI_COMMAND_NO_INTX   0x0400
#define PCI_STATUS_INTX       0x0008
#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX   0x11
#define PCI_BARS              6

/* MSI-X (PCI 3.0 6.8.2): the capability, then 16 bytes a table entry. */
#define MSIX_CONTROL        2
#define MSIX_TABLE          4
#define MSIX_PBA            8
#define MSIX_CONTROL_SIZE   0x07ff
#define MSIX_CONTROL_MASK   0x4000
#define MSIX_CONTROL_ENABLE 0x8000
#define MSIX_ENTRY_BYTES    16
#define MSIX_ENTRY_DATA     8
#define MSIX_ENTRY_CONTROL  12
#define MSIX_ENTRY_MASKED   1

struct pci_function {
	uint64_t config; /* address of its 4 KiB */
	uint16_t vendor_id, device_id;
	uint8_t slot, number;
};

/* Finds the configuration space; false when the machine has no PCI. */
bool pci_init(void);
uint64_t pci_ecam(void);

/* The next function of bus 0 after *position (0 to start with); false at the end. */
bool pci_next(unsigned int *position, struct pci_function *ret_function);

/* The capability with this id after the one at offset (0: the first); 0: none. */
uint8_t pci_find_capability(const struct pci_function *function, uint8_t id, uint8_t after);

struct pci_bar {
	uint64_t address; /* 0: no memory BAR */
	uint64_t bytes;
	bool wide; /* 64 bits: the next register is its upper half */
};

/* A memory BAR, mapped; one that has no address gets one from the board's window. Decoding is off
 * while it is sized. */
struct pci_bar pci_bar(const struct pci_function *function, unsigned int index);
void pci_bar_move(
	const struct pci_function *function, unsigned int index, bool wide, uint64_t address);
