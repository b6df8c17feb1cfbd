/* event_log.h - the log of events, in the order of their arrival.
 *
 * [store] engine decides where it is: in the files of a journal (journal.h), or in a PostgreSQL
 * database that several hosts share (event_log_postgresql.h).
 */
#ifndef EVENT_LOG_H
#define EVENT_LOG_H

#include "base/ctx.h"
#include "config/config.h"
#include "events/event.h"
#include "events/journal.h"

#include <stdint.h>
#include <time.h>

struct event_log {
	const struct store_config *store;
	bool to_deliver;  /* [deliver] url is set: events are kept until they are delivered */
	time_t keep_s;    /* event_log_append may remove older events; 0: it removes none */
	int64_t size_max; /* bytes of all files together; 0: no limit */
};

/* The log of a store, without limits. */
struct event_log event_log_of(const struct config *cfg);

/* Appends an event, whose line is that of event_write.  When it returns true, the event is durable.
 * In a database, an event that is appended within a section (store.h) is a part of it.
 * Fault: as journal_append; FAULT_UNAVAILABLE also when the database is not available.  Even then
 * the event may have been appended, unless a section has failed. */
bool event_log_append(
    struct ctx *ctx, const struct event_log *log, const struct event *event, const char *line);

/* A position between two events; all zero: before the first. */
struct event_position {
	struct journal_position file; /* of ENGINE_FILES */

	/* Of ENGINE_POSTGRESQL: */
	int64_t seq;      /* of the event before it */
	bool following;   /* see event_log_each */
	int64_t gap_seen; /* by clock_ms: when a gap was seen after seq; 0: none was */
};

/* Gives a position before all events that were appended at the time since or later.  Events before
 * that time may follow it too.  Fault: FAULT_STORAGE; FAULT_UNAVAILABLE. */
bool event_log_seek(
    struct ctx *ctx, const struct event_log *log, time_t since, struct event_position *position);

/* Visits the events after the position, and moves the position with them.  line is valid during the
 * visit.  If visit returns false, iteration stops, event_log_each returns false, and the position
 * stays before that event.  What a visit allocates in the arena is released after it.  *torn grows
 * by the number of torn lines that were skipped.
 *
 * Writers of a database may commit in another order than that of their numbers.  With
 * position->following, which the caller sets after event_log_seek, the events after a missing
 * number are visited only once it has been missing for EVENT_GAP_S: by then it belongs to an append
 * that has failed.
 * Fault: FAULT_STORAGE; FAULT_UNAVAILABLE. */
#define EVENT_GAP_S 10 /* a database ends transactions that rest for longer */
typedef bool event_visit(struct ctx *ctx, void *arg, const char *line);
bool event_log_each(struct ctx *ctx, const struct event_log *log, struct event_position *position,
    event_visit *visit, void *arg, int64_t *torn);

/* Moves a position back that the log does not have, as journal_fit does.  *fits: it did not move.
 * Fault: FAULT_STORAGE. */
bool event_log_fit(struct ctx *ctx, const struct event_log *log, struct event_position *position,
    time_t saved_at, bool *fits);

#endif
