/* See slirp_library.h. */
#include "slirp_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#define SONAME "libslirp.so.0"

int slirp_library_load(struct slirp_library *library, struct err *err)
{
	/* A guest's packets must not be able to end the process by a warning, nor to fill a log. */
	static const char *const debugging[] = {"G_DEBUG", "G_MESSAGES_DEBUG", "SLIRP_DEBUG"};

	for (size_t i = 0; i < array_size(debugging); i++)
		(void)unsetenv(debugging[i]); /* fails for malformed names only */
	library->handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		return err_set(err, ENOPKG,
			SONAME " is missing: install libslirp0 (Debian, Ubuntu) or libslirp, or "
			       "use --net passt");
	library->create = dlsym(library->handle, "slirp_new");
	library->cleanup = dlsym(library->handle, "slirp_cleanup");
	library->input = dlsym(library->handle, "slirp_input");
	library->pollfds_fill = dlsym(library->handle, "slirp_pollfds_fill");
	library->pollfds_poll = dlsym(library->handle, "slirp_pollfds_poll");
	library->add_forward = dlsym(library->handle, "slirp_add_hostxfwd");
	if (!library->create || !library->cleanup || !library->input || !library->pollfds_fill ||
		!library->pollfds_poll || !library->add_forward)
		return err_set(err, ENOPKG, SONAME " is too old: 4.5 is needed");
	return 0;
}
