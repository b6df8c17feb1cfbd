/* store_files.h - the store of ENGINE_FILES: GDBM files of this machine, see store_paths.h.  Each
 * function does what store.h says of the function of its name.
 */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "store/store.h"

bool store_files_ready(struct ctx *ctx, const struct store_config *store);
bool store_files_sync(struct ctx *ctx, const struct store_config *store);

bool store_files_get(
    struct ctx *ctx, const struct store_config *store, const char *key, const char **value);

/* Does all of a commit, or, as a rehearsal, all but the renames. */
bool store_files_perform(struct ctx *ctx, const struct store_config *store,
    const struct store_op *ops, size_t count, bool rehearsal);

bool store_files_rehearse(
    struct ctx *ctx, const struct store_config *store, const char *const *keys, size_t count);

bool store_files_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visit, void *arg);
bool store_files_each_unreadable(
    struct ctx *ctx, const struct store_config *store, store_visit_unreadable *visit, void *arg);
bool store_files_check_shard(struct ctx *ctx, const struct store_config *store, const char *key);

/* Takes the lock of a name, which is that of a section and of a lease.
 * Fault: FAULT_UNAVAILABLE when another holder keeps the lock for longer than wait_ms;
 * FAULT_STORAGE. */
bool store_files_lock(struct ctx *ctx, const struct store_config *store, const char *name,
    int64_t wait_ms, struct lock *lock);
bool store_files_together(struct ctx *ctx, const struct store_config *store, const char *name,
    store_body *body, void *arg);

bool store_files_find_stale_lock(
    struct ctx *ctx, const struct store_config *store, int64_t limit_ms, struct stale_lock *stale);
bool store_files_find_stale_writer(
    struct ctx *ctx, const struct store_config *store, struct stale_lock *stale);

#endif
