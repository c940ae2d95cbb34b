/* All that a command has started, see session.h. */
#include "session.h"

#include "linux.h"
#include "words.h"

#include <linux/prctl.h>

/* proc(5): of this process's one thread; numbers, each with a space behind it. */
#define CHILDREN_FILE "/proc/thread-self/children"
#define PAUSE_MS      1

void descendants_keep(void)
{
	(void)sys_prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Kills those that are children now; false: none is known. */
static bool kill_children(void)
{
	char bytes[PATH_BYTES];
	int fd = (int)sys_open(CHILDREN_FILE, O_RDONLY, 0);
	long count = fd < 0 ? 0 : sys_read(fd, bytes, sizeof(bytes) - 1);
	const char *text = bytes;
	bool any = false;

	(void)sys_close(fd);
	bytes[count > 0 ? count : 0] = '\0';
	while (*text >= '0' && *text <= '9') {
		const int process = (int)text_number(&text);

		/* The last number may be cut. */
		if (*text != ' ')
			break;
		text++;
		any = true;
		(void)sys_kill(process, SIGKILL);
	}
	return any;
}

/* The children of one that dies become this process's, and are killed in their turn. */
void descendants_kill(int process)
{
	int status;

	(void)sys_kill(-process, SIGKILL);
	while (kill_children()) {
		while (sys_wait4(-1, &status, WNOHANG | __WALL) > 0)
			;
		sleep_ms(PAUSE_MS);
	}
}
