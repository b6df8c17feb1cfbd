/* connection_refreshed.c - saving refreshed tokens; see connection_internal.h. */
#include "connection/account_index.h"
#include "connection/connection_internal.h"

static bool
save_refreshed_locked(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *before, const struct tokens *tokens)
{
	struct connection now;
	bool found;

	if (!connection_find(ctx, cfg, key, &found, &now))
		return false;
	if (!found || now.connected_at != before->connected_at
	    || now.refreshed_at != before->refreshed_at)
		return true;
	now.host = before->host;
	now.refreshed_at = time(NULL);
	now.expires_at = tokens->expires_at;
	ring = keyring_reload(ctx, cfg->store.keys, ring);
	return connection_put(ctx, cfg, ring, key, &now, tokens);
}

bool
connection_save_refreshed(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens)
{
	struct lock lock;
	bool ok;

	if (!account_index_lock(ctx, &cfg->store, connection->account_id, &lock))
		return false;
	ok = save_refreshed_locked(ctx, cfg, ring, key, connection, tokens);
	lock_release(&lock);
	return ok;
}
