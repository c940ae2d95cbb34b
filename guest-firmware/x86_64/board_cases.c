/* Hostile cases of this board beside its devices: none so far. */
#include "cases.h"

const struct hostile_group board_group = {NULL, 0};

const char *board_part_missing(const struct hostile_case *hostile_case)
{
	(void)hostile_case;
	return NULL;
}
