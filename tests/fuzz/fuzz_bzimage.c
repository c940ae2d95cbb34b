/* Any file as a bzImage: it always has the marks of one, so that every input comes past them. */
#include "fuzz_boot.h"

#define FILE_MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t file[FILE_MAX_BYTES];

	if (size < 0x206 || size > sizeof(file))
		return fuzz_boot(data, size);
	memcpy(file, data, size);
	memcpy(file + 0x1fe, "\x55\xaa", 2);
	memcpy(file + 0x202, "HdrS", 4);
	if (memcmp(file, "\177ELF", 4) == 0)
		file[0] = 0;
	return fuzz_boot(file, size);
}
