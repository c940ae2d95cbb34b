/* See net_user.h: a build without libslirp. */
#include "net_user.h"

#include <errno.h>

int net_user_supported(struct err *err)
{
	return err_set(err, ENOPKG,
		"this hull was built without libslirp: use --net passt, or build it with "
		"libslirp-dev");
}

int net_user_run(const struct net_user_options *options, struct err *err)
{
	(void)options;
	return net_user_supported(err);
}
