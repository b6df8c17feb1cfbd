/* shard_copy.h - the copy of a shard, in which changes are made.
 */
#ifndef SHARD_COPY_H
#define SHARD_COPY_H

#include "base/ctx.h"

/* Copies the shard's file over copy_path; without a shard the copy becomes an empty one, or is left
 * for GDBM to create.  Fault: FAULT_STORAGE; a part of the copy may be left. */
bool shard_copy(struct ctx *ctx, const char *path, const char *copy_path);

#endif
