/* connection_save.c - storing connections for their owners; see connection.h.
 *
 * All that an authorization changes is changed together, and in this order: who is on the account's
 * list, the connection, whose it is, and what the caller gives along.  What it replaces is erased
 * behind that, and only then leaves the list.
 */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_event.h"
#include "connection/connection_internal.h"

#include <string.h>

static bool
is_shared(const struct config *cfg)
{
	return cfg->app.connections == CONNECTIONS_SHARED;
}

/* A connection as it is to be stored, and whose it becomes. */
struct storing {
	int64_t account_id;
	int64_t amocrm_user_id;
	const char *key;
	struct connection *connection; /* with new tokens; NULL: one that is stored, with its own */
	const struct tokens *tokens;
	const struct claim *claim;
	const char *pointer; /* the claimant's; NULL: it is not claimed now */
	const char *stale;   /* a pointer that must not lead there; NULL: none */
	const char *former;  /* where it led before */
	const char *record;  /* NULL: it stays as it is */
	const struct authorization *authorization;
	bool found; /* there was one of that name */
};

/* The newest authorization of a shared set-up is the only one. */
static bool
erase_others(struct ctx *ctx, const struct config *cfg, const struct storing *it, const char *list)
{
	struct account_index_edit cut = { it->amocrm_user_id, ACCOUNT_LEAVE_ONLY, NULL };
	struct store_op change;
	int64_t user;
	bool any = false;

	while (account_index_next(&list, &user))
		if (user != it->amocrm_user_id) {
			any = true;
			if (!connection_erase_record(ctx, cfg, it->account_id, user))
				return false;
		}
	return !any
	    || (account_index_op(ctx, it->account_id, &cut, &change)
		&& store_commit(ctx, &cfg->store, &change, 1));
}

/* For all where connections are shared; for nobody where they are not and the owner is not
 * known. */
static bool
store_owned(struct ctx *ctx, const struct config *cfg, struct storing *it)
{
	struct account_index_edit users = { it->amocrm_user_id, ACCOUNT_ADD, NULL };
	struct store_op changes[STORE_OPS_MAX];
	size_t count = 0;

	if (!account_index_op(ctx, it->account_id, &users, &changes[count++]))
		return false;
	if (it->stale != NULL)
		changes[count++] = connection_forgetting(it->stale, it->key);
	if (it->record != NULL)
		changes[count++] = store_op_put(it->key, it->record, 0);
	if (it->pointer != NULL) {
		if (!user_lookup(ctx, cfg, it->pointer, &it->former))
			return false;
		changes[count++] = store_op_put(it->pointer, it->key, 0);
	}
	if (it->authorization->code_op != NULL)
		changes[count++] = *it->authorization->code_op;
	return store_commit(ctx, &cfg->store, changes, count)
	    && (it->pointer == NULL || !is_shared(cfg) || erase_others(ctx, cfg, it, users.before));
}

/* Whose the connection is.  Who had one that was gone, or that amoCRM had ended, is not connected
 * by an authorization that is not theirs yet. */
static bool
decide_owner(
    struct ctx *ctx, const struct config *cfg, const struct connection *old, struct storing *it)
{
	if (it->pointer != NULL)
		it->connection->app_user = is_shared(cfg) ? NULL : it->claim->app_user;
	else if (it->claim->kind == CLAIM_ANONYMOUS || (old != NULL && connection_usable(old)))
		it->connection->app_user = old == NULL ? NULL : old->app_user;
	else if (is_shared(cfg))
		return user_key(ctx, cfg, NULL, &it->stale);
	return true;
}

static bool
save_locked(
    struct ctx *ctx, const struct config *cfg, const struct keyring *ring, struct storing *it)
{
	struct connection old;

	ring = keyring_reload(ctx, cfg->store.keys, ring);
	return connection_find_or_skip_corrupt(ctx, cfg, it->key, &it->found, &old)
	    && decide_owner(ctx, cfg, it->found ? &old : NULL, it)
	    && record_write(ctx, ring, it->connection, it->tokens, &it->record)
	    && store_owned(ctx, cfg, it);
}

