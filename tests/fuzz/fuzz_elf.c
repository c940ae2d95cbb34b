/* Any file as an ELF kernel; one without the magic number is what the refusals are tried on. */
#include "fuzz_boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_boot(data, size);
}
