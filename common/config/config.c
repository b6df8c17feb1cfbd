/* config.c - reads the configuration file; config_keys.c has the table of its keys. */
#include "config/config.h"

#include "base/file.h"
#include "base/filecache.h"
#include "config/config_mistake.h"
#include "config/config_unknown.h"
#include "config/host_allowlist.h"

#include <ini.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef CONFIG_PATH
#define CONFIG_PATH "/etc/amo-crm/amo-crm.conf"
#endif

struct reader {
	struct ctx *ctx;
	struct config *cfg;
	FILE *file;
	int line;
	uint64_t given; /* a bit for each key of the table, set when the file has the key */
};

static void *
member_of(struct config *cfg, const struct config_key *key)
{
	return (char *)cfg + key->offset;
}

/* Always false. */
static bool
refuse_value(struct reader *reader, const struct config_key *key, const char *value)
{
	bool is_choice = key->choices != NULL;
	const char *error = key->problem != NULL ? key->problem(value) : key->error;
	enum config_mistake mistake = config_find_mistake(value);

	return fault(reader->ctx, FAULT_CONFIG, "%s:%d: [%s] %s %s%s%s%s", reader->cfg->file,
	    reader->line, key->section, key->name, is_choice ? "must be one of: " : "",
	    is_choice ? key->choices : error, mistake == CONFIG_NO_MISTAKE ? "" : "; it ",
	    config_mistake_text(mistake));
}

static bool
set_value(struct reader *reader, const struct config_key *key, const char *value)
{
	const char *copy;

	return ctx_strndup(reader->ctx, value, strlen(value), &copy)
	    && (key->parse(key, copy, member_of(reader->cfg, key))
		|| refuse_value(reader, key, value));
}

static int
key_index(const char *section, const char *name)
{
	for (int i = 0; config_keys[i].name != NULL; i++)
		if (strcmp(config_keys[i].section, section) == 0
		    && strcmp(config_keys[i].name, name) == 0)
			return i;
	return -1;
}

/* inih's handler; 1 means continue. */
static int
handle_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;
	int index = key_index(section, name);

	if (reader->ctx->kind != FAULT_NONE)
		return 1;
	if (index < 0)
		config_refuse_key(reader->ctx, reader->cfg->file, reader->line, section, name);
	else if ((reader->given >> index & 1) != 0)
		ctx_fault(reader->ctx, FAULT_CONFIG,
		    "%s:%d: [%s] %s is given twice (a line that begins with a space or tab "
		    "continues the previous key)",
		    reader->cfg->file, reader->line, section, name);
	else {
		reader->given |= UINT64_C(1) << index;
		set_value(reader, &config_keys[index], value);
	}
	return 1;
}

/* Whether something other than a comment follows a section, which inih would ignore. */
static bool
has_more_than_comment(const char *bracket)
{
	size_t blank = bracket == NULL ? 0 : strspn(bracket + 1, " \t\r\n");

	return bracket != NULL && strchr(";#", bracket[1 + blank]) == NULL;
}

/* Like fgets.  Returns what is wrong with the line, which inih would truncate without an error;
 * NULL: nothing. */
static const char *
read_whole_line(char *line, int size, FILE *file)
{
	int len = 0;
	int c;

	while (len < size - 1 && (c = getc(file)) != EOF) {
		line[len++] = (char)c;
		if (c == '\0')
			return "the line contains a NUL, as all do in UTF-16: save the file as "
			       "UTF-8";
		if (c == '\n')
			break;
	}
	line[len] = '\0';
	return len < size - 1 || line[len - 1] == '\n' ? NULL : "the line is too long";
}

/* inih's reader; it also counts the lines. */
static char *
read_line(char *line, int size, void *arg)
{
	struct reader *reader = arg;
	const char *wrong;

	if (reader->ctx->kind != FAULT_NONE)
		return NULL;
	reader->line++;
	wrong = read_whole_line(line, size, reader->file);
	if (wrong == NULL && line[0] == '[' && has_more_than_comment(strchr(line, ']')))
		wrong = "a [section] must be alone on its line";
	if (wrong != NULL)
		ctx_fault(
		    reader->ctx, FAULT_CONFIG, "%s:%d: %s", reader->cfg->file, reader->line, wrong);
	return wrong != NULL || line[0] == '\0' ? NULL : line;
}

static bool
parse_file(struct reader *reader)
{
	struct ctx *ctx = reader->ctx;
	int wrong = ini_parse_stream(read_line, reader, handle_pair, reader);

	if (ctx->kind != FAULT_NONE)
		return false;
	if (ferror(reader->file))
		return fault(ctx, FAULT_CONFIG, "%s: cannot be read", reader->cfg->file);
	if (wrong != 0)
		return fault(ctx, FAULT_CONFIG, "%s:%d: neither a [section] nor \"key = value\"",
		    reader->cfg->file, wrong);
	return true;
}

static bool
set_defaults(struct reader *reader)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (key->default_value != NULL && !set_value(reader, key, key->default_value))
			return false;
	return true;
}

