/* config.c - reading the configuration file; its keys stand in config_keys.c. */
#include "config.h"

#include "file.h"
#include "host.h"

#include <ini.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifndef CONFIG_PATH
#define CONFIG_PATH "/etc/amo-crm/amo-crm.conf"
#endif

#define STATE_NOT_GIVEN (-1) /* its default depends on connections */

struct reader {
	struct work *w;
	struct config *cfg;
	FILE *file;
	int line;
	uint64_t given; /* a bit for each key of the table */
};

static void *
target_of(struct config *cfg, const struct config_key *key)
{
	return (char *)cfg + key->offset;
}

static bool
is_choice(const struct config_key *key)
{
	return key->rule != NULL && strncmp(key->rule, "must", 4) != 0;
}

static bool
take_value(struct reader *reader, const struct config_key *key, const char *value)
{
	struct work *w = reader->w;
	const char *copy;

	if (!work_copy(w, value, strlen(value), &copy))
		return false;
	if (key->take(key, copy, target_of(reader->cfg, key)))
		return true;
	return fault(w, FAULT_CONFIG, "%s:%d: [%s] %s %s%s", reader->cfg->file, reader->line,
	    key->section, key->name, is_choice(key) ? "must be one of: " : "", key->rule);
}

static int
key_number(const char *section, const char *name)
{
	for (int i = 0; config_keys[i].name != NULL; i++)
		if (strcmp(config_keys[i].section, section) == 0
		    && strcmp(config_keys[i].name, name) == 0)
			return i;
	return -1;
}

/* inih's handler: 1 goes on. */
static int
take_pair(void *context, const char *section, const char *name, const char *value)
{
	struct reader *reader = context;
	int number = key_number(section, name);

	if (reader->w->kind != FAULT_NONE)
		return 1;
	if (number < 0)
		work_fault(reader->w, FAULT_CONFIG, "%s:%d: there is no key %s in a section [%s]",
		    reader->cfg->file, reader->line, name, section);
	else if ((reader->given >> number & 1) != 0)
		work_fault(reader->w, FAULT_CONFIG,
		    "%s:%d: [%s] %s is given twice (a line that begins with a blank goes on with "
		    "the last key)",
		    reader->cfg->file, reader->line, section, name);
	else {
		reader->given |= UINT64_C(1) << number;
		take_value(reader, &config_keys[number], value);
	}
	return 1;
}

/* inih's reader, as fgets; it counts the lines, and refuses what inih would cut in silence. */
static char *
read_line(char *line, int size, void *context)
{
	struct reader *reader = context;
	size_t len;

	if (reader->w->kind != FAULT_NONE || fgets(line, size, reader->file) == NULL)
		return NULL;
	reader->line++;
	len = strlen(line);
	if ((len == 0 || line[len - 1] != '\n') && !feof(reader->file)) {
		work_fault(reader->w, FAULT_CONFIG,
		    "%s:%d: the line is over %d bytes, or holds a NUL", reader->cfg->file,
		    reader->line, size - 2);
		return NULL;
	}
	return line;
}

static bool
take_file(struct reader *reader)
{
	struct work *w = reader->w;
	int wrong = ini_parse_stream(read_line, reader, take_pair, reader);

	if (w->kind != FAULT_NONE)
		return false;
	if (ferror(reader->file))
		return fault(w, FAULT_CONFIG, "%s: cannot be read", reader->cfg->file);
	if (wrong != 0)
		return fault(w, FAULT_CONFIG, "%s:%d: neither a [section] nor \"key = value\"",
		    reader->cfg->file, wrong);
	return true;
}

static bool
take_defaults(struct reader *reader)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (key->fallback != NULL && !take_value(reader, key, key->fallback))
			return false;
	return true;
}

static bool
check_required(struct reader *reader)
{
	for (int i = 0; config_keys[i].name != NULL; i++)
		if (config_keys[i].required && (reader->given >> i & 1) == 0)
			return fault(reader->w, FAULT_CONFIG, "%s: [%s] %s is missing",
			    reader->cfg->file, config_keys[i].section, config_keys[i].name);
	return true;
}

static bool
check_account(struct work *w, struct config *cfg)
{
	char lowered[HOST_SIZE];

	if (cfg->amocrm.account == NULL)
		return cfg->app.connections != CONNECTIONS_SHARED
		    || fault(w, FAULT_CONFIG,
			"%s: [amocrm] account is missing; connections = shared needs it",
			cfg->file);
	if (!host_allowed(cfg->amocrm.account_domains, cfg->amocrm.account, lowered))
		return fault(w, FAULT_CONFIG,
		    "%s: [amocrm] account must be a host below account_domains", cfg->file);
	return work_copy(w, lowered, strlen(lowered), &cfg->amocrm.account);
}

static bool
check_jwt(struct work *w, const struct config *cfg)
{
	const struct jwt_config *jwt = &cfg->jwt;
	bool by_secret = jwt->algorithm <= JWT_HS512;

	if (by_secret && (jwt->secret == NULL || jwt->public_key != NULL))
		return fault(w, FAULT_CONFIG,
		    "%s: [jwt] HS algorithms need secret, and no public_key", cfg->file);
	if (!by_secret && (jwt->public_key == NULL || jwt->secret != NULL))
		return fault(w, FAULT_CONFIG,
		    "%s: [jwt] RS256, ES256 and EdDSA need public_key, and no secret", cfg->file);
	return true;
}

static bool
check_whole(struct reader *reader)
{
	struct config *cfg = reader->cfg;

	if (cfg->app.state == STATE_NOT_GIVEN)
		cfg->app.state =
		    cfg->app.connections == CONNECTIONS_SHARED ? STATE_ANY : STATE_SIGNED;
	return check_required(reader) && check_account(reader->w, cfg) && check_jwt(reader->w, cfg);
}

const char *
config_path(void)
{
	const char *path = getenv("AMO_CRM_CONFIG");

	return path != NULL && path[0] != '\0' ? path : CONFIG_PATH;
}

bool
config_read(struct work *w, const char *path, struct config *cfg)
{
	struct reader reader = { .w = w, .cfg = cfg };
	bool done;

	memset(cfg, 0, sizeof *cfg);
	cfg->file = path;
	cfg->app.state = STATE_NOT_GIVEN;
	if (!take_defaults(&reader) || !file_open_secret(w, path, &reader.file))
		return false;
	done = take_file(&reader) && check_whole(&reader);
	fclose(reader.file);
	cfg->complete = done;
	return done;
}
