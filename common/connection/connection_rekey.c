/* connection_rekey.c - re-encrypting connections, and repairing their account's index; see
 * connection.h. */
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
is_indexed(struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id,
    bool *indexed)
{
	const char *key;
	const char *value;

	if (!account_index_contains(ctx, &cfg->store, account_id, amocrm_user_id, indexed))
		return false;
	if (*indexed)
		return true;
	if (!record_key(ctx, account_id, amocrm_user_id, &key)
	    || !store_get(ctx, &cfg->store, key, &value))
		return false;
	*indexed = value == NULL;
	return true;
}

/* Usually it is indexed, which costs no lock.  A connection that is being erased may seem to be
 * missing from the index, so that answer is confirmed under the lock. */
bool
connection_indexed(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *indexed)
{
	struct lock lock;
	bool ok;

	if (!is_indexed(ctx, cfg, account_id, amocrm_user_id, indexed))
		return false;
	if (*indexed)
		return true;
	if (!account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = is_indexed(ctx, cfg, account_id, amocrm_user_id, indexed);
	lock_release(&lock);
	return ok;
}

bool
connection_index_add(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct lock lock;
	bool indexed;
	bool ok;

	if (!account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = is_indexed(ctx, cfg, account_id, amocrm_user_id, &indexed)
	    && (indexed || account_index_add(ctx, &cfg->store, account_id, amocrm_user_id));
	lock_release(&lock);
	return ok;
}
