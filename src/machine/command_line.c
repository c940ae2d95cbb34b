/*
 * The kernel command line: Hull's words first, then the user's; a word of the user's whose key is
 * that of one of Hull's takes its place, except where Hull's says which devices there are.
 */
#include "machine.h"

#include "arch.h"
#include "config_net.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* Does any of the blank-separated words have the key of word (all up to '=')? */
static bool has_key(const char *words, const char *word)
{
	size_t key_length = strcspn(word, "=");

	while (*words) {
		size_t length;

		words += strspn(words, " \t\n");
		length = strcspn(words, " \t\n");
		if (strcspn(words, "= \t\n") == key_length && memcmp(words, word, key_length) == 0)
			return true;
		words += length;
	}
	return false;
}

static void add_word(struct text *line, const char *word)
{
	if (line->length && *word)
		text_add(line, " ");
	text_add(line, word);
}

/* virtio_mmio.device=SIZE@BASE:IRQ, as Linux wants it (CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES). */
static void add_devices(const struct config *config, struct text *line)
{
	struct board_device device;

	for (unsigned int i = 0;
		i < config_virtio_count(config) && arch_board_virtio_mmio(i, true, &device) == 0;
		i++) {
		add_word(line, "virtio_mmio.device=");
		text_addf(line, "0x%" PRIx64 "@0x%" PRIx64 ":%u", device.size, device.base,
			device.irq);
	}
}

void machine_command_line(const struct config *config, struct text *line)
{
	const char *user = config->append ? config->append : "";
	const char *const *words = arch_command_line_words(config->console != CONFIG_CONSOLE_NULL);

	for (; !config->append_only && *words; words++)
		if (!has_key(user, *words))
			add_word(line, *words);
	/* Nobody reads what is not an error; the serial port is slow. */
	if (config->console == CONFIG_CONSOLE_TAIL && !has_key(user, "quiet") &&
		!has_key(user, "loglevel"))
		add_word(line, "quiet");
	if (!config->append_only && config->transport == CONFIG_TRANSPORT_MMIO_CMDLINE)
		add_devices(config, line);
	if (config->ip && !config->append_only && !has_key(user, "ip=")) {
		cleanup_text struct text ip = {0};

		config_ip_word(config->ip, &ip);
		add_word(line, text_string(&ip));
		line->failed |= ip.failed;
	}
	add_word(line, user);
}
