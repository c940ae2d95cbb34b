/* See facts.h. */
#include "facts.h"

#include "tree.h"

struct facts facts = {.command_line = ""};

void facts_read(uint64_t tree)
{
	uint32_t length;
	const char *line;

	if (!tree_open(tree))
		return;
	line = tree_property("chosen", "bootargs", &length);
	facts = (struct facts){
		.tree = tree,
		.command_line = line ? line : "",
		.ram_base = tree_cells("memory", "reg", 0),
		.ram_bytes = tree_cells("memory", "reg", 2),
		.initrd_start = tree_cells("chosen", "linux,initrd-start", 0),
		.initrd_end = tree_cells("chosen", "linux,initrd-end", 0),
	};
}
