/* journal.h - the events, in the order of their arrival.
 *
 * An event is one JSON object on one line (json_compact.h).  One that was answered true is on disk.
 * Of one whose writer was killed a part may be left, which readers skip and count; nobody else's
 * event is touched by that.  Writers wait for each other only while one adds its line and share the
 * disk's commits; readers wait for nobody.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>
#include <time.h>

#define JOURNAL_EVENT_MAX   (32 << 20) /* bytes; half a reader's arena, for what it makes of one */
#define JOURNAL_SEGMENT_MAX (64 << 20) /* bytes; of events that are forgotten together */

struct journal {
	const char *path;    /* the store's */
	int64_t segment_max; /* bytes */
	time_t keep_s;       /* events older than that are forgotten; 0: not by who appends */
};

/* The journal of a store. */
struct journal journal_of(const struct store_config *store);

/* Adds an event.
 * Fault: FAULT_STORAGE: no space or no permission; FAULT_UNAVAILABLE: no turn within seconds;
 * FAULT_TOO_LARGE: over JOURNAL_EVENT_MAX.  The event may be there even then, when the disk failed
 * behind it. */
bool journal_append(struct ctx *ctx, const struct journal *journal, const char *event);

/* A place between two events; all zero: before all there are.  May be kept for later,
 * and stays good when events before it are forgotten. */
struct journal_position {
	int64_t segment;
	int64_t offset;
};

/* A position before everything that was added at that time or later, and not far before it. */
bool journal_seek(struct ctx *ctx, const struct journal *journal, time_t since,
    struct journal_position *position);

/* Visits the events behind the position up to the last one that is complete, and moves the position
 * with them.  A visit that is false ends it and makes this false too;
 * the position is then before that event.  behind is the position after the event.  The arena is
 * taken back after each visit.  *torn grows by one for every part of an event that is passed.
 * Fault: FAULT_STORAGE. */
typedef bool journal_visit(
    struct ctx *ctx, void *arg, const char *event, const struct journal_position *next);
bool journal_each(struct ctx *ctx, const struct journal *journal, struct journal_position *position,
    journal_visit *visit, void *arg, int64_t *torn);

/* Forgets events that are of no more use, in whole segments: all before that position,
 * of segments to which nothing was added since that time.  *forgotten grows by the segments.
 * Fault: FAULT_STORAGE. */
bool journal_prune(struct ctx *ctx, const struct journal *journal,
    const struct journal_position *before, time_t since, int64_t *pruned);

#endif
