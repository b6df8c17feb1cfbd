/* connection_change.c - changing connections; see connection.h. */
#include "account.h"
#include "connection.h"
#include "log.h"
#include "notice.h"

#include <string.h>

static bool
renewed_locked(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *before, const struct tokens *tokens)
{
	struct connection now;
	bool found;

	if (!connection_find(w, cfg, key, &found, &now))
		return false;
	if (!found || now.connected_at != before->connected_at
	    || now.refreshed_at != before->refreshed_at)
		return true;
	now.host = before->host;
	now.refreshed_at = time(NULL);
	now.expires_at = tokens->expires_at;
	return connection_put(w, cfg, ring, key, &now, tokens);
}

bool
connection_renewed(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens)
{
	struct lock lock;
	bool done;

	if (!account_lock(w, &cfg->store, connection->account_id, &lock))
		return false;
	done = renewed_locked(w, cfg, ring, key, connection, tokens);
	lock_release(&lock);
	return done;
}

static bool
erase_record(struct work *w, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct connection connection;
	const char *key;
	bool found;

	if (!record_key(w, account_id, amocrm_user_id, &key)
	    || !connection_find(w, cfg, key, &found, &connection)
	    || !store_erase(w, &cfg->store, key))
		return false;
	if (found) {
		log_note(w, "erased", key);
		notice_add(w, cfg, "disconnected", &connection, NULL);
	}
	return true;
}

/* The newest authorization of a shared set-up is the only one. */
static bool
adopt_for_all(
    struct work *w, const struct config *cfg, const char *key, const struct connection *connection)
{
	const char *others;
	int64_t other;

	if (!store_put(w, &cfg->store, "app:", key, 0)
	    || !account_leave_only(
		w, &cfg->store, connection->account_id, connection->amocrm_user_id, &others))
		return false;
	while (account_next(&others, &other))
		if (other != connection->amocrm_user_id
		    && !erase_record(w, cfg, connection->account_id, other))
			return false;
	return true;
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
	return erase_record(w, cfg, former.account_id, former.amocrm_user_id)
	    && account_remove(w, &cfg->store, former.account_id, former.amocrm_user_id);
}

static bool
adopt_for_one(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    struct connection *connection, const char *app_user)
{
	struct tokens tokens;
	const char *pointer;
	const char *former_key;

	if (!connection_pointer(w, cfg, app_user, &pointer)
	    || !store_get(w, &cfg->store, pointer, &former_key)
	    || !record_tokens(w, ring, connection, &tokens))
		return false;
	connection->app_user = app_user;
	return connection_put(w, cfg, ring, key, connection, &tokens)
	    && store_put(w, &cfg->store, pointer, key, 0)
	    && erase_former(w, cfg, former_key, key, app_user);
}

static bool
adopt_locked(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    const char *app_user, bool *found)
{
	struct connection connection;

	if (!connection_find(w, cfg, key, found, &connection) || !*found)
		return w->kind == FAULT_NONE;
	if (cfg->app.connections == CONNECTIONS_SHARED)
		return adopt_for_all(w, cfg, key, &connection);
	return app_user == NULL || adopt_for_one(w, cfg, ring, key, &connection, app_user);
}

static bool
save_locked(struct work *w, const struct config *cfg, const struct keyring *ring,
    struct connection *connection, const struct tokens *tokens, const struct owner *owner,
    const char *key)
{
	struct connection old;
	bool found;

	if (!connection_find(w, cfg, key, &found, &old))
		return false;
	connection->app_user = found ? old.app_user : NULL;
	return connection_put(w, cfg, ring, key, connection, tokens)
	    && account_add(w, &cfg->store, connection->account_id, connection->amocrm_user_id)
	    && (owner == NULL || adopt_locked(w, cfg, ring, key, owner->app_user, &found));
}

bool
connection_save(struct work *w, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const struct owner *owner,
    const char **key)
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
	struct lock lock;
	bool done;

	if (!record_key(w, identity->account_id, identity->user_id, key)
	    || !account_lock(w, &cfg->store, identity->account_id, &lock))
		return false;
	done = save_locked(w, cfg, ring, &connection, tokens, owner, *key);
	lock_release(&lock);
	if (done) {
		log_note(w, "stored", *key);
		log_note(w, "host", connection.host);
		notice_add(w, cfg, "connected", &connection, NULL);
	}
	return done;
}

bool
connection_adopt(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct owner *owner, bool *found)
{
	struct connection connection;
	struct lock lock;
	bool done;

	if (!connection_find(w, cfg, key, found, &connection))
		return false;
	if (!*found)
		return true;
	if (!account_lock(w, &cfg->store, connection.account_id, &lock))
		return false;
	done = adopt_locked(w, cfg, ring, key, owner->app_user, found);
	lock_release(&lock);
	return done;
}

bool
connection_erase(
    struct work *w, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct lock lock;
	bool done;

	if (!account_lock(w, &cfg->store, account_id, &lock))
		return false;
	done = erase_record(w, cfg, account_id, amocrm_user_id)
	    && account_remove(w, &cfg->store, account_id, amocrm_user_id);
	lock_release(&lock);
	return done;
}

bool
connection_erase_of(struct work *w, const struct config *cfg, const char *app_user)
{
	struct connection connection;
	const char *pointer;
	bool found;

	return connection_pointer(w, cfg, app_user, &pointer)
	    && connection_of(w, cfg, app_user, &found, &connection)
	    && (!found
		|| (connection_erase(w, cfg, connection.account_id, connection.amocrm_user_id)
		    && store_erase(w, &cfg->store, pointer)));
}

/* A record that is to be revoked: the one whose tokens are these, or, without any, whatever it is. */
struct revocation {
	const char *sealed;
	struct connection connection;
	bool done;
};

static bool
revoke(struct work *w, void *context, const char *old, const char **value)
{
	struct revocation *revocation = context;

	if (old == NULL)
		return true;
	if (!record_read(w, old, &revocation->connection))
		return false;
	if (revocation->connection.state == CONNECTION_REVOKED
	    || (revocation->sealed != NULL
		&& strcmp(revocation->sealed, revocation->connection.sealed) != 0))
		return true;
	revocation->done = true;
	return record_with_state(w, old, CONNECTION_REVOKED, value);
}

static bool
revoke_record(struct work *w, const struct config *cfg, int64_t account_id, const char *key,
    const char *sealed, const char *reason)
{
	struct revocation revocation = { .sealed = sealed };
	struct lock lock;
	bool done;

	if (!account_lock(w, &cfg->store, account_id, &lock))
		return false;
	done = store_change(w, &cfg->store, key, 0, revoke, &revocation);
	lock_release(&lock);
	if (done && revocation.done) {
		log_note(w, "revoked", key);
		notice_add(w, cfg, "revoked", &revocation.connection, reason);
	}
	return done;
}

bool
connection_refused(
    struct work *w, const struct config *cfg, const char *key, const struct connection *connection)
{
	return revoke_record(w, cfg, connection->account_id, key, connection->sealed,
	    "amoCRM refused the refresh token");
}

bool
connection_revoke_account(struct work *w, const struct config *cfg, int64_t account_id)
{
	const char *list;
	const char *key;
	int64_t user;
	bool going = account_users(w, &cfg->store, account_id, &list);
	size_t mark = work_mark(w);

	while (going && account_next(&list, &user)) {
		going = record_key(w, account_id, user, &key)
		    && revoke_record(
			w, cfg, account_id, key, NULL, "amoCRM told that it was disconnected");
		work_release(w, mark);
	}
	return going;
}
