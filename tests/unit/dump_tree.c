/* dump_tree DIRECTORY: writes the device tree of every test board: DIRECTORY/<board>.dtb. */
#include "arm_boards.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	static uint8_t buffer[TREE_BYTES_MAX];
	static uint64_t mpidrs[TEST_CPUS_MAX];

	if (argc != 2)
		return 2;
	for (size_t i = 0; i < array_size(test_boards); i++) {
		const struct board board = test_board_fill(&test_boards[i]);
		const struct tree_request request = test_request_fill(
			&test_boards[i], &board, mpidrs);
		char path[4096];
		struct err err;
		size_t length;
		FILE *file;

		if (tree_build(&request, buffer, sizeof(buffer), &length, &err) != 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		(void)snprintf(path, sizeof(path), "%s/%s.dtb", argv[1], test_boards[i].name);
		file = fopen(path, "wb");
		if (!file || fwrite(buffer, 1, length, file) != length || fclose(file) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}
