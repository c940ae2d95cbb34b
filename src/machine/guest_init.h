/* The program guest-firmware/init as bytes, made by the build. */
#pragma once

#include <stddef.h>

extern const unsigned char guest_init[];
/* 0: this hull was built without it. */
extern const size_t guest_init_bytes;
