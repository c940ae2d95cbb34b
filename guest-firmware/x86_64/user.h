/*
 * Calls of functions in ring 3, which runs at native speed also where ring 0 is interpreted.
 */
#pragma once

/* Runs the function with its argument in ring 3, interrupts off, and returns when it returns. All
 * memory mapped at the first call is within its reach; privileged instructions are not. */
void user_run(void (*function)(void *argument), void *argument);
