/* connection_erase.c - erasing connections; see connection.h.
 *
 * One commit erases, in this order, the record, the pointer to it and its entry in the account's
 * index.  A crash leaves a pointer or an entry without a record at most, which count as absent.
 */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_escrow.h"
#include "connection/connection_event.h"
#include "connection/connection_internal.h"

#include <string.h>

static bool
report_erased(
    struct ctx *ctx, const struct config *cfg, const char *key, const struct connection *connection)
{
	log_note(ctx, "erased", key);
	return connection_event_append(ctx, cfg, "disconnected", connection, NULL);
}

bool
connection_erase_record(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct connection connection;
	const char *key;
	bool found;

	if (!record_key(ctx, account_id, amocrm_user_id, &key)
	    || !connection_find_or_skip_corrupt(ctx, cfg, key, &found, &connection)
	    || !store_erase(ctx, &cfg->store, key))
		return false;
	return !found || report_erased(ctx, cfg, key, &connection);
}

/* The connection to be erased, as it was found in the section of its account. */
struct target {
	const struct config *cfg;
	const char *app_user; /* of connection_erase_owned */
	const char *key;
	int64_t account_id;
	int64_t amocrm_user_id;
	bool found;
	bool corrupt; /* there is a record, but nothing is known of it */
	struct connection connection;
};

static bool
find(struct ctx *ctx, const struct config *cfg, const char *key, struct target *target)
{
	target->key = key;
	target->corrupt = false;
	if (connection_find(ctx, cfg, key, &target->found, &target->connection))
		return true;
	target->found = false;
	target->corrupt = ctx->kind == FAULT_CORRUPT;
	if (target->corrupt)
		ctx_clear_fault(ctx);
	return target->corrupt;
}

/* pointer: the one that may hold the key; NULL: none. */
static bool
erase(struct ctx *ctx, const struct config *cfg, const struct target *target, const char *pointer)
{
	struct account_index_edit edit = { target->amocrm_user_id, ACCOUNT_REMOVE, NULL };
	struct store_op ops[3];
	size_t count = 0;

	ops[count++] = store_op_put(target->key, NULL, 0);
	if (pointer != NULL)
		ops[count++] = user_erase_op(pointer, target->key);
	if (!account_index_op(ctx, target->account_id, &edit, &ops[count++])
	    || !store_commit(ctx, &cfg->store, ops, count))
		return false;
	if (target->found)
		return report_erased(ctx, cfg, target->key, &target->connection);
	if (target->corrupt)
		log_note(ctx, "erased", target->key);
	return true;
}

/* The pointer that may hold its key, or NULL. */
static bool
pointer_to(
    struct ctx *ctx, const struct config *cfg, const struct target *target, const char **pointer)
{
	const char *app_user = target->found ? target->connection.app_user : NULL;

	*pointer = NULL;
	return (app_user == NULL && !connections_shared(cfg))
	    || user_key(ctx, cfg, app_user, pointer);
}

static bool
erase_any(struct ctx *ctx, void *arg)
{
	struct target *target = arg;
	const char *pointer;

	return find(ctx, target->cfg, target->key, target)
	    && pointer_to(ctx, target->cfg, target, &pointer)
	    && erase(ctx, target->cfg, target, pointer);
}

bool
connection_erase(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct target target = {
		.cfg = cfg, .account_id = account_id, .amocrm_user_id = amocrm_user_id
	};
	const struct fold_filter filter = { .account_id = account_id, .disconnecting = true };

	return connection_fold_matching(ctx, cfg, &filter)
	    && record_key(ctx, account_id, amocrm_user_id, &target.key)
	    && account_index_together(ctx, &cfg->store, account_id, erase_any, &target);
}

/* A record that is corrupt or missing does not tell its app user, so the pointer that led to it
 * decides.  What else is left of a missing one is erased: refreshed tokens that wait in the escrow
 * would restore it. */
static bool
is_owned(const struct target *target)
{
	return connections_shared(target->cfg) || !target->found
	    || (target->connection.app_user != NULL
		&& strcmp(target->connection.app_user, target->app_user) == 0);
}

static bool
erase_if_owned(struct ctx *ctx, void *arg)
{
	struct target *target = arg;
	const char *pointer;

	return user_key(ctx, target->cfg, target->app_user, &pointer)
	    && find(ctx, target->cfg, target->key, target)
	    && (!is_owned(target) || erase(ctx, target->cfg, target, pointer));
}

bool
connection_erase_owned(
    struct ctx *ctx, const struct config *cfg, const char *key, const char *app_user)
{
	struct target target = { .cfg = cfg, .key = key, .app_user = app_user };

	return !record_key_read(key, &target.account_id, &target.amocrm_user_id)
	    || account_index_together(ctx, &cfg->store, target.account_id, erase_if_owned, &target);
}

struct user {
	const struct config *cfg;
	const char *app_user;
	const char *pointer;
};

static bool
erase_of_user(struct ctx *ctx, void *arg)
{
	const struct user *user = arg;
	const char *key;

	return store_get(ctx, &user->cfg->store, user->pointer, &key)
	    && (key == NULL || connection_erase_owned(ctx, user->cfg, key, user->app_user));
}

bool
connection_erase_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user)
{
	const struct fold_filter filter = { .app_user = connections_shared(cfg) ? "" : app_user,
		.disconnecting = true };
	struct user user = { .cfg = cfg, .app_user = app_user };

	return connection_fold_matching(ctx, cfg, &filter)
	    && user_key(ctx, cfg, app_user, &user.pointer)
	    && store_together(ctx, &cfg->store, user.pointer, erase_of_user, &user);
}
