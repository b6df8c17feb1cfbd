/* store_repair.c - see store_repair.h. */
#include "store/store_repair.h"

#include "base/file.h"
#include "base/first_reason.h"
#include "base/lock.h"
#include "store/salvage.h"
#include "store/store_limits.h"
#include "store/store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct damaged {
	const char *directory;
	const char *path;
	const char *new_path;
	const char *aside;
};

/* Whether an open failed because of what is in the shard's place, not because of this process or
 * its permissions. */
static bool
is_damage(const char *path)
{
	int fd = file_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO || errno == ENODEV
		    || errno == EIO || errno == ENOTDIR;
	close(fd);
	return true;
}

/* True with *intact false: the shard is damaged, and the fault in ctx says how. */
static bool
examine(struct ctx *ctx, const char *path, bool *intact)
{
	*intact = salvage_intact(ctx, path);
	return *intact || ctx->kind == FAULT_CORRUPT
	    || (ctx->kind == FAULT_STORAGE && is_damage(path));
}

/* A name that is not taken. */
static bool
choose_aside(struct ctx *ctx, struct damaged *d)
{
	struct stat st;
	time_t now = time(NULL);

	do
		if (!ctx_printf(ctx, &d->aside, "%s.damaged-%lld", d->path, (long long)now++))
			return false;
	while (lstat(d->aside, &st) == 0);
	return true;
}

/* A second name, and then the rename over the first one, so that a shard is there at all times.
 * What cannot have a second name, a folder, is renamed: a kill then leaves no shard until the next
 * run renames the replacement, which is complete. */
static bool
replace(struct ctx *ctx, const struct damaged *d)
{
	bool linked = link(d->path, d->aside) == 0;
	bool moved = linked || rename(d->path, d->aside) == 0;

	if (moved && rename(d->new_path, d->path) == 0)
		return true;
	ctx_fault(ctx, FAULT_STORAGE, "%s: cannot be moved aside: %s", d->path, strerror(errno));
	if (linked)
		unlink(d->aside);
	else if (moved)
		(void)rename(d->aside, d->path);
	return false;
}

/* After the replacement, which is reported whatever comes of this. */
static bool
secure(struct ctx *ctx, const struct damaged *d)
{
	struct stat st;

	if (lstat(d->aside, &st) == 0 && S_ISREG(st.st_mode) && chmod(d->aside, 0600) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", d->aside, strerror(errno));
	return file_sync_directory(ctx, d->directory);
}

static bool
repair_damaged(struct ctx *ctx, struct damaged *d, const struct store_repair *report)
{
	char reason[CTX_REASON_MAX];

	snprintf(reason, sizeof reason, "%.*s", CTX_REASON_MAX - 1, ctx->reason);
	ctx_clear_fault(ctx);
	if (!choose_aside(ctx, d))
		return false;
	if (!salvage(ctx, d->path, d->new_path, report->kept, report->arg) || !replace(ctx, d))
		return false;
	report->shard(report->arg, d->path, d->aside, reason);
	return secure(ctx, d);
}

/* Completes a repair that was killed between its two renames. */
static bool
complete(struct ctx *ctx, const struct damaged *d)
{
	struct stat st;

	if (lstat(d->path, &st) == 0)
		return true;
	if (errno != ENOENT)
		return fault(ctx, FAULT_STORAGE, "%s: %s", d->path, strerror(errno));
	if (lstat(d->new_path, &st) != 0 || !S_ISREG(st.st_mode))
		return true;
	return (rename(d->new_path, d->path) == 0
		   || fault(ctx, FAULT_STORAGE, "%s: %s", d->path, strerror(errno)))
	    && file_sync_directory(ctx, d->directory);
}

static bool
repair_locked(struct ctx *ctx, struct damaged *d, const struct store_repair *report, size_t *count)
{
	bool intact;

	if (!complete(ctx, d) || !examine(ctx, d->path, &intact))
		return false;
	*count += !intact;
	return intact || repair_damaged(ctx, d, report);
}

static bool
repair_shard(struct ctx *ctx, const struct store_config *store, int shard, struct damaged *d,
    const struct store_repair *report, size_t *count)
{
	struct lock lock;
	struct stat st;
	const char *locks;
	bool intact;
	bool ok;

	if (!store_paths_file(ctx, store, shard, &d->path)
	    || !ctx_printf(ctx, &d->new_path, "%s/%03x.repair.new", d->directory, (unsigned)shard))
		return false;
	if (!examine(ctx, d->path, &intact))
		return false;
	if (intact && lstat(d->new_path, &st) != 0)
		return true;
	ctx_clear_fault(ctx); /* a writer may have replaced it; it is examined again */
	if (!store_paths_locks(ctx, store, &locks)
	    || !lock_acquire(ctx, locks, shard, STORE_WAIT_MS, &lock))
		return false;
	ok = repair_locked(ctx, d, report, count);
	if (ok)
		unlink(d->new_path); /* left by a run that was killed */
	lock_release(&lock);
	return ok;
}

static bool
leave_alone(struct ctx *ctx, struct first_reason *left)
{
	if (ctx->kind != FAULT_STORAGE && ctx->kind != FAULT_UNAVAILABLE)
		return false;
	first_reason_take(left, ctx);
	return true;
}

bool
store_repair(struct ctx *ctx, const struct store_config *store, const struct store_repair *report,
    size_t *count)
{
	struct damaged damaged = { 0 };
	struct first_reason left = { 0 };

	*count = 0;
	if (!store_paths_check(ctx, store)
	    || !store_paths_make_directory(ctx, store, &damaged.directory))
		return false;
	for (int shard = 0; shard < STORE_SHARDS; shard++) {
		size_t mark = arena_mark(ctx);
		bool ok = repair_shard(ctx, store, shard, &damaged, report, count)
		    || leave_alone(ctx, &left);

		arena_rewind(ctx, mark);
		if (!ok)
			return false;
	}
	return left.count == 0
	    || fault(ctx, FAULT_CORRUPT,
		"%.150s; shards left alone: %zu; run amocrmctl check, correct that, and run repair "
		"again",
		left.text, left.count);
}
