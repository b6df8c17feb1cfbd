/* store_paths.h - where the parts of a store lie.
 *
 *   <path>/connections/000.gdbm … 1ff.gdbm  the records
 *   <path>/locks                            bytes 0 to 511: a shard's writer; behind them: names
 *
 * The records are in 512 shards, chosen by a hash of the key, so that one change copies little.
 */
#ifndef STORE_PATHS_H
#define STORE_PATHS_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

#define STORE_SHARDS 512

/* The shard of a record.  Fault: FAULT_REQUEST when the key is over STORE_KEY_MAX. */
bool store_paths_shard(struct ctx *ctx, const char *key, int *shard);

/* The file of a shard, and the directory that all of them are in. */
bool store_paths_file(
    struct ctx *ctx, const struct store_config *store, int shard, const char **path);
bool store_paths_directory(struct ctx *ctx, const struct store_config *store, const char **path);

/* Bytes that the largest shard has; 0: there is none.  Fault: FAULT_STORAGE. */
bool store_paths_largest(struct ctx *ctx, const struct store_config *store, int64_t *largest);

/* The directory, made when it is not there.  Fault: FAULT_STORAGE. */
bool store_paths_make_directory(
    struct ctx *ctx, const struct store_config *store, const char **path);

/* The file of the locks.  Offsets below STORE_SHARDS belong to the writers of the shards, all above
 * to names. */
bool store_paths_locks(struct ctx *ctx, const struct store_config *store, const char **path);

#endif
