/* connection_erase.c - erasing connections; see connection.h.
 *
 * What goes together is erased together: the record, then the pointer that leads to it, and last
 * the place on its account's list.
 */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_event.h"
#include "connection/connection_internal.h"

#include <string.h>

static void
tell(
    struct ctx *ctx, const struct config *cfg, const char *key, const struct connection *connection)
{
	log_note(ctx, "erased", key);
	connection_event_append(ctx, cfg, "disconnected", connection, NULL);
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
	if (found)
		tell(ctx, cfg, key, &connection);
	return true;
}

/* What is to be erased, as it was found under the lock of its account. */
struct erasure {
	const char *key;
	int64_t account_id;
	int64_t amocrm_user_id;
	bool found;
	bool corrupt; /* found, but nothing is known of it */
	struct connection connection;
};

static bool
find(struct ctx *ctx, const struct config *cfg, const char *key, struct erasure *it)
{
	it->key = key;
	if (connection_find(ctx, cfg, key, &it->found, &it->connection))
		return true;
	it->found = false;
	it->corrupt = ctx->kind == FAULT_CORRUPT;
	if (it->corrupt)
		ctx_clear_fault(ctx);
	return it->corrupt;
}

/* pointer NULL: nobody's is known. */
static bool
erase(struct ctx *ctx, const struct config *cfg, const struct erasure *it, const char *pointer)
{
	struct account_index_edit users = { it->amocrm_user_id, ACCOUNT_REMOVE, NULL };
	struct store_op changes[3];
	size_t count = 0;

	changes[count++] = store_op_put(it->key, NULL, 0);
	if (pointer != NULL)
		changes[count++] = user_erase_op(pointer, it->key);
	if (!account_index_op(ctx, it->account_id, &users, &changes[count++])
	    || !store_commit(ctx, &cfg->store, changes, count))
		return false;
	if (it->found)
		tell(ctx, cfg, it->key, &it->connection);
	else if (it->corrupt)
		log_note(ctx, "erased", it->key);
	return true;
}

/* The pointer that may lead to it; NULL: there is none. */
static bool
pointer_to(
    struct ctx *ctx, const struct config *cfg, const struct erasure *it, const char **pointer)
{
	const char *app_user = it->found ? it->connection.app_user : NULL;

	*pointer = NULL;
	return (app_user == NULL && !connections_shared(cfg))
	    || user_key(ctx, cfg, app_user, pointer);
}

bool
connection_erase(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct erasure it = { .account_id = account_id, .amocrm_user_id = amocrm_user_id };
	const char *pointer;
	const char *key;
	struct lock lock;
	bool ok;

	if (!record_key(ctx, account_id, amocrm_user_id, &key)
	    || !account_index_lock(ctx, &cfg->store, account_id, &lock))
		return false;
	ok = find(ctx, cfg, key, &it) && pointer_to(ctx, cfg, &it, &pointer)
	    && erase(ctx, cfg, &it, pointer);
	lock_release(&lock);
	return ok;
}

static bool
is_theirs(const struct config *cfg, const struct erasure *it, const char *app_user)
{
	return connections_shared(cfg) || it->corrupt
	    || (it->found && it->connection.app_user != NULL
		&& strcmp(it->connection.app_user, app_user) == 0);
}

bool
connection_erase_owned(
    struct ctx *ctx, const struct config *cfg, const char *key, const char *app_user)
{
	struct erasure it = { 0 };
	const char *pointer;
	struct lock lock;
	bool ok;

	if (!record_key_read(key, &it.account_id, &it.amocrm_user_id))
		return true;
	if (!user_key(ctx, cfg, app_user, &pointer)
	    || !account_index_lock(ctx, &cfg->store, it.account_id, &lock))
		return false;
	ok = find(ctx, cfg, key, &it)
	    && (!is_theirs(cfg, &it, app_user) || erase(ctx, cfg, &it, pointer));
	lock_release(&lock);
	return ok;
}

bool
connection_erase_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user)
{
	const char *pointer;
	const char *key;
	struct lock lock;
	bool ok;

	if (!user_key(ctx, cfg, app_user, &pointer)
	    || !store_lock(ctx, &cfg->store, pointer, STORE_WAIT_MS, &lock))
		return false;
	ok = store_get(ctx, &cfg->store, pointer, &key)
	    && (key == NULL || connection_erase_owned(ctx, cfg, key, app_user));
	lock_release(&lock);
	return ok;
}
