/* store_paths.h - the files of a store.
 *
 *   <path>/connections/000.gdbm … 1ff.gdbm  the shards
 *   <path>/connections/000.0.new …          copies of shards, until they are renamed
 *   <path>/escrow/000 …                     see escrow.h
 *   <path>/locks                            bytes 0 to 511: the shards' writers; above: names
 *
 * A hash of its key puts each record into one of 512 shards, so that a change copies little.
 */
#ifndef STORE_PATHS_H
#define STORE_PATHS_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

#define STORE_SHARDS 512

/* The number of a key's shard.  Fault: FAULT_REQUEST when the key is over STORE_KEY_MAX. */
bool store_paths_shard(struct ctx *ctx, const char *key, int *shard);

/* The file of a shard. */
bool store_paths_file(
    struct ctx *ctx, const struct store_config *store, int shard, const char **path);

/* The size of the largest shard in bytes; 0: there is none.  Fault: FAULT_STORAGE. */
bool store_paths_largest(struct ctx *ctx, const struct store_config *store, int64_t *largest);

/* Faults unless the store's own directory can be read: one that is missing must not look like an
 * empty store. */
bool store_paths_check(struct ctx *ctx, const struct store_config *store);

/* The directory of the shards. */
bool store_paths_directory(struct ctx *ctx, const struct store_config *store, const char **path);

/* Creates the directory unless it exists.  Fault: FAULT_STORAGE. */
bool store_paths_make_directory(
    struct ctx *ctx, const struct store_config *store, const char **path);

/* The file of the locks, see lock.h.  The bytes below STORE_SHARDS are the locks of the shards'
 * writers, those above are the locks of names. */
bool store_paths_locks(struct ctx *ctx, const struct store_config *store, const char **path);

#endif
