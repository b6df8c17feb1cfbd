/* filecache.c - see filecache.h. */
#include "base/filecache.h"

#include <string.h>
#include <time.h>

bool
kept_open(struct ctx *ctx, struct kept *kept)
{
	memset(kept, 0, sizeof *kept);
	for (int i = 0; i < KEPT_FILES; i++)
		if (!ctx_open(&kept->files[i].ctx, KEPT_ARENA_SIZE)) {
			while (i-- > 0)
				ctx_close(&kept->files[i].ctx);
			return fault(ctx, FAULT_SERVER, "no memory for what is kept");
		}
	ctx->kept = kept;
	return true;
}

void
kept_close(struct ctx *ctx)
{
	for (int i = 0; ctx->kept != NULL && i < KEPT_FILES; i++)
		ctx_close(&ctx->kept->files[i].ctx);
	ctx->kept = NULL;
}

void
kept_look_again(struct ctx *ctx)
{
	for (int i = 0; ctx->kept != NULL && i < KEPT_FILES; i++)
		ctx->kept->files[i].current = false;
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
is_settled(const struct stat *seen)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0
	    && now.tv_sec - seen->st_ctim.tv_sec > KEPT_SETTLED_S;
}

/* Parsed anew, into an arena that holds nothing else.  The file was looked at before it is opened:
 * one that is changed in between is newer than what was seen, and differs from it the next time. */
static bool
read_anew(struct ctx *ctx, struct kept_file *file, const char *path, kept_parse *parse)
{
	struct ctx *own = &file->ctx;

	ctx_wipe(own);
	file->parsed = NULL;
	file->sound = ctx_strndup(own, path, strlen(path), &file->path)
	    && parse(own, file->path, &file->parsed);
	return file->sound || fault(ctx, own->kind, "%s", own->reason);
}

bool
kept_read(
    struct ctx *ctx, enum kept_what what, const char *path, kept_parse *parse, const void **parsed)
{
	struct kept_file *file = ctx->kept == NULL ? NULL : &ctx->kept->files[what];
	struct stat seen = { 0 };
	bool same;
	bool settled;
	bool done = true;

	if (file == NULL)
		return parse(ctx, path, parsed);
	same = file->sound && strcmp(file->path, path) == 0;
	if (!same || !file->current) {
		settled = stat(path, &seen) == 0 && is_settled(&seen);
		if (!same || !file->settled || !same_file(&seen, &file->seen)) {
			done = read_anew(ctx, file, path, parse);
			file->seen = seen;
			file->settled = settled;
		}
		file->current = true;
	}
	*parsed = file->parsed;
	return done;
}
