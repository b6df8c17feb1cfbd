/* store_files.c - reading a record, and named locks; store_walk.c reads all records, store_write.c
 * changes the store. */
#include "store/store_files.h"

#include "base/file.h"
#include "base/sha2.h"
#include "store/disk_reserve.h"
#include "store/shard.h"
#include "store/store_paths.h"

#include <string.h>

bool
store_files_get(
    struct ctx *ctx, const struct store_config *store, const char *key, const char **value)
{
	const char *path;
	int shard;

	return store_paths_shard(ctx, key, &shard) && store_paths_file(ctx, store, shard, &path)
	    && shard_get(ctx, path, key, value)
	    && (*value != NULL || store_paths_check(ctx, store));
}

/* Reserves for the largest shard: which shards will change is known only from amoCRM's reply. */
bool
store_files_ready(struct ctx *ctx, const struct store_config *store)
{
	const char *directory;
	int64_t largest;

	return store_paths_make_directory(ctx, store, &directory)
	    && (disk_reserve_ready(ctx, directory)
		|| (store_paths_largest(ctx, store, &largest)
		    && disk_reserve_fill(ctx, directory, largest)));
}

/* The files were synced before they got their names. */
bool
store_files_sync(struct ctx *ctx, const struct store_config *store)
{
	const char *directory;

	return store_paths_directory(ctx, store, &directory) && file_sync_directory(ctx, directory);
}

bool
store_files_lock(struct ctx *ctx, const struct store_config *store, const char *name,
    int64_t wait_ms, struct lock *lock)
{
	uint8_t digest[SHA256_SIZE];
	const char *path;
	int64_t offset = 0;

	sha256(name, strlen(name), digest);
	for (int i = 0; i < 7; i++) /* 56 bits: an offset is a positive 63-bit number */
		offset = offset << 8 | digest[i];
	return store_paths_locks(ctx, store, &path)
	    && lock_acquire(ctx, path, STORE_SHARDS + offset, wait_ms, lock);
}

bool
store_files_together(struct ctx *ctx, const struct store_config *store, const char *name,
    store_body *body, void *arg)
{
	struct lock lock;
	bool ok;

	if (!store_files_lock(ctx, store, name, STORE_WAIT_MS, &lock))
		return false;
	ok = body(ctx, arg);
	lock_release(&lock);
	return ok;
}

bool
store_files_find_stale_lock(
    struct ctx *ctx, const struct store_config *store, int64_t limit_ms, struct stale_lock *stale)
{
	const char *path;

	return store_paths_locks(ctx, store, &path)
	    && lock_find_stale(ctx, path, STORE_SHARDS, 0, limit_ms, stale);
}

bool
store_files_find_stale_writer(
    struct ctx *ctx, const struct store_config *store, struct stale_lock *stale)
{
	const char *path;

	return store_paths_locks(ctx, store, &path)
	    && lock_find_stale(ctx, path, 0, STORE_SHARDS, STORE_WAIT_MS, stale);
}
