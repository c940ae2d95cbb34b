/*
 * A capture: a file of what passed a NIC, in the classic format of libpcap with nanoseconds, link
 * type Ethernet, whole frames. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.txt
 *
 * Frames are copied into one of two buffers while the other one is being written by an operation of
 * the I/O thread: adding never waits for it, and several threads may add; a record is one's, whole.
 * What finds no room is left out of the capture and counted.
 */
#pragma once

#include "compiler.h"
#include "err.h"
#include "io_thread.h"

#include <stdint.h>

struct pcap;

/* Creates or empties the file. Main thread. */
must_check int pcap_open(const char *path, struct pcap **ret_pcap, struct err *err);
/* failed: on the I/O thread, once: the capture has ended for an error, a negative errno. */
must_check int pcap_attach(struct pcap *pcap, struct io_thread *io_thread,
	void (*failed)(void *owner, int code), void *owner, struct err *err);
/* Returns when what was captured has been written. */
void pcap_detach(struct pcap *pcap);
void pcap_close(struct pcap *pcap); /* NULL is fine */

/* Any I/O thread: length bytes of the list, from offset on. */
void pcap_add(struct pcap *pcap, const struct iovec *iov, unsigned int iov_count, size_t offset,
	size_t length);
/* Frames that found no room. */
uint64_t pcap_missed(const struct pcap *pcap);
