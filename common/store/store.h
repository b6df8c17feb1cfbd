/* store.h - named records that survive anything short of the disk.
 *
 * A change that was answered true is on disk; one that was cut short at any moment, by kill -9 or a
 * power failure, has not happened.  Readers never wait for writers.  The store is the directory
 * [store] path, of mode 0700 and the web server user's own.
 */
#ifndef STORE_H
#define STORE_H

#include "base/ctx.h"
#include "base/lock.h"
#include "config/config.h"
#include "store/store_limits.h"

#include <stdint.h>
#include <time.h>

/* Asks, before something that cannot be repeated, whether its changes could be written now, and
 * keeps room for them even if the disk fills up meanwhile: for four records, of whatever keys (see
 * disk_reserve.h).
 * Fault: FAULT_STORAGE. */
bool store_ready(struct ctx *ctx, const struct store_config *store);

/* The value as a NUL-terminated text, or NULL: there is none, or its time is over.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT when this record alone cannot be read. */
bool store_get(
    struct ctx *ctx, const struct store_config *store, const char *key, const char **value);

/* Sets a record, also in place of a corrupt one; expires is when it is over, 0 for never.  Records
 * whose names share what stands before the ':' either all expire or none does.
 * Fault: FAULT_STORAGE: no space, no permission; FAULT_UNAVAILABLE: no lock within STORE_WAIT_MS.
 * Either way nothing changed. */
bool store_put(struct ctx *ctx, const struct store_config *store, const char *key,
    const char *value, time_t expires);

/* Erases a record, also a corrupt one; one that is not there is erased already. */
bool store_erase(struct ctx *ctx, const struct store_config *store, const char *key);

/* Changes a record while nobody else does: edit is given its value or NULL and sets the new one, or
 * NULL to erase it, or the same pointer to leave it alone.  Never change the store from inside. */
typedef bool store_edit(struct ctx *ctx, void *arg, const char *old, const char **value);
bool store_update(struct ctx *ctx, const struct store_config *store, const char *key,
    time_t expires, store_edit *edit, void *arg);

/* Changes several records, no two of one name, while nobody else does, for fewer commits to disk
 * than one after the other.  All are on disk when it is true.  Whoever is killed leaves each record
 * either old or new, and none new that stands behind an old one here; after a power failure, in any
 * order.
 * Fault: as store_put.  Nothing changed, unless the directory itself failed. */
struct store_op {
	const char *key;
	time_t expires; /* 0: never */
	store_edit *edit;
	void *arg;
};
bool store_commit(
    struct ctx *ctx, const struct store_config *store, const struct store_op *ops, size_t count);

/* What store_put does, as one of several; value NULL: what store_erase does. */
struct store_op store_op_put(const char *key, const char *value, time_t expires);

/* Visits every record whose key begins with prefix, in no order, until visit is false, which
 * ends it and makes this false too.  The arena is rewound after each visit: what must stay, the
 * visitor keeps elsewhere.  value is NULL for a record that is corrupt. */
typedef bool store_visit(struct ctx *ctx, void *arg, const char *key, const char *value);
bool store_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visit, void *arg);

/* A lock that may be held across a call to amoCRM, for one name at a time.  It ends with
 * lock_release or with the process.
 * Fault: FAULT_UNAVAILABLE when somebody else holds it for longer than wait_ms; FAULT_STORAGE. */
bool store_lock(struct ctx *ctx, const struct store_config *store, const char *name,
    int64_t wait_ms, struct lock *lock);

/* Looks for a holder of store_lock that hangs: one that keeps its lock for longer than limit_ms,
 * which is what the longest use of such a lock may take.  *stale as lock_find_stale.
 * Fault: FAULT_STORAGE. */
bool store_find_stale_lock(
    struct ctx *ctx, const struct store_config *store, int64_t limit_ms, struct stale_lock *stale);

/* Looks for a writer of a shard that hangs, so that others give up after STORE_WAIT_MS. */
bool store_find_stale_writer(
    struct ctx *ctx, const struct store_config *store, struct stale_lock *stale);

#endif
