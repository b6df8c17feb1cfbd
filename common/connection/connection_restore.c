/* connection_restore.c - restoring exported records; see connection.h. */
#include "connection/account_index.h"
#include "connection/connection_internal.h"

#include <string.h>

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

/* The rule by which tokens are taken from amoCRM, with a message for each way to break it. */
static bool
check_token(struct ctx *ctx, const char *name, const char *token)
{
	if (amocrm_token_valid(token))
		return true;
	if (*token == '\0')
		return fault(ctx, FAULT_REQUEST, "its %s is empty", name);
	if (strlen(token) > AMOCRM_TOKEN_MAX)
		return fault(ctx, FAULT_REQUEST, "its %s is over %d bytes", name, AMOCRM_TOKEN_MAX);
	return fault(ctx, FAULT_REQUEST, "its %s has a blank, or no ASCII", name);
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
	if (tokens == NULL)
		tokens = &opened;
	if (!check_token(ctx, "access_token", tokens->access_token)
	    || !check_token(ctx, "refresh_token", tokens->refresh_token)
	    || !account_index_lock(ctx, &cfg->store, connection.account_id, &lock))
		return false;
	ok = restore_locked(ctx, cfg, ring, key, &connection, tokens, stored);
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
