/* journal.h - an append-only log of events, in the order of their arrival.
 *
 * An event is one JSON object on one line (json_compact.h).  When journal_append returns true, the
 * event is synced to disk.  A writer that is killed may leave a torn line, which readers skip and
 * count; other events are not affected.  Writers wait for each other only to append their line, and
 * may sync together; readers take no lock.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "base/ctx.h"
#include "base/lock.h"
#include "config/config.h"

#include <stdint.h>
#include <time.h>

#define JOURNAL_EVENT_MAX   (32 << 20) /* bytes; a reader's arena has twice as many */
#define JOURNAL_SEGMENT_MAX (64 << 20) /* bytes; a segment is removed as a whole */

struct journal {
	const char *path;    /* the store's */
	int64_t segment_max; /* bytes */
	time_t keep_s;       /* journal_append removes older events; 0: it removes none */
	int64_t size_max;    /* bytes of all segments together; 0: no limit */
};

/* The journal of a store. */
struct journal journal_of(const struct store_config *store);

/* Appends an event.
 * Fault: FAULT_STORAGE: no space, no permission, an I/O error, or a journal of size_max;
 * FAULT_UNAVAILABLE: other writers held the lock for seconds; FAULT_TOO_LARGE: over
 * JOURNAL_EVENT_MAX; FAULT_SERVER: not one line.  If only the sync failed, the event may be in the
 * journal even so. */
bool journal_append(struct ctx *ctx, const struct journal *journal, const char *event);

/* The bytes of all segments.  Fault: FAULT_STORAGE. */
bool journal_size(struct ctx *ctx, const struct journal *journal, int64_t *size);

/* Looks for a writer that hangs while it holds the journal's lock, so that others give up.
 * *stale as lock_find_stale.  Fault: FAULT_STORAGE. */
bool journal_find_stale_lock(
    struct ctx *ctx, const struct journal *journal, struct stale_lock *stale);

/* A position between two events; all zero: before the first.  It may be stored, and stays valid
 * when events before it are removed.  The line before it tells whether the journal is still the
 * same (journal_has): another may have a line that ends at the same offset. */
struct journal_position {
	int64_t segment;
	int64_t offset;
	int64_t line;     /* the offset at which the line before it begins */
	int64_t checksum; /* of that line's first bytes, at least 1; 0: not known */
};

/* Gives a position before all events that were appended at the time since or later.  Events shortly
 * before that time may follow it too: the position is the beginning of a segment.
 * Fault: FAULT_STORAGE. */
bool journal_seek(struct ctx *ctx, const struct journal *journal, time_t since,
    struct journal_position *position);

/* Whether the journal has the position: it follows the same line as before, or its segment was
 * removed and a later one exists.  Other positions are of a journal that was replaced, or has lost
 * its end.
 * Fault: FAULT_STORAGE. */
bool journal_has(struct ctx *ctx, const struct journal *journal,
    const struct journal_position *position, bool *has);

/* If the journal does not have the position, which was saved at that time (0: not known), moves it
 * back to the first segment that may have been appended to since then, or to the beginning of its
 * own segment, whichever is earlier: events are visited twice rather than not at all.
 * *fits: it did not move.  Fault: FAULT_STORAGE. */
bool journal_fit(struct ctx *ctx, const struct journal *journal, struct journal_position *position,
    time_t saved_at, bool *fits);

/* Visits the events after the position up to the last complete line, and moves the position with
 * them.  line is valid during the visit; next is the position after it.  If visit returns false,
 * iteration stops, journal_each returns false, and the position stays before that event.  What a
 * visit allocates in the arena is released after it.  *torn grows by the number of torn lines that
 * were skipped.
 * Fault: FAULT_STORAGE. */
typedef bool journal_visit(
    struct ctx *ctx, void *arg, const char *line, const struct journal_position *next);
bool journal_each(struct ctx *ctx, const struct journal *journal, struct journal_position *position,
    journal_visit *visit, void *arg, int64_t *torn);

/* Removes the oldest segments, as long as they are before the position's segment and were last
 * appended to before the time since.  Never removes the newest.  *pruned grows by their number.
 * Fault: FAULT_STORAGE. */
bool journal_prune(struct ctx *ctx, const struct journal *journal,
    const struct journal_position *before, time_t since, int64_t *pruned);

#endif
