/*
 * In place of io_uring.c in builds without liburing: the engine that always refuses.
 */
#include "io_engine.h"

#include <errno.h>

static int absent_open(struct io_engine **ret_engine, struct err *err)
{
	(void)ret_engine;
	return err_set(err, ENOSYS, "this hull was built without liburing");
}

const struct io_engine_ops io_engine_uring = {.open = absent_open};
