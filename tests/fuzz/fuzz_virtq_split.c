/* A split virtqueue under a hostile driver. */
#include "fuzz_virtq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_virtq(data, size, VIRTQ_SPLIT);
}
