/*
 * A byte stream between a guest's serial device and the host: stdio, a pty, a file, a UNIX socket,
 * an inherited descriptor or nothing.
 *
 * Output: the device's thread copies into a bounded ring and goes on; one thread per console
 * writes it out, so a slow, stuck or absent reader costs bytes at worst, never the guest's time.
 * O_NONBLOCK is never set on a descriptor that was inherited. Input: read on the main thread,
 * bounded, only as fast as the device takes it.
 *
 * Order of calls: create, start, ... flush, destroy, all on the main thread; the port may be used
 * from create on. Installs an empty handler for SIGURG, with which destroy ends a blocked write.
 * The program ignores or blocks SIGPIPE, SIGTTIN and SIGTTOU.
 */
#pragma once

#include "compiler.h"
#include "console_port.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console;
struct loop;

enum console_kind {
	CONSOLE_NULL,
	CONSOLE_STDIO,  /* a terminal as input becomes raw, with Ctrl-a as the escape prefix */
	CONSOLE_PTY,    /* its path is console_path() */
	CONSOLE_FILE,   /* truncated or created; no input */
	CONSOLE_SOCKET, /* UNIX stream, listening; one client at a time */
	CONSOLE_FD,     /* what was inherited as input_fd, in the directions it is open for */
	CONSOLE_INPUT,  /* input_fd for input only; its end is that of the connection */
	CONSOLE_OUTPUT, /* output_fd for output only */
};

struct console_options {
	enum console_kind kind;
	const char *path; /* of file and socket */
	int input_fd;     /* of stdio: both are duplicated; one that is not open is no error,
	                   * and for CONSOLE_INPUT and CONSOLE_OUTPUT nobody is at the other end */
	int output_fd;    /* ... of CONSOLE_FD input_fd alone, and it has to be open */
};

/* Up-calls; each may be NULL. No lock of the console is held. */
struct console_events {
	/* Main thread: input for the device. Returns how many bytes it took; when fewer than
	 * length, the device calls resume_input of its port once it has room. */
	size_t (*receive)(void *device, const uint8_t *bytes, size_t length);
	/* Main thread: somebody is at the other end, or nobody any more. Of a socket that is its
	 * client, of CONSOLE_FD the other end until it hangs up; the other kinds report true once,
	 * from console_start. What the client sent was received before. */
	void (*connected)(void *device, bool connected);
	/* Output thread: the console is no longer congested. */
	void (*drained)(void *device);
	void *device;
	/* Main thread: the user typed Ctrl-a x. */
	void (*quit)(void *owner);
	/* Output thread: whoever read the output, and cannot come back, reads it no more. */
	void (*reader_gone)(void *owner);
	/* Output thread: output is being lost, code says why (-ENOSPC, -EIO, ...). Once per
	 * episode: again only after a write succeeded in between. */
	void (*failed)(void *owner, int code);
	void *owner;
};

/* Opens everything that can fail for reasons of the user's. Nothing is read or written yet. */
must_check int console_create(
	const struct console_options *options, struct console **ret_console, struct err *err);

/* Starts the output thread, puts a terminal into raw mode and attaches to the loop, which must
 * outlive the console. */
must_check int console_start(struct console *console, struct loop *loop,
	const struct console_events *events, struct err *err);

/* The path of the pty's other side or of the socket; NULL for other kinds. */
const char *console_path(const struct console *console);

/* The size of the terminal that is the console's input, or of the pty's other side. -ENOTTY when
 * there is none, or none that has a size. Main thread. */
must_check int console_window_size(
	const struct console *console, uint16_t *ret_columns, uint16_t *ret_rows);

/* The device's door. */
struct console_port console_port(struct console *console);

/* Bytes that a reader, had there been one fast enough, would have seen. Any thread. */
uint64_t console_dropped_bytes(const struct console *console);

/* Around a stop by job control: gives the terminal back and takes it again. A process in the
 * background leaves the terminal alone and reads nothing; continue looks again. */
void console_suspend(struct console *console);
void console_continue(struct console *console);

/* Waits until everything accepted has been written or can no longer be. -ETIMEDOUT when timeout_ns
 * passes without any progress. */
must_check int console_flush(struct console *console, uint64_t timeout_ns);

/* Never hangs on a stuck reader. Restores the terminal; removes the socket if it is still ours. */
void console_destroy(struct console *console);
#define cleanup_console cleanup_with(console_cleanup)
static inline void console_cleanup(struct console **console)
{
	console_destroy(*console);
}
