/* export_import.c - `amocrmctl export` and `amocrmctl import`: all connections as JSON lines.
 *
 *   {"key":"connection:1:2","value":"<the record, sealed>"}
 *   {"key":"connection:1:2","value":"<the record without its tokens>","tokens":"<them>"}   --plain
 *   {"key":"app:<app user>","value":"connection:1:2"}
 */
#include "ctl.h"

#include "base/strbuf.h"
#include "config/host_allowlist.h"
#include "connection/connection.h"
#include "crypto/keyring.h"
#include "store/store.h"
#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct export
{
	const struct keyring *ring; /* opens the tokens; NULL: they stay sealed */
	size_t failed;
};

static bool
open_tokens(struct ctx *ctx, const struct keyring *ring, const char *value, const char **clear,
    const char **tokens_text)
{
	struct connection connection;
	struct tokens tokens;

	return record_read(ctx, value, &connection)
	    && ctx_strndup(ctx, value, (size_t)(connection.sealed - value), clear)
	    && record_tokens(ctx, ring, &connection, &tokens)
	    && tokens_write(ctx, &tokens, tokens_text);
}

/* A record that does not open is reported, and the export continues. */
static bool
export_record(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct export *export = arg;
	const char *tokens = NULL;
	const char *line;
	struct strbuf sb;

	if (value == NULL
	    || (export->ring != NULL && strncmp(key, "connection:", 11) == 0
		&& !open_tokens(ctx, export->ring, value, &value, &tokens))) {
		if (value == NULL)
			ctx_fault(ctx, FAULT_CORRUPT, "the record is corrupt");
		if (ctx->kind != FAULT_STORAGE && ctx->kind != FAULT_CORRUPT)
			return false;
		fprintf(stderr, "amocrmctl export: %s: %s\n", key, ctx->reason);
		ctx_clear_fault(ctx);
		export->failed++;
		return true;
	}
	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"key\":");
	json_add_string(&sb, key);
	strbuf_addstr(&sb, ",\"value\":");
	json_add_string(&sb, value);
	if (tokens != NULL) {
		strbuf_addstr(&sb, ",\"tokens\":");
		json_add_string(&sb, tokens);
	}
	strbuf_addch(&sb, '}');
	return strbuf_finish(&sb, &line)
	    && (puts(line) != EOF || fault(ctx, FAULT_SERVER, "cannot write to standard output"));
}

/* Both walks skip the same shards, which are reported once. */
static bool
export_all(struct ctl *ctl, struct export *export)
{
	struct ctx *ctx = ctl->ctx;
	bool complete = store_each(ctx, &ctl->cfg.store, "connection:", export_record, export);

	if (!complete && !ctl_skipped(ctl))
		return false;
	if (!store_each(ctx, &ctl->cfg.store, "app:", export_record, export)) {
		if ((complete || ctx->kind != FAULT_CORRUPT) && !ctl_skipped(ctl))
			return false;
		ctx_clear_fault(ctx);
		complete = false;
	}
	export->failed += !complete;
	return true;
}

enum ctl_exit
ctl_export(struct ctl *ctl)
{
	struct export export = { NULL, 0 };
	bool plain = ctl->argc == 2 && strcmp(ctl->argv[1], "--plain") == 0;

	if (ctl->argc > 1 && !plain)
		return ctl_usage(ctl, "accepts only --plain");
	if (plain && isatty(STDOUT_FILENO)) {
		fprintf(stderr, "amocrmctl export: tokens are not written to a terminal\n");
		return CTL_FAILED;
	}
	export.failed += !ctl_fold(ctl); /* they would be missing */
	if (plain && !keyring_read(ctl->ctx, ctl->cfg.store.keys, &export.ring))
		return ctl_fault(ctl);
	if (!export_all(ctl, &export))
		return CTL_FAILED;
	return export.failed == 0 ? CTL_DONE : CTL_FAILED;
}

