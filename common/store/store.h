/* store.h - records by key, changed atomically and durably.
 *
 * A change that returned true is on disk.  If kill -9 or a power failure interrupts a change of one
 * record, the record has either its old or its new value; for several records see store_commit.
 * Readers never wait for writers.
 *
 * [store] engine decides where the records are: in GDBM files of the directory [store] path, of
 * mode 0700, which belongs to the web server's user (store_files.h), or in a PostgreSQL database
 * that several hosts share (store_postgresql.h).  In a database each function that reads or changes
 * records also fails with FAULT_UNAVAILABLE when the database is not available.
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
 * Fault: FAULT_STORAGE: no space, no permission; FAULT_UNAVAILABLE: no lock within STORE_WAIT_MS,
 * or the database is not available.
 * Nothing has changed, unless only the final fsync of the directory failed: the change is then
 * visible, but may be lost in a power failure. */
bool store_put(struct ctx *ctx, const struct store_config *store, const char *key,
    const char *value, time_t expires);

/* Erases a record, also a corrupt one.  True as well if there is no such record. */
bool store_erase(struct ctx *ctx, const struct store_config *store, const char *key);

/* Reads and changes a record; nobody else changes it meanwhile.  edit is given the value, or NULL,
 * and sets *value to the new one, or to NULL to erase the record; it leaves *value alone to change
 * nothing.  It must not call functions of the store itself, and may run again, as a section. */
typedef bool store_edit(struct ctx *ctx, void *arg, const char *old, const char **value);
bool store_update(struct ctx *ctx, const struct store_config *store, const char *key,
    time_t expires, store_edit *edit, void *arg);

/* Applies several operations on different keys, with fewer waits for the disk than one call for
 * each.  If it returns true, all are on disk.  In a database all are applied, or none.  In files it
 * is atomic per record: after a crash a prefix of the operations, in order, has been applied; after
 * a power failure any subset of them.
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
 * obstacle, as for store_put.  In a database it does all of a commit, with values of 4 KB or as
 * long as the old ones, and is rolled back; there it fails in a section.
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

/* A section: runs body while no other section of that name runs, on any host.  It is for changes of
 * the store alone, which take milliseconds.
 *
 * With files, body runs once, and each change in it is durable at once.  In a database the section
 * is one transaction: all its changes become visible and durable together when store_together
 * returns true, and none if it returns false.  There body runs again if the transaction cannot be
 * completed, so it sets its results from the start and does nothing that must not be repeated.  A
 * section in another one is a part of it.
 * Fault: body's; FAULT_UNAVAILABLE: another section keeps the name, or the database is not
 * available; FAULT_STORAGE. */
typedef bool store_body(struct ctx *ctx, void *arg);
bool store_together(struct ctx *ctx, const struct store_config *store, const char *name,
    store_body *body, void *arg);

/* A lease: one holder of a name at a time, on any host, also across a call to amoCRM.  It ends with
 * store_let_go, or with the process; if its whole host dies, after term_ms.  A change of the store
 * that is made while the context holds a lease fails with FAULT_STORAGE if the lease has passed to
 * another holder meanwhile (fencing).  A context holds one lease at a time.
 * Fault: FAULT_UNAVAILABLE when another holder keeps it for longer than wait_ms, or the database is
 * not available; FAULT_STORAGE. */
struct store_lease {
	const char *name; /* lives as long as the lease */
	bool abandoned;   /* within the last day a holder was killed, or its host: what it has left
			   * to be stored may wait on that host; see store_let_go */
	struct lock lock; /* of files */
	int64_t token;    /* of a database: grows with each holder */
};
struct store_wait {
	int64_t wait_ms; /* for the holder before */
	int64_t term_ms; /* at least as long as the lease is needed */
};
bool store_hold(struct ctx *ctx, const struct store_config *store, const char *name,
    const struct store_wait *wait, struct store_lease *lease);

/* lease->abandoned: the next holder finds it abandoned, too. */
void store_let_go(struct ctx *ctx, const struct store_config *store, struct store_lease *lease);

/* Looks for a holder of a lease that hangs: one that keeps its lock for longer than limit_ms,
 * which is what the longest use of a lease may take.  *stale as lock_find_stale.  Always none in a
 * database, where leases end by themselves.
 * Fault: FAULT_STORAGE. */
bool store_find_stale_lock(
    struct ctx *ctx, const struct store_config *store, int64_t limit_ms, struct stale_lock *stale);

/* Looks for a writer of a shard that hangs, so that others give up after STORE_WAIT_MS. */
bool store_find_stale_writer(
    struct ctx *ctx, const struct store_config *store, struct stale_lock *stale);

#endif
