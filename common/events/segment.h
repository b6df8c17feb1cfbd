/* segment.h - the files a journal is made of.
 *
 *   <path>/events/<10 digits>.ndjson   numbered from 1; only the newest is appended to
 *
 * Numbers may be missing at the beginning, where events were forgotten.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "base/ctx.h"
#include "base/lock.h"
#include "events/journal.h"

/* The first segment whose number is at least from, and the newest of all; 0: there is none.
 * Fault: FAULT_STORAGE, also when there is no store at all. */
bool segment_find(
    struct ctx *ctx, const struct journal *journal, int64_t from, int64_t *first, int64_t *newest);

/* The newest, for who has the turn to append; 0: there is none.
 * Its number is left in the turn's file.  Numbers follow each other,
 * so with none behind it it is the newest still, and the directory need not be read.
 * Fault: as above. */
bool segment_newest(
    struct ctx *ctx, const struct journal *journal, const struct lock *lock, int64_t *newest);

bool segment_path(
    struct ctx *ctx, const struct journal *journal, int64_t number, const char **path);

/* Keeps the first fault, with the file's name and errno's reason.  Is false. */
bool segment_fault(struct ctx *ctx, const char *path);

#endif
