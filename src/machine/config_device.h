/*
 * Devices of few words, how the guest finds them all, and what moves their data, as text.
 */
#pragma once

#include "config.h"
#include "text.h"

/* --rng and --vsock; config: a struct config. */
must_check int config_rng_set(void *config, const char *value, struct err *err);
bool config_rng_show(const void *config, struct text *text);
must_check int config_vsock_set(void *config, const char *value, struct err *err);
bool config_vsock_show(const void *config, struct text *text);

/* --transport, --io-threads, --io-engine and --io-poll; field: the member that they set. */
must_check int config_transport_set(void *field, const char *value, struct err *err);
bool config_transport_show(const void *field, struct text *text);
must_check int config_io_threads_set(void *field, const char *value, struct err *err);
must_check int config_io_engine_set(void *field, const char *value, struct err *err);
bool config_io_engine_show(const void *field, struct text *text);
must_check int config_io_poll_set(void *field, const char *value, struct err *err);
bool config_io_poll_show(const void *field, struct text *text);
