/* connection.c - see connection.h. */
#include "connection.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

static bool
is_shared(const struct config *cfg)
{
	return cfg->app.connections == CONNECTIONS_SHARED;
}

static bool
account_key(struct work *w, int64_t account_id, const char **key)
{
	return work_print(w, key, "account:%lld", (long long)account_id);
}

static bool
app_key(struct work *w, const struct config *cfg, const char *app_user, const char **key)
{
	return work_print(w, key, "app:%s", is_shared(cfg) ? "" : app_user);
}

/* Changes of several records of one account must not interleave. */
static bool
lock_account(struct work *w, const struct config *cfg, int64_t account_id, struct lock *lock)
{
	const char *name;

	return account_key(w, account_id, &name)
	    && store_lock(w, &cfg->store, name, STORE_WAIT_MS, lock);
}

/* Steps through a list "1 2 3". */
static bool
next_user(const char **list, int64_t *amocrm_user_id)
{
	char *end;

	if (*list == NULL || **list == '\0')
		return false;
	*amocrm_user_id = strtoll(*list, &end, 10);
	if (end == *list)
		return false;
	*list = end + (*end == ' ');
	return true;
}

struct user_edit {
	int64_t amocrm_user_id;
	enum { USER_ADD, USER_REMOVE, USER_ALONE } how;
	const char *before; /* out: the list as it was, or NULL */
};

static bool
edit_users(struct work *w, void *context, const char *old, const char **value)
{
	struct user_edit *edit = context;
	const char *list = edit->how == USER_ALONE ? NULL : old;
	int64_t id;
	struct text t;

	edit->before = old;
	text_begin(w, &t);
	while (next_user(&list, &id))
		if (id != edit->amocrm_user_id)
			text_print(&t, "%s%lld", t.len > 0 ? " " : "", (long long)id);
	if (edit->how != USER_REMOVE)
		text_print(&t, "%s%lld", t.len > 0 ? " " : "", (long long)edit->amocrm_user_id);
	if (!text_end(&t, value))
		return false;
	if (**value == '\0')
		*value = NULL;
	else if (old != NULL && strcmp(old, *value) == 0)
		*value = old;
	return true;
}

static bool
change_users(struct work *w, const struct config *cfg, int64_t account_id, struct user_edit *edit)
{
	const char *key;

	return account_key(w, account_id, &key)
	    && store_change(w, &cfg->store, key, 0, edit_users, edit);
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

static bool
put(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    const struct connection *connection, const struct tokens *tokens)
{
	const char *value;

	return record_write(w, ring, connection, tokens, &value)
	    && store_put(w, &cfg->store, key, value, 0);
}

static bool
save_locked(struct work *w, const struct config *cfg, const struct keyring *ring,
    struct connection *connection, const struct tokens *tokens, const char *key)
{
	struct user_edit edit = { .amocrm_user_id = connection->amocrm_user_id, .how = USER_ADD };
	struct connection old;
	bool had;

	if (!connection_find(w, cfg, key, &had, &old))
		return false;
	connection->app_user = had ? old.app_user : NULL;
	return put(w, cfg, ring, key, connection, tokens)
	    && change_users(w, cfg, connection->account_id, &edit);
}

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
	struct lock lock;
	bool done;

	if (!record_key(w, identity->account_id, identity->user_id, key)
	    || !lock_account(w, cfg, identity->account_id, &lock))
		return false;
	done = save_locked(w, cfg, ring, &connection, tokens, *key);
	lock_release(&lock);
	if (done) {
		log_note(w, "stored", *key);
		log_note(w, "host", connection.host);
	}
	return done;
}

static bool
erase_record(struct work *w, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	const char *key;

	if (!record_key(w, account_id, amocrm_user_id, &key) || !store_erase(w, &cfg->store, key))
		return false;
	log_note(w, "erased", key);
	return true;
}

/* The newest authorization of a shared set-up is the only one. */
static bool
adopt_for_all(
    struct work *w, const struct config *cfg, const char *key, const struct connection *connection)
{
	struct user_edit edit = { .amocrm_user_id = connection->amocrm_user_id, .how = USER_ALONE };
	int64_t other;

	if (!store_put(w, &cfg->store, "app:", key, 0)
	    || !change_users(w, cfg, connection->account_id, &edit))
		return false;
	while (next_user(&edit.before, &other))
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
	struct user_edit edit = { .how = USER_REMOVE };
	struct connection former;
	bool had;

