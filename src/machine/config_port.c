/* See config_port.h. */
#include "config_port.h"

#include "config_value.h"
#include "parse.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const struct place_word {
	const char *word;
	bool has_value;
} place_words[] = {
	[CONFIG_CONSOLE_STDIO] = {"stdio", false},
	[CONFIG_CONSOLE_PTY] = {"pty", false},
	[CONFIG_CONSOLE_FILE] = {"file", true},
	[CONFIG_CONSOLE_SOCKET] = {"socket", true},
	[CONFIG_CONSOLE_NULL] = {"null", false},
	[CONFIG_CONSOLE_FD] = {"fd", true},
};

/* The kind whose word is the first length bytes of value; -1: none. */
static int place_kind(const char *value, size_t length, bool fd_allowed)
{
	for (size_t i = 0; i < array_size(place_words); i++)
		if ((fd_allowed || i != CONFIG_CONSOLE_FD) &&
			strlen(place_words[i].word) == length &&
			memcmp(place_words[i].word, value, length) == 0)
			return (int)i;
	return -1;
}

static int check_value(
	enum config_console kind, const char *value, const char *path, struct err *err)
{
	const size_t socket_path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	uint64_t fd;

	if (kind == CONFIG_CONSOLE_FD) {
		if (path && parse_u64(path, INT_MAX, &fd) == 0)
			return 0;
		return err_set(
			err, EINVAL, QUOTED " is not fd=N with a descriptor's number", value);
	}
	if (!path || !*path)
		return err_set(err, EINVAL, QUOTED " lacks the path: write %s=PATH", value,
			place_words[kind].word);
	if (kind == CONFIG_CONSOLE_SOCKET && strlen(path) > socket_path_max)
		return err_set(err, EINVAL,
			QUOTED " is too long: a socket's path has at most %zu bytes", value,
			socket_path_max);
	return 0;
}

int config_place_set(
	enum config_console *kind, char **path, bool fd_allowed, const char *value, struct err *err)
{
	size_t length = strcspn(value, "=");
	const char *given = value[length] ? value + length + 1 : NULL;
	int found = place_kind(value, length, fd_allowed);
	char *copy = NULL;

	if (found < 0 || (given && !place_words[found].has_value))
		return err_set(err, EINVAL,
			QUOTED " is not one of stdio, pty, null, file=PATH, socket=PATH%s", value,
			fd_allowed ? ", fd=N" : "");
	if (place_words[found].has_value) {
		int r = check_value((enum config_console)found, value, given, err);

		if (r < 0)
			return r;
		copy = strdup(given ? given : "");
		if (!copy)
			return err_set(err, ENOMEM, "out of memory");
	}
	free(*path);
	*path = copy;
	*kind = (enum config_console)found;
	return 0;
}

void config_place_show(enum config_console kind, const char *path, struct text *text)
{
	text_add(text, place_words[kind].word);
	if (path)
		text_addf(text, "=%s", path);
}

static void port_fini(struct config_port *port)
{
	free(port->name);
	free(port->path);
	*port = (struct config_port){0};
}
#define cleanup_port cleanup_with(port_fini)

void config_ports_fini(struct config *config)
{
	for (unsigned int i = 0; i < config->port_count; i++)
		port_fini(&config->ports[i]);
	free(config->ports);
	port_fini(&config->hvc);
}

int config_hvc_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	int r = config_place_set(&all->hvc.kind, &all->hvc.path, true, value, err);

	if (r == 0)
		all->has_hvc = true;
	return r;
}

int config_port_set(void *config, const char *value, struct err *err)
{
	struct config *all = config;
	cleanup_port struct config_port port = {0};
	size_t length = strcspn(value, "=");
	struct config_port *ports;
	int r;

	if (length == 0 || length > CONFIG_PORT_NAME_MAX || !value[length])
		return err_set(err, EINVAL,
			QUOTED " is not NAME=WHERE with a name of 1 to %d characters", value,
			CONFIG_PORT_NAME_MAX);
	r = config_place_set(&port.kind, &port.path, true, value + length + 1, err);
	if (r < 0)
		return r;
	if (all->port_count == CONFIG_PORTS_MAX)
		return err_set(err, EINVAL, "there are %d ports already, and more cannot be",
			CONFIG_PORTS_MAX);
	port.name = strndup(value, length);
	ports = reallocarray(all->ports, all->port_count + 1, sizeof(*ports));
	if (ports)
		all->ports = ports;
	if (!ports || !port.name)
		return err_set(err, ENOMEM, "out of memory");
	ports[all->port_count++] = port;
	port = (struct config_port){0}; /* OWNER: the list */
	return 0;
}

bool config_hvc_show(const void *config, unsigned int index, struct text *text)
{
	const struct config *all = config;

	if (index > 0 || !all->has_hvc)
		return false;
	config_place_show(all->hvc.kind, all->hvc.path, text);
	return true;
}

bool config_port_show(const void *config, unsigned int index, struct text *text)
{
	const struct config *all = config;

	if (index >= all->port_count)
		return false;
	text_addf(text, "%s=", all->ports[index].name);
	config_place_show(all->ports[index].kind, all->ports[index].path, text);
	return true;
}
