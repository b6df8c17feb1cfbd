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

bool
connection_erase_record(
    struct work *w, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
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

bool
connection_erase(
    struct work *w, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct lock lock;
	bool done;

	if (!account_lock(w, &cfg->store, account_id, &lock))
		return false;
	done = connection_erase_record(w, cfg, account_id, amocrm_user_id)
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
