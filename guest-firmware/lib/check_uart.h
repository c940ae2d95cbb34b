/*
 * What a probe checks of its serial port without interrupts.
 */
#pragma once

#include "check.h"

void check_uart_scratch(struct report *report);
void check_uart_loopback(struct report *report);
void check_uart_transmit(struct report *report);
