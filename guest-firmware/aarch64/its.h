/*
 * The interrupt translation service of a GIC of version 3 (Arm IHI 0069, chapter 5): messages of
 * devices become interrupts with numbers from GIC_MESSAGE_FIRST on, of which its tables tell whose
 * they are. Flat tables; one table of events for each device.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ITS_MESSAGES    8192 /* how many numbers there are */
#define ITS_EVENTS      64   /* of a device */
#define ITS_DEVICES_MAX 64   /* that have been mapped */
#define ITS_CPUS_MAX    8

/* The translation register, and the others, for those that do not keep to what is written here. */
#define ITS_CTLR       0x0000
#define ITS_TYPER      0x0008
#define ITS_CBASER     0x0080
#define ITS_CWRITER    0x0088
#define ITS_CREADR     0x0090
#define ITS_BASER      0x0100 /* eight of 64 bits */
#define ITS_TRANSLATER 0x10040
#define ITS_BYTES      0x20000
#define ITS_BASERS     8
#define ITS_VALID      (UINT64_C(1) << 63) /* of CBASER, BASER and in commands */

/* Commands (5.3). */
#define ITS_MOVI    0x01
#define ITS_INT     0x03
#define ITS_CLEAR   0x04
#define ITS_SYNC    0x05
#define ITS_MAPD    0x08
#define ITS_MAPC    0x09
#define ITS_MAPTI   0x0a
#define ITS_MAPI    0x0b
#define ITS_INV     0x0c
#define ITS_INVALL  0x0d
#define ITS_MOVALL  0x0e
#define ITS_DISCARD 0x0f

struct its_command {
	uint64_t words[4];
};

/* Switches it on, from whatever state, with nothing mapped but collection 0: the calling
 * processor's. False: there is none, or it does not do what it should. */
bool its_open(void);
void its_close(void);

/* 0: there is none. */
uint64_t its_base(void);

/* Of an open one. Has one command done; false: it never is. */
bool its_do(struct its_command command);

/* Makes the number that of a device's event, for collection 0, enabled. The device becomes known by
 * its first event. */
bool its_map(uint32_t device, uint32_t event, uint32_t number);

/* Raises an event as the device would. */
bool its_raise(uint32_t device, uint32_t event);

/* Makes a collection that of the processor of that index (below ITS_CPUS_MAX, not 0) and affinity,
 * and moves an event to it. */
bool its_add_processor(unsigned int index, uint64_t affinity);
bool its_move(uint32_t device, uint32_t event, unsigned int index);
