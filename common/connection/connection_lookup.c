/* connection_lookup.c - finding connections by what leads to them, a pointer or an account's index;
 * see connection.h.
 *
 * A lookup takes two steps outside a section.  Between them a newer authorization may replace the
 * connection by that of another amoCRM user, and erase it.  So where the first step leads nowhere,
 * both are repeated in the section in which a writer changes the pointer, or the index, and erases
 * the old record.
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

struct search {
	const struct config *cfg;
	const char *app_user;
	const char *pointer;
	const char *key; /* what the pointer holds; NULL: there is no pointer */
	bool *found;
	struct connection *connection;
};

static bool
follow(struct ctx *ctx, void *arg)
{
	struct search *search = arg;
	bool *found = search->found;

	*found = false;
	if (!user_lookup(ctx, search->cfg, search->pointer, &search->key))
		return false;
	if (search->key == NULL)
		return true;
	if (!connection_find_or_skip_corrupt(
		ctx, search->cfg, search->key, found, search->connection))
		return false;
	*found = *found && is_owner(search->cfg, search->connection, search->app_user);
	return true;
}

static bool
find_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user, bool *found,
    struct connection *connection)
{
	struct search search = {
		.cfg = cfg, .app_user = app_user, .found = found, .connection = connection
	};

	return user_key(ctx, cfg, app_user, &search.pointer) && follow(ctx, &search)
	    && (*found || search.key == NULL
		|| store_together(ctx, &cfg->store, search.pointer, follow, &search));
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

struct walk {
	const struct config *cfg;
	int64_t account_id;
	connection_visit *visit;
	void *arg;
	bool complete; /* no connection that the index lists is missing */
};

static bool
each_listed(struct ctx *ctx, void *arg)
{
	struct walk *walk = arg;
	const struct config *cfg = walk->cfg;
	struct corrupt_records corrupt = { 0 };
	struct connection connection;
	const char *users;
	const char *key;
	int64_t user;
	bool found;
	bool ok = account_index_users(ctx, &cfg->store, walk->account_id, &users);
	size_t mark = arena_mark(ctx);

	walk->complete = true;
	while (ok && account_index_next(&users, &user)) {
		ok = record_key(ctx, walk->account_id, user, &key);
		if (ok && connection_find(ctx, cfg, key, &found, &connection)) {
			walk->complete &= found;
			ok = !found || walk->visit(ctx, walk->arg, &connection);
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
	struct walk walk = { cfg, account_id, visit, arg, false };

	return each_listed(ctx, &walk)
	    && (walk.complete
		|| account_index_together(ctx, &cfg->store, account_id, each_listed, &walk));
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

struct activity {
	const struct config *cfg;
	int64_t account_id;
	bool listed; /* the account has an index */
	bool active; /* a connection of it is */
};

/* One that cannot be read matters only if no other is active. */
static bool
any_active(struct ctx *ctx, void *arg)
{
	struct activity *in = arg;
	struct corrupt_records corrupt = { 0 };
	const char *users;
	const char *key;
	int64_t user;
	bool ok = account_index_users(ctx, &in->cfg->store, in->account_id, &users);
	size_t mark = arena_mark(ctx);

	in->active = false;
	in->listed = ok && users != NULL;
	while (ok && !in->active && account_index_next(&users, &user)) {
		ok = record_key(ctx, in->account_id, user, &key)
		    && (is_active(ctx, in->cfg, key, &in->active)
			|| corrupt_skip(ctx, &corrupt, key));
		arena_rewind(ctx, mark);
	}
	return ok && (in->active || corrupt_none(ctx, &corrupt));
}

static bool
account_active(struct ctx *ctx, const struct config *cfg, int64_t account_id, bool *active)
{
	struct activity in = { cfg, account_id, false, false };
	bool ok = any_active(ctx, &in)
	    && (in.active || !in.listed
		|| account_index_together(ctx, &cfg->store, account_id, any_active, &in));

	*active = in.active;
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