	if (former_key == NULL || strcmp(former_key, key) == 0)
		return true;
	if (!connection_find(w, cfg, former_key, &had, &former))
		return false;
	if (!had || former.app_user == NULL || strcmp(former.app_user, app_user) != 0)
		return true;
	edit.amocrm_user_id = former.amocrm_user_id;
	return erase_record(w, cfg, former.account_id, former.amocrm_user_id)
	    && change_users(w, cfg, former.account_id, &edit);
}

static bool
adopt_for_one(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    struct connection *connection, const char *app_user)
{
	struct tokens tokens;
	const char *pointer;
	const char *former_key;

	if (!app_key(w, cfg, app_user, &pointer) || !store_get(w, &cfg->store, pointer, &former_key)
	    || !record_tokens(w, ring, connection, &tokens))
		return false;
	connection->app_user = app_user;
	return put(w, cfg, ring, key, connection, &tokens)
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
	if (is_shared(cfg))
		return adopt_for_all(w, cfg, key, &connection);
	return app_user == NULL || adopt_for_one(w, cfg, ring, key, &connection, app_user);
}

bool
connection_adopt(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, const char *app_user, bool *found)
{
	struct connection connection;
	struct lock lock;
	bool done;

	if (!connection_find(w, cfg, key, found, &connection))
		return false;
	if (!*found)
		return true;
	if (!lock_account(w, cfg, connection.account_id, &lock))
		return false;
	done = adopt_locked(w, cfg, ring, key, app_user, found);
	lock_release(&lock);
	return done;
}

bool
connection_of(struct work *w, const struct config *cfg, const char *app_user, bool *found,
    struct connection *connection)
{
	const char *pointer;
	const char *key;

	*found = false;
	if (!app_key(w, cfg, app_user, &pointer) || !store_get(w, &cfg->store, pointer, &key))
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
connection_erase(
    struct work *w, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct user_edit edit = { .amocrm_user_id = amocrm_user_id, .how = USER_REMOVE };
	struct lock lock;
	bool done;

	if (!lock_account(w, cfg, account_id, &lock))
		return false;
	done = erase_record(w, cfg, account_id, amocrm_user_id)
	    && change_users(w, cfg, account_id, &edit);
	lock_release(&lock);
	return done;
}

bool
connection_erase_of(struct work *w, const struct config *cfg, const char *app_user)
{
	struct connection connection;
	const char *pointer;
	bool found;

	return app_key(w, cfg, app_user, &pointer)
	    && connection_of(w, cfg, app_user, &found, &connection)
	    && (!found
		|| (connection_erase(w, cfg, connection.account_id, connection.amocrm_user_id)
		    && store_erase(w, &cfg->store, pointer)));
}

static bool
revoke(struct work *w, void *context, const char *old, const char **value)
{
	(void)context;
	if (old == NULL)
		return true;
	if (!record_with_state(w, old, CONNECTION_REVOKED, value))
		return false;
	if (strcmp(old, *value) == 0)
		*value = old;
	return true;
}

/* The list of an account's amoCRM users, or NULL. */
static bool
users_of(struct work *w, const struct config *cfg, int64_t account_id, const char **list)
{
	const char *key;

	return account_key(w, account_id, &key) && store_get(w, &cfg->store, key, list);
}

bool
connection_revoke_account(struct work *w, const struct config *cfg, int64_t account_id)
{
	const char *list;
	const char *key;
	int64_t user;

	if (!users_of(w, cfg, account_id, &list))
		return false;
	while (next_user(&list, &user)) {
		if (!record_key(w, account_id, user, &key)
		    || !store_change(w, &cfg->store, key, 0, revoke, NULL))
			return false;
		log_note(w, "revoked", key);
	}
	return true;
}

bool
connection_account_known(struct work *w, const struct config *cfg, int64_t account_id, bool *known)
{
	struct connection connection;
	const char *list;
	const char *key;
	int64_t user;
	bool found;

	*known = false;
	if (!users_of(w, cfg, account_id, &list))
		return false;
	while (!*known && next_user(&list, &user)) {
		if (!record_key(w, account_id, user, &key)
		    || !connection_find(w, cfg, key, &found, &connection))
			return false;
		*known = found && connection.state == CONNECTION_ACTIVE;
	}
	return true;
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
