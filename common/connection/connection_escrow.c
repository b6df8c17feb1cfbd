/* connection_escrow.c - writing and reading the texts of the escrow; see connection_escrow.h. */
#include "connection/connection_escrow.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "connection/authorized.h"
#include "connection/save_retry.h"
#include "crypto/seal.h"
#include "store/escrow.h"
#include "text/json.h"

#include <string.h>

static bool
escrow_context(struct ctx *ctx, const char *clear, const char **context)
{
	return ctx_printf(ctx, context, "escrow\n%s", clear);
}

static bool
write_refreshed(struct ctx *ctx, const struct refreshed *refreshed, const char **clear)
{
	const struct connection *before = refreshed->before;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"refresh\":");
	json_add_string(&sb, refreshed->key);
	json_add_member(&sb, "host", before->host);
	json_add_member(&sb, "authorization", before->authorization);
	strbuf_addf(&sb,
	    ",\"account_id\":%lld,\"connected_at\":%lld,\"replaces\":%lld,\"at\":%lld}",
	    (long long)before->account_id, (long long)before->connected_at,
	    (long long)before->refreshed_at, (long long)refreshed->at);
	return strbuf_finish(&sb, clear);
}

static bool
write_authorized(struct ctx *ctx, const struct authorized *authorized, const char **clear)
{
	const struct grant *grant = authorized->grant;
	const struct identity *identity = authorized->identity;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"code\":");
	json_add_string(&sb, authorized->record);
	json_add_member(&sb, "host", grant->host);
	json_add_member(&sb, "reserved_for", grant->reserved_for);
	json_add_member(&sb, "claimant", grant->claimant);
	strbuf_addf(&sb, ",\"for_nobody\":%s,\"account_id\":%lld,\"at\":%lld}",
	    grant->unclaimable ? "true" : "false",
	    identity == NULL ? 0LL : (long long)identity->account_id, (long long)authorized->at);
	return strbuf_finish(&sb, clear);
}

static bool
seal_entry(struct ctx *ctx, const struct escrow_entry *entry, const char **text)
{
	const struct refreshed *refreshed = entry->refreshed;
	const struct authorized *authorized = entry->authorized;
	const char *clear;
	const char *context;
	const char *secret;
	const char *sealed;

	return (refreshed != NULL ? write_refreshed(ctx, refreshed, &clear)
				  : write_authorized(ctx, authorized, &clear))
	    && escrow_context(ctx, clear, &context)
	    && tokens_write(
		ctx, refreshed != NULL ? refreshed->tokens : authorized->tokens, &secret)
	    && seal(ctx, entry->ring, context, secret, &sealed)
	    && ctx_printf(ctx, text, "%s\n%s", clear, sealed);
}

/* Seals the text anew if the ring's first key has changed: the old key may be deleted soon. */
static void
seal_with_newer_key(struct ctx *ctx, struct escrow_entry *entry)
{
	const struct keyring *before = entry->ring;
	const char *text;

	entry->ring = keyring_reload(ctx, entry->cfg->store.keys, before);
	if (entry->text == NULL || strcmp(entry->ring->keys[0].kid, before->keys[0].kid) == 0)
		return;
	if (seal_entry(ctx, entry, &text))
		entry->text = text;
	else
		ctx_clear_fault(ctx); /* the text that there is is better than none */
}

static bool
write_entry(struct ctx *ctx, struct escrow_entry *entry, bool sync)
{
	const char *text = entry->text;

	if ((text == NULL && !seal_entry(ctx, entry, &text))
	    || !escrow_write(ctx, entry->slot, text, sync))
		return false;
	entry->text = text;
	return true;
}

static bool
write_unsynced(struct ctx *ctx, void *arg)
{
	return write_entry(ctx, arg, false);
}

static bool
write_synced(struct ctx *ctx, void *arg)
{
	return write_entry(ctx, arg, true);
}

void
connection_escrow_note(struct ctx *ctx, struct escrow_entry *entry)
{
	if (!save_retry(ctx, write_unsynced, entry))
		ctx_clear_fault(ctx);
}

bool
connection_escrow_leave(struct ctx *ctx, struct escrow_entry *entry, char reason[CTX_REASON_MAX])
{
	memcpy(reason, ctx->reason, CTX_REASON_MAX);
	ctx_clear_fault(ctx);
	seal_with_newer_key(ctx, entry);
	if (!save_retry(ctx, write_synced, entry)) {
		ctx_clear_fault(ctx);
		return false;
	}
	log_note(ctx, "escrow",
	    entry->refreshed != NULL ? entry->refreshed->key : entry->authorized->record);
	return true;
}

bool
connection_escrow_reserve(struct ctx *ctx, const struct config *cfg, int slots, struct lock *slot)
{
	const struct fold_filter all = { .all = true };
	struct ctx before;

	if (escrow_reserve(ctx, &cfg->store, slots, slot))
		return true;
	before = *ctx;
	ctx_clear_fault(ctx);
	if (connection_fold_nowait(ctx, cfg, &all))
		return escrow_reserve(ctx, &cfg->store, slots, slot);
	return fault(ctx, before.kind, "%s", before.reason);
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

static bool
take_refreshed(const struct json_object *doc, struct kept *kept)
{
	return kept->host != NULL
	    && record_key_read(kept->key, &kept->before.account_id, &kept->before.amocrm_user_id)
	    && take_time(doc, "connected_at", &kept->before.connected_at)
	    && take_time(doc, "replaces", &kept->before.refreshed_at);
}

static bool
read_members(struct ctx *ctx, const struct json_object *doc, struct kept *kept)
{
	if (!json_copy_string(ctx, doc, "refresh", &kept->key)
	    || !json_copy_string(ctx, doc, "code", &kept->code)
	    || !json_copy_string(ctx, doc, "host", &kept->host)
	    || !json_copy_string(ctx, doc, "authorization", &kept->before.authorization)
	    || !json_copy_string(ctx, doc, "reserved_for", &kept->grant.reserved_for)
	    || !json_copy_string(ctx, doc, "claimant", &kept->grant.claimant))
		return false;
	kept->before.host = kept->grant.host = kept->host;
	(void)json_get_boolean(doc, "for_nobody", &kept->grant.unclaimable);
	(void)json_get_integer(doc, "account_id", &kept->account_id);
	return (take_time(doc, "at", &kept->at)
		   && (kept->key != NULL ? take_refreshed(doc, kept) : kept->code != NULL))
	    || fault(ctx, FAULT_CORRUPT, "the escrow holds something else than tokens");
}

bool
kept_read(struct ctx *ctx, const char *text, struct kept *kept)
{
	size_t len = strcspn(text, "\n");
	struct json_object *doc;
	bool ok;

	*kept = (struct kept){ .key = NULL };
	if (text[len] != '\n')
		return fault(ctx, FAULT_CORRUPT, "the escrow holds a text of one line");
	if (!ctx_strndup(ctx, text, len, &kept->clear))
		return false;
	kept->sealed = text + len + 1;
	doc = json_parse(kept->clear, len);
	ok = read_members(ctx, doc, kept);
	json_object_put(doc);
	return ok;
}

bool
kept_tokens(
    struct ctx *ctx, const struct keyring *ring, const struct kept *kept, struct tokens *tokens)
{
	const char *context;
	const char *secret;

	return escrow_context(ctx, kept->clear, &context)
	    && unseal(ctx, ring, context, kept->sealed, &secret)
	    && tokens_read(ctx, secret, tokens);
}
