/* A kernel module of any bytes: what it says about itself lies within it and ends there. */
#include "kernel_modules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"depends", "name", ""};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = kernel_module_info(data, size, keys[i]);
		const char *start = (const char *)data;

		if (value && (value < start || value >= start + size ||
				     !memchr(value, '\0', size - (size_t)(value - start))))
			abort();
	}
	return 0;
}
