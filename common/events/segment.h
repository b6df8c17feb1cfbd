/* segment.h - the files of a journal.
 *
 *   <path>/events/<10 digits>.ndjson   numbered from 1; only the newest is appended to
 *
 * Numbers are consecutive; the first are missing where old events were removed.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "base/ctx.h"
#include "base/lock.h"
#include "events/journal.h"

/* The first segment whose number is at least from, and the newest of all; 0: there is none.
 * Reads the directory.  Fault: FAULT_STORAGE, also if the store does not exist. */
bool segment_find(
    struct ctx *ctx, const struct journal *journal, int64_t from, int64_t *first, int64_t *newest);

/* The newest segment, and what is before it. */
struct newest_segment {
	int64_t number; /* 0: there is none */
	int64_t inode;
	int64_t older; /* bytes of all segments before it */
};

/* Reads the directory, and the size of each segment.  Fault: as segment_find. */
bool segment_scan(struct ctx *ctx, const struct journal *journal, struct newest_segment *newest);

/* The same for the holder of the journal's lock: it is cached in the lock file, so that writers
 * need not read the directory.  older is too large if segments were removed since the newest began,
 * and too small if some were restored.  rescan: the cache is written anew.
 * Fault: as segment_find. */
bool segment_newest(struct ctx *ctx, const struct journal *journal, const struct lock *lock,
    bool rescan, struct newest_segment *newest);

bool segment_path(
    struct ctx *ctx, const struct journal *journal, int64_t number, const char **path);

/* FAULT_STORAGE with the path and the reason in errno.  Is false, as fault() is. */
bool segment_fault(struct ctx *ctx, const char *path);

#endif
