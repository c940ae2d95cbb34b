/*
 * A configuration file of any bytes: it is refused with a sentence, or what it says can be shown as
 * a file that says the same.
 */
#include "config_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One line, and a code; or neither. */
static void check_refusal(int r, const struct err *err)
{
	if (r == 0)
		return;
	if ((r != -EINVAL && r != -E2BIG) || err->code != r || !err->text[0])
		abort();
}

static void check_round_trip(const struct config *config)
{
	cleanup_text struct text first = {0};
	cleanup_text struct text second = {0};
	struct config again;

	config_file_show(config, &first);
	config_init(&again);
	/* Quoting may make a line longer than a file allows. */
	if (config_file_parse(&again, "f", text_string(&first), first.length, NULL) == 0) {
		config_file_show(&again, &second);
		if (strcmp(text_string(&first), text_string(&second)) != 0)
			abort();
	} else if (first.length < CONFIG_FILE_LINE_MAX) {
		abort();
	}
	config_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct err err = {0};
	int r;

	config_init(&config);
	r = config_file_parse(&config, "fuzz", (const char *)data, size, &err);
	check_refusal(r, &err);
	if (r == 0) {
		check_round_trip(&config);
		(void)!config_validate(&config, NULL);
	}
	config_fini(&config);
	return 0;
}
