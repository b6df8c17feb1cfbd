/* shard.h - one GDBM file of records, changed by copy-on-write.
 *
 * GDBM corrupts a file whose writer is killed.  So a shard is never written to in place: changes
 * are made in a copy, which is fsynced and then atomically renamed over the shard.  Readers open
 * the file that is there, without a lock.
 */
#ifndef SHARD_H
#define SHARD_H

#include "base/ctx.h"

#include <time.h>

/* Reads a record.  *value is NUL-terminated; NULL: no file, no record, or the record has expired.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT: the file can be read, but the record's checksum is wrong. */
bool shard_get(struct ctx *ctx, const char *path, const char *key, const char **value);

struct shard_op {
	const char *key;
	const char *value; /* NULL: erases the record */
	time_t expires;    /* 0: never */
};

/* Copies the file, applies the operations to the copy and fsyncs it.  The caller holds the lock of
 * the shard's writer until the commit.  An operation with an expiry also sweeps out expired records
 * that share its key's prefix up to ':'.
 * Fault: FAULT_STORAGE; the copy is removed. */
bool shard_prepare(struct ctx *ctx, const char *path, const char *copy_path,
    const struct shard_op *op, size_t count);

/* Atomically renames the copy over the file.  The caller fsyncs the directory to make that durable.
 * Fault: FAULT_STORAGE; the file is unchanged. */
bool shard_commit(struct ctx *ctx, const char *path, const char *copy_path);

typedef bool shard_visit(struct ctx *ctx, void *arg, const char *key, const char *value);

/* Visits the records whose keys begin with prefix, until a visit returns false; the arena is
 * rewound after each visit.  value is NULL for a corrupt record. */
bool shard_each(
    struct ctx *ctx, const char *path, const char *prefix, shard_visit *visit, void *arg);

#endif
