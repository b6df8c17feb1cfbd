/* journal.c - appending to the journal, and removing old segments; journal_read.c reads.
 *
 * Writers take a lock on <path>/events/lock, a file of its own because the lock also covers the
 * choice of the segment.  The lock has a timeout (lock.h): a writer that is stopped while it holds
 * it must not block all others forever.  The file caches what is known of the newest segment
 * (segment.h).
 */
#include "events/journal.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "events/ndjson.h"
#include "events/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lock is held for less than 1 ms, so a writer that waits this long waits for one that hangs.
 *
 * amoCRM waits 2 s for the reply to a webhook and sends it again if there is none.  A longer wait
 * is still useful: an event that is stored late is not lost, and its repetition is skipped
 * (dedup.h).
 */
#define LOCK_WAIT_MS 5000

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
lock_path(struct ctx *ctx, const struct journal *journal, const char **path)
{
	return ctx_printf(ctx, path, "%s/events/lock", journal->path);
}

static bool
lock_journal(struct ctx *ctx, const struct journal *journal, struct lock *lock)
{
	const char *path;

	return lock_path(ctx, journal, &path) && lock_acquire(ctx, path, 0, LOCK_WAIT_MS, lock);
}

bool
journal_find_stale_lock(struct ctx *ctx, const struct journal *journal, struct stale_lock *stale)
{
	const char *path;

	return lock_path(ctx, journal, &path)
	    && lock_find_stale(ctx, path, 0, 1, LOCK_WAIT_MS, stale);
}

static bool
open_segment(struct ctx *ctx, const struct journal *journal, int64_t number, struct ndjson *segment)
{
	const char *path;

	return segment_path(ctx, journal, number, &path) && ndjson_open(ctx, path, segment);
}

bool
journal_size(struct ctx *ctx, const struct journal *journal, int64_t *size)
{
	struct newest_segment newest;
	const char *path;
	struct stat st;

	if (!segment_scan(ctx, journal, &newest)
	    || !segment_path(ctx, journal, newest.number, &path))
		return false;
	*size = newest.older + (stat(path, &st) == 0 ? st.st_size : 0);
	return true;
}

/* Whether len more bytes than those of the segments before the newest, older, are allowed.  Old
 * segments may have been removed since older was cached. */
static bool
check_size(struct ctx *ctx, const struct journal *journal, const struct lock *lock, int64_t older,
    int64_t len)
{
	const struct journal_position all = { .segment = INT64_MAX };
	struct newest_segment newest;
	int64_t pruned = 0;

	if (journal->size_max == 0 || older <= journal->size_max - len)
		return true;
	if (journal->keep_s > 0
	    && !journal_prune(ctx, journal, &all, time(NULL) - journal->keep_s, &pruned))
		return false;
	if (!segment_newest(ctx, journal, lock, true, &newest))
		return false;
	return newest.older + len <= journal->size_max
	    || fault(ctx, FAULT_STORAGE,
		"the journal has reached [webhook] max_journal, %lld bytes; run amocrmctl deliver, "
		"or see "
		"keep_days",
		(long long)journal->size_max);
}

/* The newest segment, or a new one if a line of len bytes would exceed the limit. */
static bool
open_newest(struct ctx *ctx, const struct journal *journal, const struct lock *lock, size_t len,
    struct ndjson *segment)
{
	struct newest_segment newest;
	int64_t size; /* of the newest segment, and of a new one, with the line */
	bool full;

	if (!segment_newest(ctx, journal, lock, false, &newest)
	    || !open_segment(ctx, journal, newest.number == 0 ? 1 : newest.number, segment))
		return false;
	size = segment->size + segment->torn + (int64_t)len;
	full = segment->size > 0 && size > journal->segment_max;
	if (full)
		size -= segment->torn; /* no newline is added to it */
	if (check_size(ctx, journal, lock, newest.older, size) && !full)
		return true;
	close(segment->fd);
	return full && ctx->kind == FAULT_NONE
	    && open_segment(ctx, journal, newest.number + 1, segment);
}

/* Makes an empty segment durable: its entry in the directory, and the directory's in the store.
 * Every writer that finds it empty does so, since its creator may have been killed. */
static bool
sync_new_segment(struct ctx *ctx, const struct journal *journal, const struct ndjson *segment)
{
	const char *directory;

	if (segment->size > 0)
		return true;
	return ctx_printf(ctx, &directory, "%s/events", journal->path)
	    && (fsync(segment->fd) == 0 || segment_fault(ctx, segment->path))
	    && file_sync_directory(ctx, directory) && file_sync_directory(ctx, journal->path);
}

static bool
append_locked(struct ctx *ctx, const struct journal *journal, const struct lock *lock,
    const char *event, size_t len, struct ndjson *segment)
{
	if (!open_newest(ctx, journal, lock, len + 1, segment))
		return false;
	if (sync_new_segment(ctx, journal, segment) && ndjson_append(ctx, segment, event, len))
		return true;
	close(segment->fd);
	return false;
}

/* Needs no lock: only the newest segment is appended to, and a reader keeps an unlinked one open.
 * Removes the oldest first, so a crash leaves no gap. */
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
		if (stat(path, &st) == 0) {
			if (st.st_mtime >= since)
				return true;
		} else if (errno != ENOENT)
			return segment_fault(ctx, path);
		if (unlink(path) != 0 && errno != ENOENT)
			return segment_fault(ctx, path);
		++*pruned;
	}
}

/* Called once per segment.  A fault is only logged: the next segment's writer tries again. */
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
	struct ndjson segment;
	struct lock lock;
	bool ok;

	if (!check_event(ctx, event, len) || !make_directory(ctx, journal)
	    || !lock_journal(ctx, journal, &lock))
		return false;
	ok = append_locked(ctx, journal, &lock, event, len, &segment);
	lock_release(&lock);
	if (!ok)
		return false;
	/* without the lock, so that the file system can sync several writers' lines at once */
	ok = fdatasync(segment.fd) == 0 || segment_fault(ctx, segment.path);
	close(segment.fd);
	if (ok && segment.size == 0 && journal->keep_s > 0)
		prune_old(ctx, journal);
	return ok;
}
