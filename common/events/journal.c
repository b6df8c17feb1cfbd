/* journal.c - appending to the journal; reading it is in journal_read.c.
 *
 * Whose turn it is to append says <path>/events/lock.  It is lock.h's lock rather than flock's: a
 * writer that is stopped while it has it must not stop all others for ever.
 * It is a file of its own, so that it also covers the choice of the segment,
 * and holds the number of the newest, see segment.h.
 */
#include "events/journal.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "events/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define WAIT_MS 5000 /* a turn takes well under a millisecond; amoCRM waits 2 s, and repeats */

struct journal
journal_of(const struct store_config *store)
{
	return (struct journal){ .path = store->path, .segment_max = JOURNAL_SEGMENT_MAX };
}

static bool
check_event(struct ctx *ctx, const char *event, size_t len)
{
	if (len > JOURNAL_EVENT_MAX)
		return fault(ctx, FAULT_TOO_LARGE, "the event is over %d bytes", JOURNAL_EVENT_MAX);
	if (len == 0 || memchr(event, '\n', len) != NULL)
		return fault(ctx, FAULT_SERVER, "an event must be one line");
	return true;
}

static bool
make_directory(struct ctx *ctx, const struct journal *journal)
{
	const char *path;

	if (!ctx_printf(ctx, &path, "%s/events", journal->path))
		return false;
	return mkdir(path, 0700) == 0 || errno == EEXIST || segment_fault(ctx, path);
}

static bool
lock_journal(struct ctx *ctx, const struct journal *journal, struct lock *lock)
{
	const char *path;

	return ctx_printf(ctx, &path, "%s/events/lock", journal->path)
	    && lock_take(ctx, path, 0, WAIT_MS, lock);
}

/* The newest segment, open. */
struct segment {
	const char *path;
	int fd;
	int64_t size;
};

static bool
open_segment(
    struct ctx *ctx, const struct journal *journal, int64_t number, struct segment *segment)
{
	struct stat st;

	if (!segment_path(ctx, journal, number, &segment->path))
		return false;
	segment->fd = open(segment->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (segment->fd < 0)
		return segment_fault(ctx, segment->path);
	if (fstat(segment->fd, &st) != 0) {
		close(segment->fd);
		return segment_fault(ctx, segment->path);
	}
	segment->size = st.st_size;
	return true;
}

/* The newest segment, or a new one when len bytes more would be too many for it. */
static bool
open_newest(struct ctx *ctx, const struct journal *journal, const struct lock *lock, size_t len,
    struct segment *segment)
{
	int64_t newest;

	if (!segment_newest(ctx, journal, lock, &newest)
	    || !open_segment(ctx, journal, newest == 0 ? 1 : newest, segment))
		return false;
	if (segment->size == 0 || segment->size + (int64_t)len <= journal->segment_max)
		return true;
	close(segment->fd);
	return open_segment(ctx, journal, newest + 1, segment);
}

/* An empty segment may not be in its directory on disk yet, nor that in the store:
 * whoever made them may have been killed. */
static bool
settle(struct ctx *ctx, const struct journal *journal, const struct segment *segment)
{
	const char *directory;

	if (segment->size > 0)
		return true;
	return ctx_printf(ctx, &directory, "%s/events", journal->path)
	    && (fsync(segment->fd) == 0 || segment_fault(ctx, segment->path))
	    && file_sync_directory(ctx, directory) && file_sync_directory(ctx, journal->path);
}

/* *torn: a writer was killed in the middle of the last line. */
static bool
check_end(struct ctx *ctx, const struct segment *segment, bool *torn)
{
	char last = '\n';

	if (segment->size > 0 && pread(segment->fd, &last, 1, segment->size - 1) != 1)
		return segment_fault(ctx, segment->path);
	*torn = last != '\n';
	return true;
}

/* In one write, which is undone when it is cut short.  Should that fail too,
 * what is left of it is a torn line. */
static bool
write_line(struct ctx *ctx, const struct segment *segment, const char *event, size_t len, bool torn)
{
	char newline[] = "\n";
	struct iovec parts[] = {
		{ .iov_base = newline, .iov_len = torn },
		{ .iov_base = (void *)(uintptr_t)event, .iov_len = len },
		{ .iov_base = newline, .iov_len = 1 },
	};
	ssize_t written = writev(segment->fd, parts, 3);

	if (written == (ssize_t)(torn + len + 1))
		return true;
	if (written >= 0)
		errno = ENOSPC; /* what a short write means; a failed one says so itself */
	segment_fault(ctx, segment->path);
	if (written > 0 && ftruncate(segment->fd, segment->size) != 0)
		log_note(ctx, "not_undone", strerror(errno));
	return false;
}

static bool
append_locked(struct ctx *ctx, const struct journal *journal, const struct lock *lock,
    const char *event, size_t len, struct segment *segment)
{
	bool torn = false;

	if (!open_newest(ctx, journal, lock, len + 1, segment))
		return false;
	if (settle(ctx, journal, segment) && check_end(ctx, segment, &torn)
	    && write_line(ctx, segment, event, len, torn))
		return true;
	close(segment->fd);
	return false;
}

/* Needs no lock: nobody appends to a segment that is not the newest, and a reader that has an older
 * one open reads on.  Removes the oldest first, so an interruption leaves no gap. */
bool
journal_prune(struct ctx *ctx, const struct journal *journal, const struct journal_position *before,
    time_t since, int64_t *pruned)
{
	int64_t number;
	int64_t newest;
	const char *path;
	struct stat st;

	for (;;) {
		if (!segment_find(ctx, journal, 0, &number, &newest))
			return false;
		if (number >= before->segment || number == newest)
			return true;
		if (!segment_path(ctx, journal, number, &path))
			return false;
		if (stat(path, &st) == 0 && st.st_mtime >= since)
			return true;
		if (unlink(path) != 0 && errno != ENOENT)
			return segment_fault(ctx, path);
		++*pruned;
	}
}

/* Once for each segment; what fails now is done with the next. */
static void
prune_old(struct ctx *ctx, const struct journal *journal)
{
	const struct journal_position all = { .segment = INT64_MAX };
	int64_t pruned = 0;

	if (!journal_prune(ctx, journal, &all, time(NULL) - journal->keep_s, &pruned)) {
		log_note(ctx, "journal", ctx->reason);
		ctx_clear_fault(ctx);
	}
}

bool
journal_append(struct ctx *ctx, const struct journal *journal, const char *event)
{
	size_t len = strlen(event);
	struct segment segment;
	struct lock lock;
	bool ok;

	if (!check_event(ctx, event, len) || !make_directory(ctx, journal)
	    || !lock_journal(ctx, journal, &lock))
		return false;
	ok = append_locked(ctx, journal, &lock, event, len, &segment);
	lock_release(&lock);
	if (!ok)
		return false;
	/* after the turn, so that writers who wait for the disk wait together */
	ok = fdatasync(segment.fd) == 0 || segment_fault(ctx, segment.path);
	close(segment.fd);
	if (ok && segment.size == 0 && journal->keep_s > 0)
		prune_old(ctx, journal);
	return ok;
}
