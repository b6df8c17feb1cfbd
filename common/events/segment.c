/* segment.c - see segment.h. */
#include "events/segment.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS     10
#define NUMBER_MAX 9999999999

bool
segment_fault(struct ctx *ctx, const char *path)
{
	return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
}

bool
segment_path(struct ctx *ctx, const struct journal *journal, int64_t number, const char **path)
{
	return ctx_printf(
	    ctx, path, "%s/events/%0*lld.ndjson", journal->path, DIGITS, (long long)number);
}

/* 0: the file is none of ours. */
static int64_t
number_of(const char *name)
{
	if (strspn(name, "0123456789") != DIGITS || strcmp(name + DIGITS, ".ndjson") != 0)
		return 0;
	return strtoll(name, NULL, 10);
}

/* Without a directory there are no events yet; but a store that is not there must not look like one
 * without events. */
static bool
none_yet(struct ctx *ctx, const struct journal *journal)
{
	if (access(journal->path, R_OK | X_OK) != 0)
		return segment_fault(ctx, journal->path);
	return true;
}

static bool
look_through(struct ctx *ctx, DIR *directory, const char *path, int64_t from, int64_t *first,
    int64_t *newest)
{
	const struct dirent *entry;

	while (errno = 0, (entry = readdir(directory)) != NULL) {
		int64_t number = number_of(entry->d_name);

		if (number > *newest)
			*newest = number;
		if (number > 0 && number >= from && (*first == 0 || number < *first))
			*first = number;
	}
	return errno == 0 || segment_fault(ctx, path);
}

bool
segment_find(
    struct ctx *ctx, const struct journal *journal, int64_t from, int64_t *first, int64_t *newest)
{
	const char *path;
	DIR *directory;
	bool ok;

	*first = *newest = 0;
	if (!ctx_printf(ctx, &path, "%s/events", journal->path))
		return false;
	directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT ? none_yet(ctx, journal) : segment_fault(ctx, path);
	ok = look_through(ctx, directory, path, from, first, newest);
	closedir(directory);
	return ok;
}

static bool
is_there(struct ctx *ctx, const struct journal *journal, int64_t number)
{
	const char *path;

	return segment_path(ctx, journal, number, &path) && access(path, F_OK) == 0;
}

static bool
read_hint(struct ctx *ctx, const struct journal *journal, const struct lock *lock, int64_t *newest)
{
	return pread(lock->fd, newest, sizeof *newest, 0) == (ssize_t)sizeof *newest && *newest > 0
	    && *newest < NUMBER_MAX && is_there(ctx, journal, *newest)
	    && !is_there(ctx, journal, *newest + 1);
}

static void
leave_hint(struct ctx *ctx, const struct lock *lock, int64_t newest)
{
	if (pwrite(lock->fd, &newest, sizeof newest, 0) != (ssize_t)sizeof newest)
		log_note(ctx, "no_hint", strerror(errno)); /* so the next one looks for itself */
}

bool
segment_newest(
    struct ctx *ctx, const struct journal *journal, const struct lock *lock, int64_t *newest)
{
	int64_t first;

	if (read_hint(ctx, journal, lock, newest))
		return true;
	if (!segment_find(ctx, journal, 0, &first, newest))
		return false;
	if (*newest > 0)
		leave_hint(ctx, lock, *newest);
	return true;
}
