/* shard.h - one GDBM file that is never written to once it is committed.
 *
 * GDBM itself loses a file whose writer is killed.  So a change is made in a copy, which is synced
 * and renamed over the file; readers open the file as it stands, without any lock.
 */
#ifndef SHARD_H
#define SHARD_H

#include "work.h"

#include <time.h>

/* The value of key as a NUL-terminated text, or NULL: no file, no record, or its time is over.
 * Fault: FAULT_STORAGE. */
bool shard_get(struct work *w, const char *path, const char *key, const char **value);

/* Replaces the file by a copy in which key has that value (NULL: is not there).  Only one process
 * at a time may do so.  With expires set, records over their time that share the key's prefix up to
 * ':' are swept out.
 * Fault: FAULT_STORAGE; the file is as it was. */
bool shard_set(
    struct work *w, const char *path, const char *key, const char *value, time_t expires);

typedef bool shard_visit(struct work *w, void *context, const char *key, const char *value);

/* Visits the records whose keys begin with prefix, until visit is false; each visit's room is taken
 * back. */
bool shard_each(
    struct work *w, const char *path, const char *prefix, shard_visit *visit, void *context);

#endif
