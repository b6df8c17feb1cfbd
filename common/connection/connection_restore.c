/* connection_restore.c - resealing connections, repairing their account's index, restoring exported
 * records; see connection.h. */
#include "connection/account_index.h"
#include "connection/connection_internal.h"

#include <string.h>

static bool
reseal_locked(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, bool *resealed)
{
	const char *kid = ring->keys[0].kid;
	struct connection connection;
	struct tokens tokens;
	bool found;

	if (!connection_find(ctx, cfg, key, &found, &connection))
		return false;
	*resealed = found
	    && (strncmp(connection.sealed, kid, strlen(kid)) != 0
		|| connection.sealed[strlen(kid)] != '.');
	return !*resealed
	    || (record_tokens(ctx, ring, &connection, &tokens)
		&& connection_put(ctx, cfg, ring, key, &connection, &tokens));
}

bool
connection_reseal(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, bool *resealed)
{
	struct connection connection;
	struct lock lock;
	bool ok;

	*resealed = false;
	if (!connection_find(ctx, cfg, key, &ok, &connection) || !ok)
		return ctx->kind == FAULT_NONE;
	if (!account_index_lock(ctx, &cfg->store, connection.account_id, &lock))
		return false;
	ok = reseal_locked(ctx, cfg, ring, key, resealed);
	lock_release(&lock);
	return ok;
}

static bool
is_listed(struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id,
    bool *listed)
{
	const char *key;
	const char *value;

	if (!account_index_contains(ctx, &cfg->store, account_id, amocrm_user_id, listed))
		return false;
	if (*listed)
		return true;
	if (!record_key(ctx, account_id, amocrm_user_id, &key)
	    || !store_get(ctx, &cfg->store, key, &value))
		return false;
	*listed = value == NULL;
	return true;
}

/* Usually it is listed, which costs no lock.  A connection that is being erased may seem to be
 * missing from the index, so that answer is confirmed under the lock. */
bool
connection_listed(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *listed)
{
	struct lock lock;
	bool ok;

	if (!is_listed(ctx, cfg, account_id, amocrm_user_id, listed))
		return false;
	if (*listed)
		return true;
	if (!account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = is_listed(ctx, cfg, account_id, amocrm_user_id, listed);
	lock_release(&lock);
	return ok;
}

bool
connection_enlist(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct lock lock;
	bool listed;
	bool ok;

	if (!account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = is_listed(ctx, cfg, account_id, amocrm_user_id, &listed)
	    && (listed || account_index_add(ctx, &cfg->store, account_id, amocrm_user_id));
	lock_release(&lock);
	return ok;
}

static bool
restore_locked(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens, bool *stored)
{
	struct connection now;
	bool found;

	if (!connection_find_or_skip_corrupt(ctx, cfg, key, &found, &now))
		return false;
	*stored = !found || now.refreshed_at < connection->refreshed_at;
	return account_index_add(
		   ctx, &cfg->store, connection->account_id, connection->amocrm_user_id)
	    && (!*stored || connection_put(ctx, cfg, ring, key, connection, tokens));
}

bool
connection_restore(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const char *value, const struct tokens *tokens, bool *stored)
{
	struct connection connection;
	struct tokens opened;
	const char *own_key;
	struct lock lock;
	bool ok;

	if (!record_read(ctx, value, &connection)
	    || !record_key(ctx, connection.account_id, connection.amocrm_user_id, &own_key))
		return false;
	if (strcmp(key, own_key) != 0)
		return fault(ctx, FAULT_STORAGE, "the record belongs to %s", own_key);
	if (tokens == NULL && !record_tokens(ctx, ring, &connection, &opened))
		return false;
	if (!account_index_lock(ctx, &cfg->store, connection.account_id, &lock))
		return false;
	ok = restore_locked(
	    ctx, cfg, ring, key, &connection, tokens == NULL ? &opened : tokens, stored);
	lock_release(&lock);
	return ok;
}

/* Under the user's lock: a claim that has read the pointer before this writes it would replace it
 * without erasing the connection it points to. */
bool
connection_restore_user(
    struct ctx *ctx, const struct config *cfg, const char *pointer, const char *key, bool *stored)
{
	const char *before;
	struct lock lock;
	bool ok;

	*stored = false;
	if (!store_lock(ctx, &cfg->store, pointer, STORE_WAIT_MS, &lock))
		return false;
	ok = user_lookup(ctx, cfg, pointer, &before)
	    && (before != NULL || store_put(ctx, &cfg->store, pointer, key, 0));
	lock_release(&lock);
	*stored = ok && before == NULL;
	return ok;
}
