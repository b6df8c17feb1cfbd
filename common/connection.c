/* connection.c - reading connections, and writing one; see connection.h.  They are stored for their
 * owners in connection_owner.c, and changed in connection_change.c. */
#include "connection.h"

#include "account.h"

#include <string.h>

static bool
is_shared(const struct config *cfg)
{
	return cfg->app.connections == CONNECTIONS_SHARED;
}

bool
connection_pointer(struct work *w, const struct config *cfg, const char *app_user, const char **key)
{
	return work_print(w, key, "app:%s", is_shared(cfg) ? "" : app_user);
}

bool
connection_find(struct work *w, const struct config *cfg, const char *key, bool *found,
    struct connection *connection)
{
	const char *value;

	*found = false;
	if (!store_get(w, &cfg->store, key, &value))
		return false;
	*found = value != NULL;
	return !*found || record_read(w, value, connection);
}

bool
connection_put(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens)
{
	const char *value;

	return record_write(w, ring, connection, tokens, &value)
	    && store_put(w, &cfg->store, key, value, 0);
}

bool
connection_of(struct work *w, const struct config *cfg, const char *app_user, bool *found,
    struct connection *connection)
{
	const char *pointer;
	const char *key;

	*found = false;
	if (!connection_pointer(w, cfg, app_user, &pointer)
	    || !store_get(w, &cfg->store, pointer, &key))
		return false;
	if (key == NULL)
		return true;
	if (!connection_find(w, cfg, key, found, connection))
		return false;
	if (*found && !is_shared(cfg))
		*found =
		    connection->app_user != NULL && strcmp(connection->app_user, app_user) == 0;
	return true;
}

bool
connection_usable(const struct connection *connection)
{
	return connection->state == CONNECTION_ACTIVE
	    && connection->refreshed_at + REFRESH_TOKEN_LIFE_S > time(NULL);
}

bool
connection_each_of(struct work *w, const struct config *cfg, int64_t account_id,
    connection_visit *visit, void *context)
{
	struct connection connection;
	const char *users;
	const char *key;
	int64_t user;
	bool found;
	bool going = account_users(w, &cfg->store, account_id, &users);
	size_t mark = work_mark(w);

	while (going && account_next(&users, &user)) {
		going = record_key(w, account_id, user, &key)
		    && connection_find(w, cfg, key, &found, &connection)
		    && (!found || visit(w, context, &connection));
		work_release(w, mark);
	}
	return going;
}

static bool
is_active(struct work *w, const struct config *cfg, const char *key, bool *active)
{
	enum connection_state state;
	const char *value;

	*active = false;
	if (!store_get(w, &cfg->store, key, &value))
		return false;
	if (value == NULL)
		return true;
	if (!record_state(w, value, &state))
		return false;
	*active = state == CONNECTION_ACTIVE;
	return true;
}

bool
connection_account_known(struct work *w, const struct config *cfg, int64_t account_id, bool *known)
{
	const char *users;
	const char *key;
	int64_t user;
	bool going = account_users(w, &cfg->store, account_id, &users);
	size_t mark = work_mark(w);

	*known = false;
	while (going && !*known && account_next(&users, &user)) {
		going = record_key(w, account_id, user, &key) && is_active(w, cfg, key, known);
		work_release(w, mark);
	}
	return going;
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
