/* connection.c - reading connections, and writing one; see connection.h.  They are stored for their
 * owners in connection_save.c, and changed in connection_renew.c. */
#include "connection/connection.h"

#include "base/log.h"
#include "connection/account_index.h"
#include "connection/corrupt.h"

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
connection_find_sound(struct work *w, const struct config *cfg, const char *key, bool *found,
    struct connection *connection)
{
	if (connection_find(w, cfg, key, found, connection))
		return true;
	if (w->kind != FAULT_DAMAGED)
		return false;
	work_recover(w);
	log_note(w, "damaged", key);
	*found = false;
	return true;
}

bool
connection_pointed(struct work *w, const struct config *cfg, const char *pointer, const char **key)
{
	if (store_get(w, &cfg->store, pointer, key))
		return true;
	if (w->kind != FAULT_DAMAGED)
		return false;
	work_recover(w);
	log_note(w, "damaged", pointer);
	*key = NULL;
	return true;
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
	    || !connection_pointed(w, cfg, pointer, &key))
		return false;
	if (key == NULL)
		return true;
	if (!connection_find_sound(w, cfg, key, found, connection))
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
    connection_visit *visit, void *arg)
{
	struct damage damage = { 0 };
	struct connection connection;
	const char *users;
	const char *key;
	int64_t user;
	bool found;
	bool going = account_users(w, &cfg->store, account_id, &users);
	size_t mark = work_mark(w);

	while (going && account_next(&users, &user)) {
		going = record_key(w, account_id, user, &key);
		if (going && connection_find(w, cfg, key, &found, &connection))
			going = !found || visit(w, arg, &connection);
		else
			going = going && damage_passed(w, &damage, key);
		work_release(w, mark);
	}
	return going && damage_none(w, &damage);
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
	void *arg;
	struct damage damage;
};

static bool
visit_record(struct work *w, void *arg, const char *key, const char *value)
{
	struct visit *visit = arg;
	struct connection connection;

	if (value == NULL) {
		damage_note(&visit->damage, key);
		return true;
	}
	if (!record_read(w, value, &connection))
		return damage_passed(w, &visit->damage, key);
	return visit->visit(w, visit->arg, &connection);
}

bool
connection_each(struct work *w, const struct config *cfg, connection_visit *visit, void *arg)
{
	struct visit all = { visit, arg, { 0 } };

	return store_each(w, &cfg->store, "connection:", visit_record, &all)
	    && damage_none(w, &all.damage);
}
