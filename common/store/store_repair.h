/* store_repair.h - replaces shards that cannot be read, or that have corrupt records, by new ones
 * with the records that are whole.
 *
 *   <path>/connections/000.gdbm.damaged-1795780800   a damaged shard that was moved aside
 *   <path>/connections/000.repair.new                its replacement, until it is renamed
 *
 * Nothing but an administrator reads or deletes a shard that was moved aside; its tokens may still
 * be valid.
 */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "base/ctx.h"
#include "config/config.h"

struct store_repair {
	/* A damaged shard, after its records; aside is where it was moved. */
	void (*shard)(void *arg, const char *path, const char *aside, const char *reason);
	/* A record of it that is whole. */
	void (*kept)(void *arg, const char *key);
	void *arg;
};

/* Repairs every damaged shard, under the lock of its writer; *count is their number.  If it is
 * killed, another run completes it, and no record that is whole is lost at any time.  A shard that
 * cannot be opened for lack of permission, memory or descriptors is not taken for a damaged one; it
 * is left alone, as is one that cannot be replaced, or whose lock another process keeps.
 * Fault: FAULT_CORRUPT with the first that was left alone, after all others are repaired;
 * FAULT_STORAGE when the store cannot be read at all. */
bool store_repair(struct ctx *ctx, const struct store_config *store,
    const struct store_repair *report, size_t *count);

#endif
