/* shard_copy.h - the copy of a shard, in which changes are made.
 */
#ifndef SHARD_COPY_H
#define SHARD_COPY_H

#include "base/ctx.h"

/* Copies the shard's file over copy_path; without a shard the copy becomes an empty one, or is left
 * for GDBM to create.  Fault: FAULT_STORAGE; a part of the copy may be left. */
bool shard_copy(struct ctx *ctx, const char *path, const char *copy_path);

/* For a rehearsal: moves the copy into memory, where that works, so that it needs no fsync, and a
 * kill leaves no file.  Tries to create the file of that name all the same.  *fd is -1 if the copy
 * stays a file.  Fault: FAULT_STORAGE. */
bool shard_copy_in_memory(struct ctx *ctx, const char **copy_path, int *fd);

/* Removes a copy: the file, or that of the descriptor.  copy_path may be NULL: there is none. */
void shard_copy_remove(const char *copy_path, int fd);

#endif
