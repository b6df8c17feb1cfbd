/* connection_restore.c - sealing connections anew, and bringing them back; see connection.h. */
#include "account.h"
#include "connection.h"

#include <string.h>

static bool
reseal_locked(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    bool *done)
{
	const char *kid = ring->keys[0].kid;
	struct connection connection;
	struct tokens tokens;
	bool found;

	if (!connection_find(w, cfg, key, &found, &connection))
		return false;
	*done = found
	    && (strncmp(connection.sealed, kid, strlen(kid)) != 0
		|| connection.sealed[strlen(kid)] != '.');
	return !*done
	    || (record_tokens(w, ring, &connection, &tokens)
		&& connection_put(w, cfg, ring, key, &connection, &tokens));
}

bool
connection_reseal(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, bool *done)
{
	struct connection connection;
	struct lock lock;
	bool sound;

	*done = false;
	if (!connection_find(w, cfg, key, &sound, &connection) || !sound)
		return w->kind == FAULT_NONE;
	if (!account_lock(w, &cfg->store, connection.account_id, &lock))
		return false;
	sound = reseal_locked(w, cfg, ring, key, done);
	lock_release(&lock);
	return sound;
}

static bool
restore_locked(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens, bool *done)
{
	struct connection now;
	bool found;

	if (!connection_find(w, cfg, key, &found, &now))
		return false;
	*done = !found || now.refreshed_at < connection->refreshed_at;
	return !*done
	    || (connection_put(w, cfg, ring, key, connection, tokens)
		&& account_add(w, &cfg->store, connection->account_id, connection->amocrm_user_id));
}

bool
connection_restore(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const char *value, const struct tokens *tokens, bool *done)
{
	struct connection connection;
	struct tokens opened;
	const char *own_key;
	struct lock lock;
	bool sound;

	if (!record_read(w, value, &connection)
	    || !record_key(w, connection.account_id, connection.amocrm_user_id, &own_key))
		return false;
	if (strcmp(key, own_key) != 0)
		return fault(w, FAULT_STORAGE, "the record is that of %s", own_key);
	if (tokens == NULL && !record_tokens(w, ring, &connection, &opened))
		return false;
	if (!account_lock(w, &cfg->store, connection.account_id, &lock))
		return false;
	sound =
	    restore_locked(w, cfg, ring, key, &connection, tokens == NULL ? &opened : tokens, done);
	lock_release(&lock);
	return sound;
}
