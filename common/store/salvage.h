/* salvage.h - what is whole in a damaged shard.
 *
 * Two ways find records: GDBM, as far as it can follow its own structure, and a search through the
 * bytes of the file for keys, whatever is left of that structure.  The checksum of each value
 * decides whether a record is whole (see value.h).  The search needs no table of keys: a key
 * begins with a few lower-case letters and a colon.  It brings nothing back that was erased, since
 * values are overwritten before their space is freed (see shard_write.c).
 */
#ifndef SALVAGE_H
#define SALVAGE_H

#include "base/ctx.h"

#define SALVAGE_FILE_MAX (1 << 30) /* bytes searched of one file; a shard has a few hundred KB */

typedef void salvage_kept(void *arg, const char *key);

/* True if every record of the shard can be read and has the right checksum, also if there is no
 * shard.  Fault: FAULT_STORAGE, FAULT_CORRUPT. */
bool salvage_intact(struct ctx *ctx, const char *path);

/* Creates a shard with the records of the damaged one that are whole and have not expired, and
 * calls kept for each.  An existing file at new_path is replaced.
 * Fault: FAULT_STORAGE when the new shard cannot be written. */
bool salvage(
    struct ctx *ctx, const char *path, const char *new_path, salvage_kept *kept, void *arg);

#endif
