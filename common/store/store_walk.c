/* store_walk.c - reading all records of the store; see store.h. */
#include "base/first_reason.h"
#include "store/shard.h"
#include "store/store_files.h"
#include "store/store_paths.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MISPLACED "holds records of"

struct walk {
	const char *prefix;
	store_visit *visit;
	void *arg;
	int shard;
	bool ended; /* by the visitor */
	store_visit_unreadable *unreadable;
	void *unreadable_arg;
};

static bool
visit(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct walk *walk = arg;
	int shard;

	if (!store_paths_shard(ctx, key, &shard))
		return false;
	if (shard != walk->shard)
		return fault(ctx, FAULT_STORAGE, "%03x.gdbm: " MISPLACED " %03x.gdbm",
		    (unsigned)walk->shard, (unsigned)shard);
	walk->ended = !walk->visit(ctx, walk->arg, key, value);
	return !walk->ended;
}

/* Something else in the place of the shards' directory would look like 512 unreadable shards. */
static bool
check_shards(struct ctx *ctx, const struct store_config *store)
{
	const char *path;
	struct stat st;

	if (!store_paths_check(ctx, store) || !store_paths_directory(ctx, store, &path))
		return false;
	if (stat(path, &st) != 0)
		return errno == ENOENT
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fault(ctx, FAULT_STORAGE, "%s: is not a directory", path);
	return access(path, X_OK) == 0
	    || fault(ctx, FAULT_STORAGE, "%s: %s; run amocrmctl check", path, strerror(errno));
}

static bool
walk_shards(struct ctx *ctx, const struct store_config *store, struct walk *walk)
{
	const char *path;

	if (!check_shards(ctx, store))
		return false;
	for (walk->shard = 0; walk->shard < STORE_SHARDS; walk->shard++) {
		if (!store_paths_file(ctx, store, walk->shard, &path))
			return false;
		if (shard_each(ctx, path, walk->prefix, visit, walk))
			continue;
		if (walk->ended || ctx->kind != FAULT_STORAGE)
			return false;
		walk->unreadable(walk->unreadable_arg, path, ctx->reason);
		ctx_clear_fault(ctx);
	}
	return true;
}

static void
count(void *arg, const char *path, const char *reason)
{
	(void)path;
	first_reason_add(arg, reason);
}

bool
store_files_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visitor, void *arg)
{
	struct first_reason unreadable = { 0 };
	struct walk walk = { prefix, visitor, arg, 0, false, count, &unreadable };

	return walk_shards(ctx, store, &walk)
	    && (unreadable.count == 0
		|| fault(ctx, FAULT_CORRUPT, "%.119s; shards skipped: %zu; %s", unreadable.text,
		    unreadable.count, store_unreadable_cure(unreadable.text)));
}

/* Repair leaves alone what it cannot open, and does not bring records back from files in the wrong
 * place, which may be old copies. */
const char *
store_unreadable_cure(const char *reason)
{
	if (strstr(reason, MISPLACED) != NULL)
		return "put its own file back there, or move it away and run amocrmctl repair";
	if (strstr(reason, strerror(EACCES)) != NULL)
		return "run amocrmctl check: it names the owner or mode to correct";
	return "run amocrmctl repair";
}

static bool
go_on(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	(void)ctx;
	(void)arg;
	(void)key;
	(void)value;
	return true;
}

bool
store_files_check_shard(struct ctx *ctx, const struct store_config *store, const char *key)
{
	struct walk walk = { "", go_on, NULL, 0, false, NULL, NULL };
	const char *path;

	return store_paths_shard(ctx, key, &walk.shard)
	    && store_paths_file(ctx, store, walk.shard, &path)
	    && shard_each(ctx, path, walk.prefix, visit, &walk);
}

bool
store_files_each_unreadable(struct ctx *ctx, const struct store_config *store,
    store_visit_unreadable *unreadable, void *arg)
{
	struct walk walk = { "", go_on, NULL, 0, false, unreadable, arg };

	return walk_shards(ctx, store, &walk);
}
