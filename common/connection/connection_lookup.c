/* connection_lookup.c - finding connections by what leads to them, a pointer or an account's index;
 * see connection.h.
 *
 * A lookup takes two steps without a lock.  Between them a newer authorization may replace the
 * connection by that of another amoCRM user, and erase it.  So where the first step leads nowhere,
 * both are repeated under the lock that a writer holds from the change of the pointer, or of the
 * index, until it has erased the old record.
 */
#include "connection/account_index.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"
#include "connection/corrupt.h"

#include <string.h>

bool
connection_key_by_user(
    struct ctx *ctx, const struct config *cfg, const char *app_user, const char **key)
{
	const char *pointer;

	return user_key(ctx, cfg, app_user, &pointer) && user_lookup(ctx, cfg, pointer, key);
}

static bool
is_owner(const struct config *cfg, const struct connection *connection, const char *app_user)
{
	return connections_shared(cfg)
	    || (connection->app_user != NULL && strcmp(connection->app_user, app_user) == 0);
}

/* *key is what the pointer holds; NULL: there is no pointer. */
static bool
follow(struct ctx *ctx, const struct config *cfg, const char *pointer, const char *app_user,
    const char **key, bool *found, struct connection *connection)
{
	*found = false;
	if (!user_lookup(ctx, cfg, pointer, key))
		return false;
	if (*key == NULL)
		return true;
	if (!connection_find_or_skip_corrupt(ctx, cfg, *key, found, connection))
		return false;
	*found = *found && is_owner(cfg, connection, app_user);
	return true;
}

static bool
find_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user, bool *found,
    struct connection *connection)
{
	const char *pointer;
	const char *key;
	struct lock lock;
	bool ok;

	if (!user_key(ctx, cfg, app_user, &pointer)
	    || !follow(ctx, cfg, pointer, app_user, &key, found, connection))
		return false;
	if (*found || key == NULL)
		return true;
	if (!store_lock(ctx, &cfg->store, pointer, STORE_WAIT_MS, &lock))
		return false;
	ok = follow(ctx, cfg, pointer, app_user, &key, found, connection);
	lock_release(&lock);
	return ok;
}

/* For a caller that else finds nothing. */
static const struct fold_filter all = { .all = true };

bool
connection_find_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user,
    bool *found, struct connection *connection)
{
	return find_by_user(ctx, cfg, app_user, found, connection)
	    && (*found || !connection_fold_nowait(ctx, cfg, &all)
		|| find_by_user(ctx, cfg, app_user, found, connection));
}

/* *complete is false if the index lists a connection that is missing. */
static bool
each_listed(struct ctx *ctx, const struct config *cfg, int64_t account_id, connection_visit *visit,
    void *arg, bool *complete)
{
	struct corrupt_records corrupt = { 0 };
	struct connection connection;
	const char *users;
	const char *key;
	int64_t user;
	bool found;
	bool ok = account_index_users(ctx, &cfg->store, account_id, &users);
	size_t mark = arena_mark(ctx);

	*complete = true;
	while (ok && account_index_next(&users, &user)) {
		ok = record_key(ctx, account_id, user, &key);
		if (ok && connection_find(ctx, cfg, key, &found, &connection)) {
			*complete = *complete && found;
			ok = !found || visit(ctx, arg, &connection);
		} else
			ok = ok && corrupt_skip(ctx, &corrupt, key);
		arena_rewind(ctx, mark);
	}
	return ok && corrupt_none(ctx, &corrupt);
}

bool
connection_each_in_account(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    connection_visit *visit, void *arg)
{
	struct lock lock;
	bool complete;
	bool ok = each_listed(ctx, cfg, account_id, visit, arg, &complete);

	if (!ok || complete)
		return ok;
	if (!account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = each_listed(ctx, cfg, account_id, visit, arg, &complete);
	lock_release(&lock);
	return ok;
}

static bool
is_active(struct ctx *ctx, const struct config *cfg, const char *key, bool *active)
{
	enum connection_state state;
	const char *value;

	*active = false;
	if (!store_get(ctx, &cfg->store, key, &value))
		return false;
	if (value == NULL)
		return true;
	if (!record_state(ctx, value, &state))
		return false;
	*active = state == CONNECTION_ACTIVE;
	return true;
}

/* One that cannot be read matters only if no other is active. */
static bool
any_active(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, bool *listed, bool *active)
{
	struct corrupt_records corrupt = { 0 };
	const char *users;
	const char *key;
	int64_t user;
	bool ok = account_index_users(ctx, &cfg->store, account_id, &users);
	size_t mark = arena_mark(ctx);

	*active = false;
	*listed = ok && users != NULL;
	while (ok && !*active && account_index_next(&users, &user)) {
		ok = record_key(ctx, account_id, user, &key)
		    && (is_active(ctx, cfg, key, active) || corrupt_skip(ctx, &corrupt, key));
		arena_rewind(ctx, mark);
	}
	return ok && (*active || corrupt_none(ctx, &corrupt));
}

static bool
account_active(struct ctx *ctx, const struct config *cfg, int64_t account_id, bool *active)
{
	struct lock lock;
	bool listed;
	bool ok = any_active(ctx, cfg, account_id, &listed, active);

	if (!ok || *active || !listed)
		return ok;
	if (!account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = any_active(ctx, cfg, account_id, &listed, active);
	lock_release(&lock);
	return ok;
}

bool
connection_account_active(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, bool *active)
{
	return account_active(ctx, cfg, account_id, active)
	    && (*active || !connection_fold_nowait(ctx, cfg, &all)
		|| account_active(ctx, cfg, account_id, active));
}
