/* connection_repair.c - see connection_repair.h. */
#include "connection/connection_repair.h"

#include "base/encode.h"
#include "base/first_reason.h"
#include "connection/account_index.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"

#include <string.h>

struct repair {
	const struct config *cfg;
	const struct connection_repair *report;
	struct first_reason left; /* what could not be repaired now */
};

/* What cannot be read or changed now is left as it is, and does not stop the rest. */
static bool
leave_alone(struct ctx *ctx, struct repair *repair)
{
	if (ctx->kind != FAULT_STORAGE && ctx->kind != FAULT_CORRUPT
	    && ctx->kind != FAULT_UNAVAILABLE)
		return false;
	first_reason_take(&repair->left, ctx);
	return true;
}

/* The record names its app user, unless connections are shared. */
static bool
restore_pointer(struct ctx *ctx, const struct config *cfg, const char *key, const char *app_user,
    bool *restored)
{
	const char *pointer;

	if (app_user == NULL || connections_shared(cfg))
		return true;
	return user_key(ctx, cfg, app_user, &pointer)
	    && connection_restore_user(ctx, cfg, pointer, key, restored);
}

static bool
restore_one(struct ctx *ctx, const struct repair *repair, const struct connection *connection)
{
	int64_t account = connection->account_id;
	int64_t user = connection->amocrm_user_id;
	bool indexed;
	bool restored = false;
	const char *key;

	if (!record_key(ctx, account, user, &key)
	    || !connection_indexed(ctx, repair->cfg, account, user, &indexed)
	    || (!indexed && !connection_index_add(ctx, repair->cfg, account, user))
	    || !restore_pointer(ctx, repair->cfg, key, connection->app_user, &restored))
		return false;
	if (!indexed || restored)
		repair->report->restored(repair->report->arg, key);
	return true;
}

static bool
restore(struct ctx *ctx, void *arg, const struct connection *connection)
{
	return restore_one(ctx, arg, connection) || leave_alone(ctx, arg);
}

/* A connection whose new tokens wait in the escrow is restored by them. */
static bool
is_missing(struct ctx *ctx, const struct config *cfg, const char *key, bool *missing)
{
	const char *value;
	bool waits;

	*missing = false;
	if (!store_get(ctx, &cfg->store, key, &value))
		return false;
	if (value != NULL)
		return true;
	if (!store_check_shard(ctx, &cfg->store, key) || !connection_waits(ctx, cfg, key, &waits))
		return false;
	*missing = !waits;
	return true;
}

struct entry {
	const struct config *cfg;
	int64_t account_id;
	int64_t amocrm_user_id;
	const char *key; /* of the connection that the entry leads to */
	bool missing;
};

/* In the account's section: a connection that is being made is listed first. */
static bool
remove_if_missing(struct ctx *ctx, void *arg)
{
	struct entry *entry = arg;
	struct account_index_edit edit = { entry->amocrm_user_id, ACCOUNT_REMOVE, NULL };
	struct store_op op;

	return is_missing(ctx, entry->cfg, entry->key, &entry->missing)
	    && (!entry->missing
		|| (account_index_op(ctx, entry->account_id, &edit, &op)
		    && store_commit(ctx, &entry->cfg->store, &op, 1)));
}

static bool
clear_entry(struct ctx *ctx, const struct repair *repair, int64_t account_id, int64_t user)
{
	struct entry entry = {
		.cfg = repair->cfg, .account_id = account_id, .amocrm_user_id = user
	};

	if (!record_key(ctx, account_id, user, &entry.key)
	    || !is_missing(ctx, repair->cfg, entry.key, &entry.missing)
	    || (entry.missing
		&& !account_index_together(
		    ctx, &repair->cfg->store, account_id, remove_if_missing, &entry)))
		return false;
	if (entry.missing)
		repair->report->missing(repair->report->arg, entry.key);
	return true;
}

static bool
clear_index(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	const char *users = value; /* NULL: corrupt; the next section of the account rebuilds it */
	int64_t account_id;
	int64_t user;

	if (!decimal_parse(key + strlen("account:"), &account_id))
		return true;
	while (account_index_next(&users, &user))
		if (!clear_entry(ctx, arg, account_id, user) && !leave_alone(ctx, arg))
			return false;
	return true;
}

struct pointer {
	const struct config *cfg;
	const char *name;
	bool cleared;
};

/* In the user's section: a claim changes the pointer. */
static bool
clear_if_missing(struct ctx *ctx, void *arg)
{
	struct pointer *pointer = arg;
	const struct config *cfg = pointer->cfg;
	const char *key;
	struct store_op op;

	pointer->cleared = false;
	if (!user_lookup(ctx, cfg, pointer->name, &key))
		return false;
	if (key == NULL)
		return true;
	op = user_erase_op(pointer->name, key);
	return is_missing(ctx, cfg, key, &pointer->cleared)
	    && (!pointer->cleared || store_commit(ctx, &cfg->store, &op, 1));
}

static bool
clear_one(struct ctx *ctx, const struct repair *repair, const char *pointer, const char *value)
{
	struct pointer in = { repair->cfg, pointer, false };
	bool missing;

	if (value == NULL || !is_missing(ctx, repair->cfg, value, &missing))
		return ctx->kind == FAULT_NONE;
	if (!missing)
		return true;
	if (!store_together(ctx, &repair->cfg->store, pointer, clear_if_missing, &in))
		return false;
	if (in.cleared)
		repair->report->disconnected(repair->report->arg, pointer + strlen("app:"));
	return true;
}

static bool
clear_pointer(struct ctx *ctx, void *arg, const char *pointer, const char *value)
{
	return clear_one(ctx, arg, pointer, value) || leave_alone(ctx, arg);
}

bool
connection_repair(struct ctx *ctx, const struct config *cfg, const struct connection_repair *report)
{
	struct repair repair = { cfg, report, { 0 } };

	return (connection_each(ctx, cfg, restore, &repair) || leave_alone(ctx, &repair))
	    && (store_each(ctx, &cfg->store, "account:", clear_index, &repair)
		|| leave_alone(ctx, &repair))
	    && (store_each(ctx, &cfg->store, "app:", clear_pointer, &repair)
		|| leave_alone(ctx, &repair))
	    && (repair.left.count == 0 || fault(ctx, FAULT_CORRUPT, "%s", repair.left.text));
}

bool
connection_everybody_gone(struct ctx *ctx, const struct config *cfg, bool *gone)
{
	struct connection connection;
	const char *key;
	bool found;

	if (!connection_find_by_user(ctx, cfg, NULL, &found, &connection))
		return false;
	*gone = !found;
	if (found || !connection_key_by_user(ctx, cfg, NULL, &key) || key == NULL)
		return ctx->kind == FAULT_NONE;
	return is_missing(ctx, cfg, key, gone);
}
