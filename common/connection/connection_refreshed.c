/* connection_refreshed.c - saving refreshed tokens; see connection_internal.h. */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"
#include "connection/save_retry.h"
#include "store/escrow.h"

#include <string.h>

static bool
same_authorization(const struct connection *a, const struct connection *b)
{
	if (a->connected_at != b->connected_at)
		return false;
	return a->authorization == NULL || b->authorization == NULL
	    || strcmp(a->authorization, b->authorization) == 0;
}

/* Whether the record has the new pair already: an attempt to save it has failed with its last step,
 * and may not be durable. */
static bool
has_new_pair(struct ctx *ctx, const struct keyring *ring, const struct connection *now,
    const struct refreshed *refreshed, bool *has)
{
	struct tokens tokens;

	*has = false;
	if (now->refreshed_at != refreshed->at)
		return true;
	if (!record_tokens(ctx, ring, now, &tokens))
		return false;
	*has = strcmp(tokens.refresh_token, refreshed->tokens->refresh_token) == 0;
	return true;
}

static bool
save_locked(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed)
{
	struct connection now;
	bool again;
	bool found;

	if (!connection_find(ctx, cfg, refreshed->key, &found, &now))
		return false;
	if (!found || !same_authorization(&now, refreshed->before))
		return true;
	ring = keyring_reload(ctx, cfg->store.keys, ring);
	if (now.refreshed_at != refreshed->before->refreshed_at
	    && (!has_new_pair(ctx, ring, &now, refreshed, &again) || !again))
		return ctx->kind == FAULT_NONE;
	now.host = refreshed->before->host;
	now.refreshed_at = refreshed->at;
	now.expires_at = refreshed->tokens->expires_at;
	return connection_put(ctx, cfg, ring, refreshed->key, &now, refreshed->tokens);
}

bool
connection_save_refreshed(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed)
{
	struct lock lock;
	bool ok;

	if (!account_index_lock(ctx, &cfg->store, refreshed->before->account_id, &lock))
		return false;
	ok = save_locked(ctx, cfg, ring, refreshed);
	lock_release(&lock);
	return ok;
}

bool
connection_rehearse_refreshed(struct ctx *ctx, const struct config *cfg, const char *key,
    const struct connection *connection, struct lock *slot)
{
	struct lock lock;

	if (!account_index_lock(ctx, &cfg->store, connection->account_id, &lock))
		return false;
	lock_release(&lock);
	return store_rehearse(ctx, &cfg->store, &key, 1) && store_ready(ctx, &cfg->store)
	    && connection_escrow_reserve(ctx, cfg, ESCROW_SLOTS, slot);
}

static bool
save(struct ctx *ctx, void *arg)
{
	const struct escrow_entry *entry = arg;

	return connection_save_refreshed(ctx, entry->cfg, entry->ring, entry->refreshed);
}

bool
connection_keep_refreshed(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed, const struct lock *slot)
{
	struct escrow_entry entry = {
		.cfg = cfg, .ring = ring, .slot = slot, .refreshed = refreshed
	};
	char reason[CTX_REASON_MAX];

	connection_escrow_note(ctx, &entry);
	if (save_retry(ctx, save, &entry)) {
		escrow_erase(slot);
		return true;
	}
	if (connection_escrow_leave(ctx, &entry, reason)) {
		log_note(ctx, "because", reason);
		return true;
	}
	return fault(ctx, FAULT_STORAGE, "the new tokens of %s are lost; connect again: %.100s",
	    refreshed->key, reason);
}
