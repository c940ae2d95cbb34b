/* The first process of a guest that does nothing at all: it ends the guest, and what has passed by
 * then is the kernel's own time. */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	(void)reboot(RB_AUTOBOOT);
	return 1;
}
