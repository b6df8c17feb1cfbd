/* disk_reserve.h - disk space reserved for records that must not be lost: a code or a refresh token
 * works once, and when the new tokens arrive it is too late to find the disk full.
 *
 *   <directory>/0.room … 3.room    one for each record of an authorization, as large as the copy of
 *                                  the largest shard may become
 *
 * Looking at all shards takes longer than everything else here, so it is done once, and again when
 * a shard has outgrown the reserve: the mtime of the first file is then set to 1970.
 */
#ifndef DISK_RESERVE_H
#define DISK_RESERVE_H

#include "base/ctx.h"

#include <stdint.h>

/* Whether the reserve is there and large enough, and the directory can be written to. */
bool disk_reserve_ready(struct ctx *ctx, const char *directory);

/* Allocates the reserve, for a largest shard of so many bytes.
 * Fault: FAULT_STORAGE: no space, no permission. */
bool disk_reserve_fill(struct ctx *ctx, const char *directory, int64_t largest);

/* Marks the reserve as outgrown if it is too small for this file, which is about to become a shard.
 * False: the arena is full. */
bool disk_reserve_check_size(struct ctx *ctx, const char *directory, const char *shard);

/* Gives the space back to the disk, for a writer that finds it full.  The next disk_reserve_fill
 * allocates it again. */
void disk_reserve_release(struct ctx *ctx, const char *directory);

#endif
