/*
 * A disk as text: PATH[,WORD]... A comma in the path is written twice.
 */
#pragma once

#include "config.h"
#include "text.h"

/* config: a struct config, to whose disks one is added. */
must_check int config_disk_set(void *config, const char *value, struct err *err);

/* The index-th disk of a struct config; false: there are not so many. */
must_check bool config_disk_show(const void *config, unsigned int index, struct text *text);

void config_disk_fini(struct config_disk *disk);
