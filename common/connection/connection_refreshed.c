/* connection_refreshed.c - saving refreshed tokens; see connection_internal.h. */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"
#include "connection/save_retry.h"
#include "store/escrow.h"

#include <stdio.h>
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

struct owner {
	const char *key; /* of the connection */
	char *app_user;
	size_t count;
};

static bool
note_owner(struct ctx *ctx, void *arg, const char *pointer, const char *value)
{
	struct owner *owner = arg;

	(void)ctx;
	if (value != NULL && strcmp(value, owner->key) == 0 && owner->count++ == 0)
		snprintf(
		    owner->app_user, STORE_KEY_MAX + 1, "%s", pointer + strcspn(pointer, ":") + 1);
	return true;
}

/* If it is not known already: the only app user whose pointer leads to the connection.  NULL: there
 * is none, or several, since the pointer of a user whose connection another has claimed stays. */
static bool
find_owner(struct ctx *ctx, const struct config *cfg, const char *key, const char **app_user)
{
	struct owner owner = { .key = key };

	if (connections_shared(cfg) || *app_user != NULL)
		return true;
	if (!ctx_alloc(ctx, STORE_KEY_MAX + 1, &owner.app_user)
	    || !store_each(ctx, &cfg->store, "app:", note_owner, &owner))
		return false;
	if (owner.count == 1)
		*app_user = owner.app_user;
	return true;
}

/* Whether a missing connection is lost, and was not erased: its account still lists it, and where
 * connections are shared, there is no other. */
static bool
is_lost(struct ctx *ctx, const struct config *cfg, const struct refreshed *refreshed, bool *lost)
{
	const char *pointer;
	const char *current = NULL;
	int64_t account;
	int64_t user;

	*lost = false;
	if (!record_key_read(refreshed->key, &account, &user))
		return true;
	if (!account_index_contains(ctx, &cfg->store, account, user, lost))
		return false;
	if (!*lost || !connections_shared(cfg))
		return true;
	if (!user_key(ctx, cfg, NULL, &pointer) || !user_lookup(ctx, cfg, pointer, &current))
		return false;
	*lost = current == NULL || strcmp(current, refreshed->key) == 0;
	return true;
}

/* The record was in a damaged shard.  The pair of any backup was exchanged for this one, and is
 * invalid. */
static bool
restore_lost(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed)
{
	struct connection connection = *refreshed->before;
	bool lost;

	if (!is_lost(ctx, cfg, refreshed, &lost))
		return false;
	if (!lost)
		return true;
	connection.state = CONNECTION_ACTIVE;
	connection.refreshed_at = refreshed->at;
	connection.expires_at = refreshed->tokens->expires_at;
	ring = keyring_reload(ctx, cfg->store.keys, ring);
	if (!record_key_read(refreshed->key, &connection.account_id, &connection.amocrm_user_id)
	    || !find_owner(ctx, cfg, refreshed->key, &connection.app_user)
	    || !connection_put(ctx, cfg, ring, refreshed->key, &connection, refreshed->tokens))
		return false;
	log_note(ctx, "restored", refreshed->key);
	return true;
}

struct saving {
	const struct config *cfg;
	const struct keyring *ring;
	const struct refreshed *refreshed;
};

static bool
save_in_section(struct ctx *ctx, void *arg)
{
	const struct saving *saving = arg;
	const struct config *cfg = saving->cfg;
	const struct keyring *ring = saving->ring;
	const struct refreshed *refreshed = saving->refreshed;
	struct connection now;
	bool again;
	bool found;

	if (!connection_find(ctx, cfg, refreshed->key, &found, &now))
		return false;
	if (!found)
		return restore_lost(ctx, cfg, ring, refreshed);
	if (!same_authorization(&now, refreshed->before))
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
connection_refreshed_outdated(
    struct ctx *ctx, const struct config *cfg, const struct refreshed *refreshed, bool *outdated)
{
	struct connection now;
	bool found;

	if (!connection_find(ctx, cfg, refreshed->key, &found, &now))
		return false;
	*outdated = found
	    && (!same_authorization(&now, refreshed->before)
		|| (now.refreshed_at != refreshed->before->refreshed_at
		    && now.refreshed_at != refreshed->at));
	return true;
}

bool
connection_save_refreshed(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed)
{
	struct saving saving = { cfg, ring, refreshed };

	return account_index_together(
	    ctx, &cfg->store, refreshed->before->account_id, save_in_section, &saving);
}

bool
connection_rehearse_refreshed(struct ctx *ctx, const struct config *cfg, const char *key,
    const struct connection *connection, struct lock *slot)
{
	return account_index_repair(ctx, &cfg->store, connection->account_id)
	    && store_rehearse(ctx, &cfg->store, &key, 1) && store_ready(ctx, &cfg->store)
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
    const struct refreshed *refreshed, const struct lock *slot, bool *waits)
{
	struct escrow_entry entry = {
		.cfg = cfg, .ring = ring, .slot = slot, .refreshed = refreshed
	};
	char reason[CTX_REASON_MAX];

	*waits = false;
	connection_escrow_note(ctx, &entry);
	if (save_retry(ctx, save, &entry)) {
		escrow_erase(slot);
		return true;
	}
	*waits = connection_escrow_leave(ctx, &entry, reason);
	if (*waits) {
		log_note(ctx, "because", reason);
		return true;
	}
	return fault(ctx, FAULT_STORAGE, "the new tokens of %s are lost; connect again: %.100s",
	    refreshed->key, reason);
}
