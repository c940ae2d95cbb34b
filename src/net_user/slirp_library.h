/*
 * libslirp, loaded when a VM asks for it: the program does not depend on it.
 */
#pragma once

#include "compiler.h"
#include "err.h"

#include <libslirp.h>

struct slirp_library {
	void *handle; /* never closed: GLib, which it brings, cannot be unloaded */
	__typeof__(slirp_new) *create;
	__typeof__(slirp_cleanup) *cleanup;
	__typeof__(slirp_input) *input;
	__typeof__(slirp_pollfds_fill) *pollfds_fill;
	__typeof__(slirp_pollfds_poll) *pollfds_poll;
	__typeof__(slirp_add_hostxfwd) *add_forward;
};

/* -ENOPKG: it is not installed, or too old. */
must_check int slirp_library_load(struct slirp_library *library, struct err *err);
