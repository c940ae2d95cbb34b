/* See fatal_signals.h. */
#include "fatal_signals.h"

#include "compiler.h"
#include "terminal.h"

#include <signal.h>
#include <stddef.h>

static void die(int signal)
{
	terminal_restore_from_signal();
	(void)raise(signal); /* SA_RESETHAND has put the default action back */
}

void fatal_signals_restore_terminal(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGQUIT};
	struct sigaction action = {.sa_handler = die, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};

	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < array_size(fatal); i++)
		(void)sigaction(fatal[i], &action, NULL);
}
