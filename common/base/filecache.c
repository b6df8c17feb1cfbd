/* filecache.c - see filecache.h. */
#include "base/filecache.h"

#include <string.h>
#include <time.h>

bool
filecache_open(struct ctx *ctx, struct filecache *cache)
{
	memset(cache, 0, sizeof *cache);
	for (int i = 0; i < FILECACHE_IDS; i++)
		if (!ctx_open(&cache->entries[i].ctx, FILECACHE_ARENA_SIZE)) {
			while (i-- > 0)
				ctx_close(&cache->entries[i].ctx);
			return fault(ctx, FAULT_SERVER, "no memory for the file cache");
		}
	ctx->filecache = cache;
	return true;
}

void
filecache_close(struct ctx *ctx)
{
	for (int i = 0; ctx->filecache != NULL && i < FILECACHE_IDS; i++)
		ctx_close(&ctx->filecache->entries[i].ctx);
	ctx->filecache = NULL;
}

void
filecache_revalidate(struct ctx *ctx)
{
	for (int i = 0; ctx->filecache != NULL && i < FILECACHE_IDS; i++)
		ctx->filecache->entries[i].checked = false;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
	    && same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

static bool
mtime_is_old_enough(const struct stat *seen)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0
	    && now.tv_sec - seen->st_ctim.tv_sec > FILECACHE_SAFE_AGE_S;
}

/* Parses the file into the entry's own arena.  The caller calls stat before the file is opened
 * here, so a change in between is detected by the next request. */
static bool
parse_again(
    struct ctx *ctx, struct filecache_entry *entry, const char *path, filecache_parse *parse)
{
	struct ctx *own = &entry->ctx;

	ctx_wipe(own);
	entry->parsed = NULL;
	entry->ok = ctx_strndup(own, path, strlen(path), &entry->path)
	    && parse(own, entry->path, &entry->parsed);
	return entry->ok || fault(ctx, own->kind, "%s", own->reason);
}

bool
filecache_get(struct ctx *ctx, enum filecache_id what, const char *path, filecache_parse *parse,
    const void **parsed)
{
	struct filecache_entry *entry =
	    ctx->filecache == NULL ? NULL : &ctx->filecache->entries[what];
	struct stat seen = { 0 };
	bool same;
	bool mtime_is_safe;
	bool ok = true;

	if (entry == NULL)
		return parse(ctx, path, parsed);
	same = entry->ok && strcmp(entry->path, path) == 0;
	if (!same || !entry->checked) {
		mtime_is_safe = stat(path, &seen) == 0 && mtime_is_old_enough(&seen);
		if (!same || !entry->mtime_is_safe || !same_file(&seen, &entry->seen)) {
			ok = parse_again(ctx, entry, path, parse);
			entry->seen = seen;
			entry->mtime_is_safe = mtime_is_safe;
		}
		entry->checked = true;
	}
	*parsed = entry->parsed;
	return ok;
}