static bool
import_line(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct json_object *doc, bool *stored)
{
	const char *key = json_get_string(doc, "key");
	const char *value = json_get_string(doc, "value");
	const char *text = json_get_string(doc, "tokens");
	char lowered[HOST_SIZE];
	struct connection connection;
	struct tokens tokens;

	if (key != NULL && value != NULL && strncmp(key, "app:", 4) == 0)
		return strncmp(value, "connection:", 11) == 0
		    ? connection_restore_user(ctx, cfg, key, value, stored)
		    : fault(ctx, FAULT_REQUEST, "it names no connection");
	if (key == NULL || value == NULL || strncmp(key, "connection:", 11) != 0)
		return fault(ctx, FAULT_REQUEST, "not a line that export wrote");
	if (!record_read(ctx, value, &connection)
	    || (text != NULL && !tokens_read(ctx, text, &tokens)))
		return false;
	if (!host_allowed(cfg->amocrm.account_domains, connection.host, lowered))
		return fault(ctx, FAULT_REQUEST, "account_domains does not allow its host");
	return connection_restore(
	    ctx, cfg, ring, key, value, text == NULL ? NULL : &tokens, stored);
}

/* Tokens that wait in the escrow are newer than any backup's, and would seem outdated beside a
 * record that was restored from one. */
static bool
nothing_waits(struct ctx *ctx, const struct config *cfg, const struct json_object *doc)
{
	const char *key = json_get_string(doc, "key");
	bool waits;

	if (key == NULL)
		return true; /* reported later */
	if (!connection_waits(ctx, cfg, key, &waits)) {
		ctx_clear_fault(ctx);
		return true;
	}
	return !waits
	    || fault(ctx, FAULT_UNAVAILABLE,
		"newer tokens of %s wait in the escrow, and cannot be stored yet", key);
}

/* A database that cannot be used takes no other line, either. */
static bool
engine_failed(const struct ctx *ctx, const struct config *cfg)
{
	return cfg->store.engine == ENGINE_POSTGRESQL
	    && (ctx->kind == FAULT_UNAVAILABLE || ctx->kind == FAULT_CONFIG);
}

/* An invalid line is reported, and the import continues. */
static bool
import_lines(
    struct ctl *ctl, const struct keyring *ring, bool folded, size_t *imported, size_t *kept)
{
	struct ctx *ctx = ctl->ctx;
	char *line = NULL;
	size_t size = 0;
	size_t number = 0;
	bool ended = false;
	bool ok = true;

	while (!ended && getline(&line, &size, stdin) > 0) {
		struct json_object *doc = json_parse_strict(line, strcspn(line, "\n"));
		size_t mark = arena_mark(ctx);
		bool stored = false;

		number++;
		if ((!folded && !nothing_waits(ctx, &ctl->cfg, doc))
		    || !import_line(ctx, &ctl->cfg, ring, doc, &stored)) {
			fprintf(stderr, "amocrmctl import: line %zu: %s\n", number, ctx->reason);
			ended = folded && engine_failed(ctx, &ctl->cfg);
			ctx_clear_fault(ctx);
			ok = false;
		} else if (stored)
			++*imported;
		else
			++*kept;
		json_object_put(doc);
		arena_rewind(ctx, mark);
		explicit_bzero(line, size);
	}
	free(line);
	return ok;
}

enum ctl_exit
ctl_import(struct ctl *ctl)
{
	const struct keyring *ring;
	size_t imported = 0;
	size_t kept = 0;
	bool folded;
	bool ok;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "accepts no arguments; it reads standard input");
	if (!keyring_read(ctl->ctx, ctl->cfg.store.keys, &ring))
		return ctl_fault(ctl);
	folded = ctl_fold(ctl);
	ok = import_lines(ctl, ring, folded, &imported, &kept) && folded;
	printf("imported %zu, skipped %zu: already present and at least as new\n", imported, kept);
	return ok ? CTL_DONE : CTL_FAILED;
}
