/* See init.h. */
#include "init.h"

#include "control.h"
#include "format.h"
#include "linux.h"
#include "words.h"

#include <linux/sockios.h>

#define CONNECT_WAIT_MS 10000
#define SOCKET_FAMILY   2 /* AF_INET */
#define SOCKET_DATAGRAM 2 /* SOCK_DGRAM */
#define INTERFACE_UP    1 /* IFF_UP, netdevice(7) */

_Noreturn void init_main(void);

static int control = -1;

static void say(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *pattern, ...)
{
	char text[CONTROL_LINE_BYTES];
	struct format line = {text, sizeof(text) - 1, 0};
	struct pollfd writable = {.fd = control, .events = POLLOUT};
	va_list arguments;

	va_start(arguments, pattern);
	format_add_list(&line, pattern, arguments);
	va_end(arguments);
	text[line.length++] = '\n';
	if (sys_poll(&writable, 1, CONNECT_WAIT_MS) > 0)
		(void)sys_write(control, text, line.length);
}

/* Hull ends the VM when it has read what was said. */
_Noreturn static void end(void)
{
	sleep_ms(CONNECT_WAIT_MS);
	for (;;)
		sys_power_off();
}

void kernel_log(const char *pattern, ...)
{
	char text[CONTROL_LINE_BYTES];
	struct format line = {text, sizeof(text), 0};
	int log = (int)sys_open("/dev/kmsg", O_WRONLY, 0);
	va_list arguments;

	format_add(&line, "<3>hull: ");
	va_start(arguments, pattern);
	format_add_list(&line, pattern, arguments);
	va_end(arguments);
	(void)sys_write(log, text, line.length);
	(void)sys_close(log);
}

_Noreturn void fail(const char *pattern, ...)
{
	char text[CONTROL_LINE_BYTES - 16];
	struct format line = {text, sizeof(text), 0};
	va_list arguments;

	va_start(arguments, pattern);
	format_add_list(&line, pattern, arguments);
	va_end(arguments);
	if (control >= 0) {
		say("failed %s", text);
	} else {
		/* All that there is; the console's tail is shown then. */
		kernel_log("%s", text);
		sys_power_off();
	}
	end();
}

static void open_control(void)
{
	struct pollfd poll = {.events = POLLIN};
	int fd = port_open(CONTROL_PORT);

	if (fd < 0)
		fail("the port " CONTROL_PORT " did not appear: has the kernel, or --modules, no "
		     "virtio_console? error %d",
			-fd);
	/* It is the last of Hull's ports: once Hull is at its other end, it is at that of all. */
	poll.fd = fd;
	for (int waited_ms = 0; waited_ms < CONNECT_WAIT_MS; waited_ms++) {
		if (sys_poll(&poll, 1, 0) < 0 || !(poll.revents & POLLHUP))
			break;
		sleep_ms(1);
	}
	control = fd;
}

/* Programs take the first three descriptors for granted. */
static void fill_standard(void)
{
	int fd;

	do {
		fd = (int)sys_open("/dev/null", O_RDWR, 0);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)sys_close(fd);
}

static void bring_up_loopback(void)
{
	/* struct ifreq; <linux/if.h> brings the C library's headers. */
	struct {
		char name[16];
		short flags;
		char rest[22];
	} request = {.name = "lo"};
	int fd = (int)sys_socket(SOCKET_FAMILY, SOCKET_DATAGRAM, 0);

	if (fd < 0)
		return;
	if (sys_ioctl(fd, SIOCGIFFLAGS, &request) >= 0) {
		request.flags |= INTERFACE_UP;
		(void)sys_ioctl(fd, SIOCSIFFLAGS, &request);
	}
	(void)sys_close(fd);
}

static int exit_status(int status)
{
	if ((status & 0x7f) == 0)
		return status >> 8 & 0xff;
	return 128 + (status & 0x7f);
}

_Noreturn static void run_command(const struct run *run)
{
	struct child child;
	int error = child_start(run, &child), status;

	if (error < 0)
		fail("there can be no process for the command: error %d", -error);
	if (error) {
		say("noexec %d", error);
		end();
	}
	say("started");
	status = relay(run, &child, control);
	root_finish();
	say("exit %d", exit_status(status));
	end();
}

_Noreturn static void take_requests(struct run *run)
{
	int listener = serve_listen();

	say("started");
	serve(run, listener, control);
	root_finish();
	(void)sys_close(listener); /* and with it whoever waits there */
	say("exit 0");
	end();
}

_Noreturn void init_main(void)
{
	static struct run run;

	(void)sys_sigmask(SIG_SETMASK, ~UINT64_C(0));
	root_begin();
	fill_standard();
	modules_load();
	open_control();
	run_read(&run);
	root_enter(&run);
	if (run.host_name)
		(void)sys_sethostname(run.host_name, text_length(run.host_name));
	bring_up_loopback();
	if (run.serve)
		take_requests(&run);
	run_command(&run);
}
