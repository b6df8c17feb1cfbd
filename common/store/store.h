/* store.h - records by key, changed atomically and durably.
 *
 * A change that returned true is on disk.  If kill -9 or a power failure interrupts a change of one
 * record, the record has either its old or its new value; for several records see store_commit.
 * Readers never wait for writers.  The store is the directory [store] path, of mode 0700, which
 * belongs to the web server's user.
 */
#ifndef STORE_H
#define STORE_H

#include "base/ctx.h"
#include "base/lock.h"
#include "config/config.h"
#include "store/store_limits.h"

#include <stdint.h>
#include <time.h>

/* Called before a request that cannot be repeated: checks that its result could be written now, and
 * reserves disk space for four records of any keys, in case the disk fills up meanwhile (see
 * disk_reserve.h).
 * Fault: FAULT_STORAGE. */
bool store_ready(struct ctx *ctx, const struct store_config *store);

/* Makes durable what other processes have committed, too: a kill may have come before their sync.
 * Fault: FAULT_STORAGE. */
bool store_sync(struct ctx *ctx, const struct store_config *store);

/* Reads a record.  *value is NUL-terminated; NULL: there is no such record, or it has expired.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT when this record alone cannot be read. */
bool store_get(
    struct ctx *ctx, const struct store_config *store, const char *key, const char **value);

/* Sets a record, also in place of a corrupt one.  expires: when the record expires; 0: never.  Of
 * keys with the same prefix before ':', either all records expire or none does.
 * Fault: FAULT_STORAGE: no space, no permission; FAULT_UNAVAILABLE: no lock within STORE_WAIT_MS.
 * Nothing has changed, unless only the final fsync of the directory failed: the change is then
 * visible, but may be lost in a power failure. */
bool store_put(struct ctx *ctx, const struct store_config *store, const char *key,
    const char *value, time_t expires);

/* Erases a record, also a corrupt one.  True as well if there is no such record. */
bool store_erase(struct ctx *ctx, const struct store_config *store, const char *key);

/* Reads and changes a record under its shard's lock.  edit is given the value, or NULL, and sets
 * *value to the new one, or to NULL to erase the record; it leaves *value alone to change nothing.
 * It must not change the store itself, which would wait for the lock that is held. */
typedef bool store_edit(struct ctx *ctx, void *arg, const char *old, const char **value);
bool store_update(struct ctx *ctx, const struct store_config *store, const char *key,
    time_t expires, store_edit *edit, void *arg);

/* Applies several operations on different keys, with the locks of all their shards and with fewer
 * waits for the disk than one call for each.  If it returns true, all are on disk.  Atomic per
 * record.  After a crash a prefix of the operations, in order, has been applied; after a power
 * failure any subset of them.
 * Fault: as store_put.  After a FAULT_STORAGE of the final renames, or of the fsync of the
 * directory that follows, some or all operations may be visible; after any other fault nothing has
 * changed. */
struct store_op {
	const char *key;
	time_t expires; /* 0: never */
	store_edit *edit;
	void *arg;
};
bool store_commit(
    struct ctx *ctx, const struct store_config *store, const struct store_op *ops, size_t count);

/* Called before a request that cannot be repeated, whose result store_commit will write: does with
 * these records what a commit does - locks their shards, reads them, prepares copies with values
 * as long as they may become and reads those back - but renames nothing.  The locks are released
 * again: a request lasts seconds, and a shard serves many accounts.  Corrupt records are no
 * obstacle, as for store_put.
 * Fault: as store_commit; nothing has changed. */
bool store_rehearse(
    struct ctx *ctx, const struct store_config *store, const char *const *keys, size_t count);

/* The operation of store_put; with value NULL that of store_erase. */
struct store_op store_op_put(const char *key, const char *value, time_t expires);

/* Visits every record whose key begins with prefix, in no particular order, until a visit returns
 * false, which makes this false too.  The arena is rewound after each visit, so a visitor keeps
 * nothing in it.  value is NULL for a corrupt record.  A shard that cannot be read, or not to its
 * end, is skipped; so is one that holds another's records, where no program looks for them.
 * Fault: FAULT_CORRUPT with the first such shard and its cure, after all others have been visited;
 * FAULT_STORAGE when the store cannot be read at all. */
typedef bool store_visit(struct ctx *ctx, void *arg, const char *key, const char *value);
bool store_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visit, void *arg);

/* Visits every shard that cannot be read to its end: its file, and the reason.
 * Fault: FAULT_STORAGE when the store cannot be read at all. */
typedef void store_visit_unreadable(void *arg, const char *path, const char *reason);
bool store_each_unreadable(
    struct ctx *ctx, const struct store_config *store, store_visit_unreadable *visit, void *arg);

/* Reads all of a key's shard.  If that succeeds, a record that was not found does not exist; else
 * it may be in a part that cannot be read.  Fault: FAULT_STORAGE. */
bool store_check_shard(struct ctx *ctx, const struct store_config *store, const char *key);

/* What helps against such a reason. */
const char *store_unreadable_cure(const char *reason);

/* Acquires the lock of a name, which may be held across a call to amoCRM: it is independent of the
 * locks of the shards.  It ends with lock_release or with the process.
 * Fault: FAULT_UNAVAILABLE when another holder keeps the lock for longer than wait_ms;
 * FAULT_STORAGE. */
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
