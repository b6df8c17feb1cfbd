/* connection.c - see connection.h. */
#include "connection.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

/* The amoCRM users of an account, as its record lists them: "1 2 3". */
struct account_edit {
	int64_t amocrm_user_id;
	bool alone;         /* true: the user takes the place of all others */
	const char *before; /* out: the list as it was, or NULL */
};

static bool
list_has(const char *list, int64_t id)
{
	char *end;

	for (; list != NULL && *list != '\0'; list = end + (*end == ' ')) {
		if (strtoll(list, &end, 10) == id)
			return true;
		if (end == list)
			return false;
	}
	return false;
}

static bool
add_user(struct work *w, void *context, const char *old, const char **value)
{
	struct account_edit *edit = context;

	edit->before = old;
	if (!edit->alone && list_has(old, edit->amocrm_user_id))
		return true;
	if (edit->alone || old == NULL || *old == '\0')
		return work_print(w, value, "%lld", (long long)edit->amocrm_user_id);
	return work_print(w, value, "%s %lld", old, (long long)edit->amocrm_user_id);
}

/* In a shared set-up the newest authorization is the only one. */
static bool
erase_superseded(struct work *w, const struct store_config *store,
    const struct connection *connection, const char *list)
{
	char *end;

	for (; list != NULL && *list != '\0'; list = end + (*end == ' ')) {
		int64_t id = strtoll(list, &end, 10);
		const char *key;

		if (end == list)
			break;
		if (id != connection->amocrm_user_id
		    && (!record_key(w, connection->account_id, id, &key)
			|| !store_erase(w, store, key)))
			return false;
	}
	return true;
}

/* Writes what belongs together, the tokens first. */
static bool
save_records(struct work *w, const struct config *cfg, const struct keyring *ring,
    struct connection *connection, const struct tokens *tokens)
{
	bool shared = cfg->app.connections == CONNECTIONS_SHARED;
	struct account_edit edit = { .amocrm_user_id = connection->amocrm_user_id,
		.alone = shared };
	struct connection old;
	bool had;
	const char *key;
	const char *account_key;
	const char *value;

	if (!connection_find(
		w, cfg, connection->account_id, connection->amocrm_user_id, &had, &old))
		return false;
	connection->app_user = had && !shared ? old.app_user : NULL;
	return record_key(w, connection->account_id, connection->amocrm_user_id, &key)
	    && record_write(w, ring, connection, tokens, &value)
	    && store_put(w, &cfg->store, key, value, 0)
	    && work_print(w, &account_key, "account:%lld", (long long)connection->account_id)
	    && store_change(w, &cfg->store, account_key, 0, add_user, &edit)
	    && (!shared
		|| (store_put(w, &cfg->store, "app:", key, 0)
		    && erase_superseded(w, &cfg->store, connection, edit.before)));
}

/* Two authorizations of one account must not interleave their records. */
bool
connection_save(struct work *w, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const char **key)
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
	const char *account_lock;
	struct lock lock;
	bool done;

	if (!work_print(w, &account_lock, "account:%lld", (long long)identity->account_id)
	    || !store_lock(w, &cfg->store, account_lock, STORE_WAIT_MS, &lock))
		return false;
	done = save_records(w, cfg, ring, &connection, tokens)
	    && record_key(w, connection.account_id, connection.amocrm_user_id, key);
	lock_release(&lock);
	if (done) {
		log_note(w, "connected", *key);
		log_note(w, "host", connection.host);
	}
	return done;
}

struct visit {
	connection_visit *visit;
	void *context;
};

static bool
visit_record(struct work *w, void *context, const char *key, const char *value)
{
	const struct visit *visit = context;
	struct connection connection;

	(void)key;
	return record_read(w, value, &connection) && visit->visit(w, visit->context, &connection);
}

bool
connection_each(struct work *w, const struct config *cfg, connection_visit *visit, void *context)
{
	struct visit pair = { visit, context };

	return store_each(w, &cfg->store, "connection:", visit_record, &pair);
}

bool
connection_find(struct work *w, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *found, struct connection *connection)
{
	const char *key;
	const char *value;

	*found = false;
	if (!record_key(w, account_id, amocrm_user_id, &key)
	    || !store_get(w, &cfg->store, key, &value))
		return false;
	*found = value != NULL;
	return !*found || record_read(w, value, connection);
}
