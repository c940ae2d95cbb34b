/*
 * A crash of Hull's own gives the user's terminal back before the process dies of it.
 */
#pragma once

/* Main thread, before others are created. The signal's default action follows the handler. */
void fatal_signals_restore_terminal(void);
