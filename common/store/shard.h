/* shard.h - one GDBM file that is never written to once it is committed.
 *
 * GDBM itself loses a file whose writer is killed.  So changes are made in a copy, which is synced
 * and renamed over the file; readers open the file as it stands, without any lock.
 */
#ifndef SHARD_H
#define SHARD_H

#include "base/ctx.h"

#include <time.h>

/* The value of key as a NUL-terminated text, or NULL: no file, no record, or its time is over.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT: the file can be read, and the record is not what was
 * written. */
bool shard_get(struct ctx *ctx, const char *path, const char *key, const char **value);

struct shard_op {
	const char *key;
	const char *value; /* NULL: it is not there any more */
	time_t expires;    /* 0: never */
};

/* Makes a copy of the file with those changes, and brings it to disk.
 * Only one process at a time may do so, up to the commit.  With a change that expires,
 * records over their time that share its key's prefix up to ':' are swept out.
 * Fault: FAULT_STORAGE; nothing is left of the copy. */
bool shard_prepare(struct ctx *ctx, const char *path, const char *copy_path,
    const struct shard_op *op, size_t count);

/* Puts the copy in the file's place; it stays there once the directory is synced.
 * Fault: FAULT_STORAGE; the file is as it was. */
bool shard_commit(struct ctx *ctx, const char *path, const char *copy_path);

typedef bool shard_visit(struct ctx *ctx, void *arg, const char *key, const char *value);

/* Visits the records whose keys begin with prefix, until visit is false; the arena is rewound after
 * each visit.  value is NULL for one that is corrupt. */
bool shard_each(
    struct ctx *ctx, const char *path, const char *prefix, shard_visit *visit, void *arg);

#endif
