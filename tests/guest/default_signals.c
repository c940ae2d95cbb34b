/*
 * Runs a program with every signal at its default, as a terminal's shell does; what a shell without
 * job control starts in the background ignores SIGINT.
 *
 * usage: default_signals PROGRAM ARGUMENT...
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
