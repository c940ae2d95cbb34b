/* Any file as a multiboot kernel: the checksum of the first magic number is put right. */
#include "fuzz_boot.h"

#define FILE_MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t file[FILE_MAX_BYTES];

	if (size > sizeof(file))
		return 0;
	memcpy(file, data, size);
	for (size_t offset = 0; offset + 12 <= size; offset += 4) {
		uint32_t words[3];

		memcpy(words, file + offset, sizeof(words));
		if (words[0] != 0x1badb002)
			continue;
		words[2] = 0u - words[0] - words[1];
		memcpy(file + offset, words, sizeof(words));
		break;
	}
	return fuzz_boot(file, size);
}