static bool
is_of_another(const struct connection *connection, const struct authorization *authorization)
{
	return authorization->id != NULL && connection->authorization != NULL
	    && strcmp(connection->authorization, authorization->id) != 0;
}

static bool
claim_locked(
    struct ctx *ctx, const struct config *cfg, const struct keyring *ring, struct storing *it)
{
	struct connection connection;
	struct tokens tokens;

	if (!connection_find_or_skip_corrupt(ctx, cfg, it->key, &it->found, &connection))
		return false;
	if (it->found && is_of_another(&connection, it->authorization))
		it->found = false;
	if (!it->found)
		return true;
	if (it->pointer != NULL && !is_shared(cfg)) {
		if (!record_tokens(ctx, ring, &connection, &tokens))
			return false;
		connection.app_user = it->claim->app_user;
		if (!record_write(ctx, ring, &connection, &tokens, &it->record))
			return false;
	}
	return store_owned(ctx, cfg, it);
}

/* Whether the claim sets a pointer to the connection. */
static bool
claims_now(const struct config *cfg, const struct claim *claim)
{
	return claim->kind == CLAIM_USER || (claim->kind == CLAIM_ANONYMOUS && is_shared(cfg));
}

static bool
store_in_account(
    struct ctx *ctx, const struct config *cfg, const struct keyring *ring, struct storing *it)
{
	struct lock lock;
	bool ok;

	if (!account_index_lock(ctx, &cfg->store, it->account_id, &lock))
		return false;
	ok = (it->connection != NULL ? save_locked : claim_locked)(ctx, cfg, ring, it);
	lock_release(&lock);
	return ok;
}

/* The connection the owner had before, unless it is the same. */
static bool
erase_former(struct ctx *ctx, const struct config *cfg, const struct storing *it)
{
	return is_shared(cfg) || it->former == NULL || strcmp(it->former, it->key) == 0
	    || connection_erase_owned(ctx, cfg, it->former, it->claim->app_user);
}

/* Of one owner's connections, stored at once, one is the last. */
static bool
store_for_owner(
    struct ctx *ctx, const struct config *cfg, const struct keyring *ring, struct storing *it)
{
	struct lock lock;
	bool ok;

	if (!claims_now(cfg, it->claim))
		return store_in_account(ctx, cfg, ring, it);
	if (!user_key(ctx, cfg, it->claim->app_user, &it->pointer)
	    || !store_lock(ctx, &cfg->store, it->pointer, STORE_WAIT_MS, &lock))
		return false;
	ok = store_in_account(ctx, cfg, ring, it) && erase_former(ctx, cfg, it);
	lock_release(&lock);
	return ok;
}

bool
connection_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const struct claim *claim,
    const struct authorization *authorization)
{
	time_t now = time(NULL);
	struct connection connection = {
		.account_id = identity->account_id,
		.amocrm_user_id = identity->user_id,
		.host = identity->host,
		.authorization = authorization->id,
		.state = CONNECTION_ACTIVE,
		.connected_at = now,
		.refreshed_at = now,
		.expires_at = tokens->expires_at,
	};
	struct storing it = {
		.account_id = identity->account_id,
		.amocrm_user_id = identity->user_id,
		.connection = &connection,
		.tokens = tokens,
		.claim = claim,
		.authorization = authorization,
	};

	if (!record_key(ctx, identity->account_id, identity->user_id, &it.key)
	    || !store_for_owner(ctx, cfg, ring, &it))
		return false;
	log_note(ctx, "stored", it.key);
	log_note(ctx, "host", connection.host);
	connection_event_append(ctx, cfg, "connected", &connection, NULL);
	return true;
}

bool
connection_claim(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct claim *claim, const struct authorization *authorization,
    bool *found)
{
	struct storing it = { .key = key, .claim = claim, .authorization = authorization };
	bool ok = !record_key_read(key, &it.account_id, &it.amocrm_user_id)
	    || store_for_owner(ctx, cfg, ring, &it);

	*found = it.found;
	return ok;
}
