/* connection_owner.c - storing connections for their owners; see connection.h.
 *
 * All that an authorization changes is changed together, and in this order: who is on the account's
 * list, the connection, whose it is, and what the caller gives along.  What it replaces is erased
 * behind that, and only then leaves the list.
 */
#include "account.h"
#include "connection.h"
#include "log.h"
#include "notice.h"

#include <string.h>

/* The newest authorization of a shared set-up is the only one. */
static bool
erase_others(
    struct work *w, const struct config *cfg, const struct connection *connection, const char *list)
{
	struct account_edit cut = { connection->amocrm_user_id, ACCOUNT_LEAVE_ONLY, NULL };
	struct store_change change;
	int64_t user;
	bool any = false;

	while (account_next(&list, &user))
		if (user != connection->amocrm_user_id) {
			any = true;
			if (!connection_erase_record(w, cfg, connection->account_id, user))
				return false;
		}
	return !any
	    || (account_change(w, connection->account_id, &cut, &change)
		&& store_change_all(w, &cfg->store, &change, 1));
}

/* The connection an app user had before, unless it is the same, or somebody else's by now. */
static bool
erase_former(struct work *w, const struct config *cfg, const char *former_key, const char *key,
    const char *app_user)
{
	struct connection former;
	bool had;

	if (former_key == NULL || strcmp(former_key, key) == 0)
		return true;
	if (!connection_find(w, cfg, former_key, &had, &former))
		return false;
	if (!had || former.app_user == NULL || strcmp(former.app_user, app_user) != 0)
		return true;
	return connection_erase_record(w, cfg, former.account_id, former.amocrm_user_id)
	    && account_remove(w, &cfg->store, former.account_id, former.amocrm_user_id);
}

/* A connection as it is to be stored, and whose it becomes. */
struct storing {
	const char *key;
	const struct connection *connection;
	const char *record;        /* NULL: it stays as it is */
	const struct owner *owner; /* NULL: whose it is stays as it is */
	const struct store_change *along;
};

/* For all where connections are shared; for nobody where they are not and the owner is not known. */
static bool
store_owned(struct work *w, const struct config *cfg, const struct storing *it)
{
	bool shared = cfg->app.connections == CONNECTIONS_SHARED;
	bool owned = it->owner != NULL && (shared || it->owner->app_user != NULL);
	struct account_edit users = { .amocrm_user_id = it->connection->amocrm_user_id,
		.how = ACCOUNT_ADD };
	struct store_change changes[STORE_CHANGES_MAX];
	const char *former_key = NULL;
	const char *pointer;
	size_t count = 0;

	if (!account_change(w, it->connection->account_id, &users, &changes[count++]))
		return false;
	if (it->record != NULL)
		changes[count++] = store_putting(it->key, it->record, 0);
	if (owned) {
		if (!connection_pointer(w, cfg, it->owner->app_user, &pointer)
		    || !store_get(w, &cfg->store, pointer, &former_key))
			return false;
		changes[count++] = store_putting(pointer, it->key, 0);
	}
	if (it->along != NULL)
		changes[count++] = *it->along;
	if (!store_change_all(w, &cfg->store, changes, count))
		return false;
	return !owned
	    || (shared ? erase_others(w, cfg, it->connection, users.before)
		       : erase_former(w, cfg, former_key, it->key, it->owner->app_user));
}

static bool
save_locked(struct work *w, const struct config *cfg, const struct keyring *ring,
    struct connection *connection, const struct tokens *tokens, struct storing *it)
{
	bool per_user = cfg->app.connections == CONNECTIONS_PER_USER;
	struct connection old;
	bool found;

	if (!connection_find(w, cfg, it->key, &found, &old))
		return false;
	connection->app_user = found ? old.app_user : NULL;
	if (per_user && it->owner != NULL && it->owner->app_user != NULL)
		connection->app_user = it->owner->app_user;
	return record_write(w, ring, connection, tokens, &it->record) && store_owned(w, cfg, it);
}

bool
connection_save(struct work *w, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const struct owner *owner,
    const struct store_change *along)
{
	time_t now = time(NULL);
	struct connection connection = {
		.account_id = identity->account_id,
		.amocrm_user_id = identity->user_id,
		.host = identity->host,
		.state = CONNECTION_ACTIVE,
		.connected_at = now,
		.refreshed_at = now,
		.expires_at = tokens->expires_at,
	};
	struct storing it = { .connection = &connection, .owner = owner, .along = along };
	struct lock lock;
	bool done;

	if (!record_key(w, identity->account_id, identity->user_id, &it.key)
	    || !account_lock(w, &cfg->store, identity->account_id, &lock))
		return false;
	done = save_locked(w, cfg, ring, &connection, tokens, &it);
	lock_release(&lock);
	if (done) {
		log_note(w, "stored", it.key);
		log_note(w, "host", connection.host);
		notice_add(w, cfg, "connected", &connection, NULL);
	}
	return done;
}

static bool
adopt_locked(struct work *w, const struct config *cfg, const struct keyring *ring,
    struct storing *it, bool *found)
{
	bool per_user = cfg->app.connections == CONNECTIONS_PER_USER;
	struct connection connection;
	struct tokens tokens;

	if (!connection_find(w, cfg, it->key, found, &connection) || !*found)
		return w->kind == FAULT_NONE;
	it->connection = &connection;
	if (per_user && it->owner->app_user != NULL) {
		if (!record_tokens(w, ring, &connection, &tokens))
			return false;
		connection.app_user = it->owner->app_user;
		if (!record_write(w, ring, &connection, &tokens, &it->record))
			return false;
	}
	return store_owned(w, cfg, it);
}

bool
connection_adopt(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct owner *owner, const struct store_change *along, bool *found)
{
	struct storing it = { .key = key, .owner = owner, .along = along };
	struct connection connection;
	struct lock lock;
	bool done;

	if (!connection_find(w, cfg, key, found, &connection))
		return false;
	if (!*found)
		return true;
	if (!account_lock(w, &cfg->store, connection.account_id, &lock))
		return false;
	done = adopt_locked(w, cfg, ring, &it, found);
	lock_release(&lock);
	return done;
}
