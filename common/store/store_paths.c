/* store_paths.c - see store_paths.h. */
#include "store/store_paths.h"

#include "base/sha2.h"
#include "store/store_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
store_paths_shard(struct ctx *ctx, const char *key, int *shard)
{
	uint8_t digest[SHA256_SIZE];
	size_t len = strlen(key);

	if (len > STORE_KEY_MAX)
		return fault(ctx, FAULT_REQUEST, "a record's key is over %d bytes", STORE_KEY_MAX);
	sha256(key, len, digest);
	*shard = (digest[0] << 8 | digest[1]) % STORE_SHARDS;
	return true;
}

bool
store_paths_file(struct ctx *ctx, const struct store_config *store, int shard, const char **path)
{
	return ctx_printf(ctx, path, "%s/connections/%03x.gdbm", store->path, (unsigned)shard);
}

bool
store_paths_directory(struct ctx *ctx, const struct store_config *store, const char **path)
{
	return ctx_printf(ctx, path, "%s/connections", store->path);
}

static int64_t
size_of(int directory, int shard)
{
	char name[sizeof "000.gdbm"];
	struct stat st;

	snprintf(name, sizeof name, "%03x.gdbm", (unsigned)shard % STORE_SHARDS);
	return fstatat(directory, name, &st, 0) == 0 ? st.st_size : 0;
}

bool
store_paths_largest(struct ctx *ctx, const struct store_config *store, int64_t *largest)
{
	const char *path;
	int directory;

	if (!store_paths_directory(ctx, store, &path))
		return false;
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	*largest = 0;
	for (int shard = 0; shard < STORE_SHARDS; shard++) {
		int64_t size = size_of(directory, shard);

		if (size > *largest)
			*largest = size;
	}
	close(directory);
	return true;
}

/* A link to nothing is not an absent directory: what it leads to may hold all connections. */
static bool
check_link(struct ctx *ctx, const struct store_config *store)
{
	const char *path;
	char target;

	if (!store_paths_directory(ctx, store, &path))
		return false;
	return access(path, F_OK) == 0 || errno != ENOENT || readlink(path, &target, 1) < 0
	    || fault(
		ctx, FAULT_STORAGE, "%s: is a dangling symbolic link; run amocrmctl check", path);
}

bool
store_paths_check(struct ctx *ctx, const struct store_config *store)
{
	if (access(store->path, R_OK | X_OK) != 0)
		return fault(ctx, FAULT_STORAGE,
		    "%s: %s; [store] path must be a directory of the web server's user",
		    store->path, strerror(errno));
	return check_link(ctx, store);
}

bool
store_paths_make_directory(struct ctx *ctx, const struct store_config *store, const char **path)
{
	if (!store_paths_directory(ctx, store, path))
		return false;
	if (mkdir(*path, 0700) != 0 && errno != EEXIST)
		return fault(ctx, FAULT_STORAGE, "%s: %s", *path, strerror(errno));
	return true;
}

bool
store_paths_locks(struct ctx *ctx, const struct store_config *store, const char **path)
{
	return ctx_printf(ctx, path, "%s/locks", store->path);
}
