/* store.c - the store of the configured engine; see store.h.
 *
 * It is chosen by a comparison for each call.  A table of functions would have to be relocated at
 * each start of a program, which costs more than all its calls.
 */
#include "store/store.h"

#include "store/store_files.h"
#include "store/store_postgresql.h"

static bool
in_files(const struct store_config *store)
{
	return store->engine == ENGINE_FILES;
}

bool
store_ready(struct ctx *ctx, const struct store_config *store)
{
	return !in_files(store) || store_files_ready(ctx, store);
}

bool
store_sync(struct ctx *ctx, const struct store_config *store)
{
	return !in_files(store) || store_files_sync(ctx, store);
}

bool
store_get(struct ctx *ctx, const struct store_config *store, const char *key, const char **value)
{
	return in_files(store) ? store_files_get(ctx, store, key, value)
			       : store_postgresql_get(ctx, store, key, value);
}

bool
store_commit(
    struct ctx *ctx, const struct store_config *store, const struct store_op *ops, size_t count)
{
	return in_files(store) ? store_files_perform(ctx, store, ops, count, false)
			       : store_postgresql_commit(ctx, store, ops, count);
}

bool
store_rehearse(
    struct ctx *ctx, const struct store_config *store, const char *const *keys, size_t count)
{
	return in_files(store) ? store_files_rehearse(ctx, store, keys, count)
			       : store_postgresql_rehearse(ctx, store, keys, count);
}

bool
store_update(struct ctx *ctx, const struct store_config *store, const char *key, time_t expires,
    store_edit *edit, void *arg)
{
	const struct store_op op = { key, expires, edit, arg };

	return store_commit(ctx, store, &op, 1);
}

bool
store_put(struct ctx *ctx, const struct store_config *store, const char *key, const char *value,
    time_t expires)
{
	const struct store_op op = store_op_put(key, value, expires);

	return store_commit(ctx, store, &op, 1);
}

bool
store_erase(struct ctx *ctx, const struct store_config *store, const char *key)
{
	return store_put(ctx, store, key, NULL, 0);
}

bool
store_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visit, void *arg)
{
	return in_files(store) ? store_files_each(ctx, store, prefix, visit, arg)
			       : store_postgresql_each(ctx, store, prefix, visit, arg);
}

bool
store_each_unreadable(
    struct ctx *ctx, const struct store_config *store, store_visit_unreadable *visit, void *arg)
{
	return !in_files(store) || store_files_each_unreadable(ctx, store, visit, arg);
}

bool
store_check_shard(struct ctx *ctx, const struct store_config *store, const char *key)
{
	return !in_files(store) || store_files_check_shard(ctx, store, key);
}

bool
store_together(struct ctx *ctx, const struct store_config *store, const char *name,
    store_body *body, void *arg)
{
	return in_files(store) ? store_files_together(ctx, store, name, body, arg)
			       : store_postgresql_together(ctx, store, name, body, arg);
}

bool
store_hold(struct ctx *ctx, const struct store_config *store, const char *name,
    const struct store_wait *wait, struct store_lease *lease)
{
	*lease = (struct store_lease){ .name = name };
	return in_files(store) ? store_files_lock(ctx, store, name, wait->wait_ms, &lease->lock)
			       : store_postgresql_hold(ctx, store, wait, lease);
}

void
store_let_go(struct ctx *ctx, const struct store_config *store, struct store_lease *lease)
{
	if (in_files(store))
		lock_release(&lease->lock);
	else
		store_postgresql_let_go(ctx, store, lease);
}

bool
store_find_stale_lock(
    struct ctx *ctx, const struct store_config *store, int64_t limit_ms, struct stale_lock *stale)
{
	*stale = (struct stale_lock){ .path = NULL };
	return !in_files(store) || store_files_find_stale_lock(ctx, store, limit_ms, stale);
}

bool
store_find_stale_writer(struct ctx *ctx, const struct store_config *store, struct stale_lock *stale)
{
	*stale = (struct stale_lock){ .path = NULL };
	return !in_files(store) || store_files_find_stale_writer(ctx, store, stale);
}
