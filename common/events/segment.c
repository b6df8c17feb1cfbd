/* segment.c - see segment.h. */
#include "events/segment.h"

#include "base/file.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS     10
#define NUMBER_MAX 9999999999

bool
segment_fault(struct ctx *ctx, const char *path)
{
	return fault(ctx, FAULT_STORAGE, "%s: %s", path, file_open_error(errno));
}

bool
segment_path(struct ctx *ctx, const struct journal *journal, int64_t number, const char **path)
{
	return ctx_printf(
	    ctx, path, "%s/events/%0*lld.ndjson", journal->path, DIGITS, (long long)number);
}

/* 0: the file is not a segment. */
static int64_t
parse_name(const char *name)
{
	if (strspn(name, "0123456789") != DIGITS || strcmp(name + DIGITS, ".ndjson") != 0)
		return 0;
	return strtoll(name, NULL, 10);
}

/* Without its directory a journal is empty; but a missing store must not look like an empty one. */
static bool
check_store(struct ctx *ctx, const struct journal *journal)
{
	if (access(journal->path, R_OK | X_OK) != 0)
		return segment_fault(ctx, journal->path);
	return true;
}

static bool
scan(struct ctx *ctx, DIR *directory, const char *path, int64_t from, int64_t *first,
    int64_t *newest)
{
	const struct dirent *entry;

	while (errno = 0, (entry = readdir(directory)) != NULL) {
		int64_t number = parse_name(entry->d_name);

		if (number > *newest)
			*newest = number;
		if (number > 0 && number >= from && (*first == 0 || number < *first))
			*first = number;
	}
	return errno == 0 || segment_fault(ctx, path);
}

/* *directory: NULL: it does not exist. */
static bool
open_directory(struct ctx *ctx, const struct journal *journal, const char **path, DIR **directory)
{
	if (!ctx_printf(ctx, path, "%s/events", journal->path))
		return false;
	*directory = opendir(*path);
	if (*directory == NULL)
		return errno == ENOENT ? check_store(ctx, journal) : segment_fault(ctx, *path);
	return true;
}

bool
segment_find(
    struct ctx *ctx, const struct journal *journal, int64_t from, int64_t *first, int64_t *newest)
{
	const char *path;
	DIR *directory;
	bool ok;

	*first = *newest = 0;
	if (!open_directory(ctx, journal, &path, &directory))
		return false;
	if (directory == NULL)
		return true;
	ok = scan(ctx, directory, path, from, first, newest);
	closedir(directory);
	return ok;
}

/* Some numbers may be missing, so the files are counted and not the numbers. */
static bool
scan_sizes(struct ctx *ctx, DIR *directory, const char *path, struct newest_segment *newest)
{
	const struct dirent *entry;
	int64_t size = 0; /* of the newest */
	struct stat st;

	while (errno = 0, (entry = readdir(directory)) != NULL) {
		int64_t number = parse_name(entry->d_name);

		if (number == 0)
			continue;
		if (fstatat(dirfd(directory), entry->d_name, &st, 0) != 0) {
			if (errno == ENOENT)
				continue;
			return segment_fault(ctx, path);
		}
		newest->older += st.st_size;
		if (number > newest->number) {
			newest->number = number;
			newest->inode = (int64_t)st.st_ino;
			size = st.st_size;
		}
	}
	newest->older -= size;
	return errno == 0 || segment_fault(ctx, path);
}

bool
segment_scan(struct ctx *ctx, const struct journal *journal, struct newest_segment *newest)
{
	const char *path;
	DIR *directory;
	bool ok;

	memset(newest, 0, sizeof *newest);
	if (!open_directory(ctx, journal, &path, &directory))
		return false;
	if (directory == NULL)
		return true;
	ok = scan_sizes(ctx, directory, path, newest);
	closedir(directory);
	return ok;
}

/* *inode: 0: the segment does not exist. */
static bool
find_inode(struct ctx *ctx, const struct journal *journal, int64_t number, int64_t *inode)
{
	const char *path;
	struct stat st;

	if (!segment_path(ctx, journal, number, &path))
		return false;
	*inode = stat(path, &st) == 0 ? (int64_t)st.st_ino : 0;
	return true;
}

/* Numbers are consecutive, so a segment without a successor is the newest; but one that was
 * restored from a backup, together with the lock file, may have a gap behind it. */
static bool
read_hint(struct ctx *ctx, const struct journal *journal, const struct lock *lock,
    struct newest_segment *newest)
{
	int64_t inode;
	int64_t next;

	return pread(lock->fd, newest, sizeof *newest, 0) == (ssize_t)sizeof *newest
	    && newest->number > 0 && newest->number < NUMBER_MAX && newest->older >= 0
	    && find_inode(ctx, journal, newest->number, &inode) && inode != 0
	    && inode == newest->inode && find_inode(ctx, journal, newest->number + 1, &next)
	    && next == 0;
}

static void
write_hint(struct ctx *ctx, const struct lock *lock, const struct newest_segment *newest)
{
	if (pwrite(lock->fd, newest, sizeof *newest, 0) != (ssize_t)sizeof *newest)
		log_note(ctx, "no_hint", strerror(errno)); /* the next writer scans again */
}

bool
segment_newest(struct ctx *ctx, const struct journal *journal, const struct lock *lock, bool rescan,
    struct newest_segment *newest)
{
	if (!rescan && read_hint(ctx, journal, lock, newest))
		return true;
	if (!segment_scan(ctx, journal, newest))
		return false;
	if (newest->number > 0)
		write_hint(ctx, lock, newest);
	return true;
}
