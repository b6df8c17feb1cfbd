/* parameters.c - see parameters.h. */
#include "parameters.h"

#include "base/file.h"

#include <string.h>

#define PASSWORD_SIZE 1024 /* bytes, with its newline */

/* Names a file that cannot exist, where libpq would take one from the home folder. */
#define NO_FILE "/dev/null/none"

struct parameter {
	const char *name;
	const char *value;
};

/* In force unless the configuration names others. */
static const struct parameter defaults[] = {
	{ "sslrootcert", NO_FILE },
	{ "sslcert", NO_FILE },
	{ "sslkey", NO_FILE },
	{ "sslcrl", NO_FILE },
};

/* A host that is down or cut off is noticed within 10 s when idle, and within 5 s when it does not
 * acknowledge what was sent. */
static const struct parameter required[] = {
	{ "target_session_attrs", "read-write" },
	{ "keepalives_idle", "5" },
	{ "keepalives_interval", "2" },
	{ "keepalives_count", "2" },
	{ "tcp_user_timeout", "5000" },
	{ "client_encoding", "UTF8" },
	{ "application_name", "amo-crm" },
	{ "gssencmode", "disable" },
	{ "passfile", NO_FILE },
};

void
parameters_replace(struct parameters *parameters, const char *name, const char *value)
{
	size_t i = 0;

	while (i < parameters->count && strcmp(parameters->names[i], name) != 0)
		i++;
	if (i == PARAMETERS_SIZE)
		return;
	parameters->names[i] = name;
	parameters->values[i] = value;
	parameters->count += i == parameters->count;
}

bool
parameters_read_password(struct ctx *ctx, const char *path, const char **password)
{
	char *line;
	FILE *file;
	bool read;

	*password = NULL;
	if (path == NULL)
		return true;
	if (!ctx_alloc(ctx, PASSWORD_SIZE, &line) || !file_open_secret(ctx, path, &file))
		return false;
	read = fgets(line, PASSWORD_SIZE, file) != NULL;
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	*password = line;
	return (read && *line != '\0')
	    || fault(ctx, FAULT_CONFIG, "%s: holds no password in its first line", path);
}

const char *
parameters_value(const PQconninfoOption *options, const char *name)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, name) == 0)
			return options->val;
	return NULL;
}

/* hostaddr, host and port are lists, separated by commas, of which hostaddr decides. */
size_t
parameters_count_hosts(const PQconninfoOption *options)
{
	const char *list = parameters_value(options, "hostaddr");
	size_t count = 1;

	if (list == NULL)
		list = parameters_value(options, "host");
	for (; list != NULL && *list != '\0'; list++)
		count += *list == ',';
	return count;
}

/* Copies the item of that index; a list with one item has it for each host. */
static bool
copy_item(struct ctx *ctx, const char *list, size_t index, const char **item)
{
	if (strchr(list, ',') != NULL)
		for (; index > 0; index--) {
			list += strcspn(list, ",");
			list += *list == ',';
		}
	return ctx_strndup(ctx, list, strcspn(list, ","), item);
}

static bool
is_list(const char *name)
{
	return strcmp(name, "host") == 0 || strcmp(name, "hostaddr") == 0
	    || strcmp(name, "port") == 0;
}

bool
parameters_set(struct ctx *ctx, const PQconninfoOption *options, const char *password, size_t host,
    struct parameters *parameters)
{
	const char *value;

	*parameters = (struct parameters){ .count = 0 };
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		parameters_replace(parameters, defaults[i].name, defaults[i].value);
	for (; options->keyword != NULL; options++) {
		value = options->val;
		if (value == NULL)
			continue;
		if (is_list(options->keyword) && !copy_item(ctx, value, host, &value))
			return false;
		parameters_replace(parameters, options->keyword, value);
	}
	for (size_t i = 0; i < sizeof required / sizeof *required; i++)
		parameters_replace(parameters, required[i].name, required[i].value);
	if (password != NULL)
		parameters_replace(parameters, "password", password);
	return true;
}
