/*
 * Registers of the PL061 (ARM DDI 0190), each the low byte of a word.
 */
#pragma once

#define GPIO_DATA      0x000 /* and the lines that are meant, from bit 2 of the address */
#define GPIO_DIRECTION 0x400
#define GPIO_EVENT     0x40c
#define GPIO_ENABLE    0x410
#define GPIO_MASKED    0x418
#define GPIO_CLEAR     0x41c
#define GPIO_LINES     8
