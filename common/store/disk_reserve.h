/* disk_reserve.h - room on the disk that is kept for what must be written: a code or a refresh
 * token works once, and when the new tokens come it is too late to find the disk full.
 *
 *   <directory>/0.room … 3.room    one for each record of an authorization, as large as the copy of
 *                                  its shard may become
 *
 * To look at all shards takes longer than all else here, so it is done once, and again when a shard
 * has outgrown its room: then the time of the first file is set to 1970.
 */
#ifndef DISK_RESERVE_H
#define DISK_RESERVE_H

#include "base/ctx.h"

#include <stdint.h>

/* Whether the room is there, for the largest shard, and the directory can be written to. */
bool disk_reserve_ready(struct ctx *ctx, const char *directory);

/* Makes it, for a largest shard of that many bytes.
 * Fault: FAULT_STORAGE: no space, no permission. */
bool disk_reserve_fill(struct ctx *ctx, const char *directory, int64_t largest);

/* Has the reserve made anew the next time if it is too small for this file, which will become a
 * shard.  False: the arena is full. */
bool disk_reserve_check_size(struct ctx *ctx, const char *directory, const char *shard);

/* Gives it up, for whoever finds no other.  Who keeps it next makes it anew. */
void disk_reserve_release(struct ctx *ctx, const char *directory);

#endif
