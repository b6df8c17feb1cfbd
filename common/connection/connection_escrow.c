/* connection_escrow.c - see connection_escrow.h. */
#include "connection/connection_escrow.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "crypto/seal.h"
#include "store/escrow.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

static bool
escrow_context(struct ctx *ctx, const char *clear, const char **context)
{
	return ctx_printf(ctx, context, "escrow\n%s", clear);
}

static bool
write_clear(struct ctx *ctx, const struct refreshed *refreshed, const char **clear)
{
	const struct connection *before = refreshed->before;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"refresh\":");
	json_add_string(&sb, refreshed->key);
	strbuf_addf(&sb, ",\"account_id\":%lld", (long long)before->account_id);
	json_add_member(&sb, "host", before->host);
	json_add_member(&sb, "authorization", before->authorization);
	strbuf_addf(&sb, ",\"connected_at\":%lld,\"replaces\":%lld,\"refreshed_at\":%lld}",
	    (long long)before->connected_at, (long long)before->refreshed_at,
	    (long long)refreshed->at);
	return strbuf_finish(&sb, clear);
}

bool
connection_escrow_text(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed, const char **text)
{
	const char *clear;
	const char *context;
	const char *secret;
	const char *sealed;

	ring = keyring_reload(ctx, cfg->store.keys, ring);
	return write_clear(ctx, refreshed, &clear) && escrow_context(ctx, clear, &context)
	    && tokens_write(ctx, refreshed->tokens, &secret)
	    && seal(ctx, ring, context, secret, &sealed)
	    && ctx_printf(ctx, text, "%s\n%s", clear, sealed);
}

static bool
copy_string(struct ctx *ctx, const struct json_object *doc, const char *name, const char **out)
{
	const char *s = json_get_string(doc, name);

	*out = NULL;
	return s == NULL || ctx_strndup(ctx, s, strlen(s), out);
}

static bool
take_time(const struct json_object *doc, const char *name, time_t *out)
{
	int64_t seconds;

	if (!json_get_integer(doc, name, &seconds))
		return false;
	*out = (time_t)seconds;
	return true;
}

/* A text of the escrow, taken apart. */
struct kept {
	const char *clear;
	const char *sealed;
	const char *key; /* of the connection */
	struct connection before;
	time_t at;
};

static bool
read_clear(struct ctx *ctx, const struct json_object *doc, struct kept *kept)
{
	if (!copy_string(ctx, doc, "refresh", &kept->key)
	    || !copy_string(ctx, doc, "host", &kept->before.host)
	    || !copy_string(ctx, doc, "authorization", &kept->before.authorization))
		return false;
	return (kept->key != NULL && kept->before.host != NULL
		   && record_key_read(
		       kept->key, &kept->before.account_id, &kept->before.amocrm_user_id)
		   && take_time(doc, "connected_at", &kept->before.connected_at)
		   && take_time(doc, "replaces", &kept->before.refreshed_at)
		   && take_time(doc, "refreshed_at", &kept->at))
	    || fault(ctx, FAULT_CORRUPT, "the escrow holds something else than tokens");
}

static bool
read_kept(struct ctx *ctx, const char *text, struct kept *kept)
{
	size_t len = strcspn(text, "\n");
	struct json_object *doc;
	bool ok;

	if (text[len] != '\n')
		return fault(ctx, FAULT_CORRUPT, "the escrow holds a text of one line");
	if (!ctx_strndup(ctx, text, len, &kept->clear))
		return false;
	kept->sealed = text + len + 1;
	doc = json_parse(kept->clear, len);
	ok = read_clear(ctx, doc, kept);
	json_object_put(doc);
	return ok;
}

static bool
read_tokens(
    struct ctx *ctx, const struct keyring *ring, const struct kept *kept, struct tokens *tokens)
{
	const char *context;
	const char *secret;

	return escrow_context(ctx, kept->clear, &context)
	    && unseal(ctx, ring, context, kept->sealed, &secret)
	    && tokens_read(ctx, secret, tokens);
}

struct fold {
	const struct config *cfg;
	const char *key;      /* NULL: of any connection */
	enum fault_kind kind; /* of the first text that could not be folded */
	char reason[CTX_REASON_MAX];
};

static bool
fold_text(struct ctx *ctx, void *arg, const char *text)
{
	const struct fold *fold = arg;
	const struct keyring *ring;
	struct tokens tokens;
	struct kept kept = { 0 };
	struct refreshed refreshed = { .before = &kept.before, .tokens = &tokens };

	if (!read_kept(ctx, text, &kept) || !keyring_read(ctx, fold->cfg->store.keys, &ring)
	    || !read_tokens(ctx, ring, &kept, &tokens))
		return false;
	refreshed.key = kept.key;
	refreshed.at = kept.at;
	if (!connection_save_refreshed(ctx, fold->cfg, ring, &refreshed))
		return false;
	log_note(ctx, "folded", kept.key);
	return true;
}

/* Whether the text concerns the connection; one that cannot be read may concern any. */
static bool
concerns(struct ctx *ctx, const char *text, const char *key)
{
	struct kept kept = { 0 };

	if (key == NULL)
		return true;
	if (read_kept(ctx, text, &kept))
		return strcmp(kept.key, key) == 0;
	ctx_clear_fault(ctx);
	return false;
}

static bool
visit(struct ctx *ctx, void *arg, int number, const char *text)
{
	struct fold *fold = arg;

	if (!concerns(ctx, text, fold->key)
	    || escrow_take(ctx, &fold->cfg->store, number, fold_text, fold))
		return true;
	if (fold->kind == FAULT_NONE) {
		fold->kind = ctx->kind;
		memcpy(fold->reason, ctx->reason, sizeof fold->reason);
	}
	ctx_clear_fault(ctx);
	return true;
}

bool
connection_fold(struct ctx *ctx, const struct config *cfg, const char *key)
{
	struct fold fold = { .cfg = cfg, .key = key };

	return escrow_each(ctx, &cfg->store, visit, &fold)
	    && (fold.kind == FAULT_NONE || fault(ctx, fold.kind, "%s", fold.reason));
}

struct waiting {
	size_t count;
	char *first;
};

static bool
count_waiting(struct ctx *ctx, void *arg, int number, const char *text)
{
	struct waiting *waiting = arg;
	struct kept kept = { 0 };

	(void)number;
	if (!read_kept(ctx, text, &kept))
		ctx_clear_fault(ctx);
	if (waiting->count++ == 0)
		snprintf(waiting->first, STORE_KEY_MAX + 1, "%s",
		    kept.key == NULL ? "an unknown connection" : kept.key);
	return true;
}

bool
connection_waiting(
    struct ctx *ctx, const struct config *cfg, size_t *count, char first[STORE_KEY_MAX + 1])
{
	struct waiting waiting = { 0, first };
	bool ok = escrow_each(ctx, &cfg->store, count_waiting, &waiting);

	*count = waiting.count;
	return ok;
}