static bool
check_required_keys(struct reader *reader)
{
	for (int i = 0; config_keys[i].name != NULL; i++)
		if (config_keys[i].required && (reader->given >> i & 1) == 0)
			return fault(reader->ctx, FAULT_CONFIG, "%s: [%s] %s is missing",
			    reader->cfg->file, config_keys[i].section, config_keys[i].name);
	return true;
}

static const char *
account_problem(const char *account)
{
	if (strchr(account, '/') != NULL)
		return "the host alone, without \"https://\" and '/'";
	if (strchr(account, '.') == NULL)
		return "the full host name, such as reforyou.amocrm.ru; a number belongs to "
		       "account_id";
	return "a host below account_domains";
}

static bool
normalize_account(struct ctx *ctx, struct config *cfg)
{
	char lowered[HOST_SIZE];

	if (cfg->amocrm.account == NULL)
		return cfg->app.connections != CONNECTIONS_SHARED
		    || fault(ctx, FAULT_CONFIG,
			"%s: [amocrm] account is missing; connections = shared requires it",
			cfg->file);
	if (!host_allowed(cfg->amocrm.account_domains, cfg->amocrm.account, lowered))
		return fault(ctx, FAULT_CONFIG, "%s: [amocrm] account must be %s", cfg->file,
		    account_problem(cfg->amocrm.account));
	return ctx_strndup(ctx, lowered, strlen(lowered), &cfg->amocrm.account);
}

static bool
check_jwt_key(struct ctx *ctx, const struct config *cfg)
{
	const struct jwt_config *jwt = &cfg->jwt;
	bool by_secret = jwt->algorithm <= JWT_HS512;

	if (by_secret && (jwt->secret == NULL || jwt->public_key != NULL))
		return fault(ctx, FAULT_CONFIG,
		    "%s: [jwt] HS algorithms require secret, and no public_key%s", cfg->file,
		    jwt->secret != NULL           ? ": delete one of the two"
			: jwt->public_key != NULL ? ": set algorithm to that of the key"
						  : "");
	if (!by_secret && (jwt->public_key == NULL || jwt->secret != NULL))
		return fault(ctx, FAULT_CONFIG,
		    "%s: [jwt] RS256, ES256 and EdDSA require public_key, and no secret%s",
		    cfg->file, jwt->public_key != NULL ? ": delete one of the two" : "");
	return true;
}

static bool
check_database(struct ctx *ctx, const struct config *cfg)
{
	const struct store_config *store = &cfg->store;

	if (store->engine == ENGINE_POSTGRESQL)
		return store->database != NULL
		    || fault(ctx, FAULT_CONFIG,
			"%s: [store] database is missing; engine = postgresql requires it",
			cfg->file);
	return (store->database == NULL && store->password_file == NULL)
	    || fault(ctx, FAULT_CONFIG,
		"%s: [store] database and password_file require engine = postgresql", cfg->file);
}

static bool
check_all(struct reader *reader)
{
	struct config *cfg = reader->cfg;

	if ((reader->given >> key_index("app", "state") & 1) == 0
	    && cfg->app.connections == CONNECTIONS_PER_USER)
		cfg->app.state = STATE_SIGNED;
	return check_required_keys(reader) && normalize_account(reader->ctx, cfg)
	    && check_jwt_key(reader->ctx, cfg) && check_database(reader->ctx, cfg);
}

const char *
config_path(void)
{
	const char *path = getenv("AMO_CRM_CONFIG");

	return path != NULL && path[0] != '\0' ? path : CONFIG_PATH;
}

typedef bool opener(struct ctx *ctx, const char *path, FILE **file);

/* *parsed is set even when the file has a fault, which is then reported as its settings say. */
static bool
parse_opened(struct ctx *ctx, const char *path, opener *open_file, const void **parsed)
{
	struct reader reader = { .ctx = ctx };
	bool ok;

	if (!ctx_alloc(ctx, sizeof *reader.cfg, &reader.cfg))
		return false;
	*parsed = reader.cfg;
	reader.cfg->file = path;
	if (!set_defaults(&reader) || !open_file(ctx, path, &reader.file))
		return false;
	ok = parse_file(&reader) && check_all(&reader);
	fclose(reader.file);
	reader.cfg->valid = ok;
	return ok;
}

static bool
parse(struct ctx *ctx, const char *path, const void **parsed)
{
	return parse_opened(ctx, path, file_open_secret, parsed);
}

static void
give(const void *parsed, struct config *cfg)
{
	if (parsed != NULL)
		memcpy(cfg, parsed, sizeof *cfg);
	else
		memset(cfg, 0, sizeof *cfg);
}

bool
config_read(struct ctx *ctx, const char *path, struct config *cfg)
{
	const void *parsed = NULL;
	bool ok = filecache_get(ctx, FILECACHE_CONFIG, path, parse, &parsed);

	give(parsed, cfg);
	return ok;
}

bool
config_read_as_root(struct ctx *ctx, const char *path, struct config *cfg)
{
	const void *parsed = NULL;
	bool ok = parse_opened(ctx, path, file_open_anybodys_secret, &parsed);

	give(parsed, cfg);
	return ok;
}
