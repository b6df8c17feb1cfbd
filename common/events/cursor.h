/* cursor.h - how far the events have been delivered.
 *
 * Events of one account are delivered in order, and one that its receiver does not take holds up
 * those behind it, of its account alone.  So there is one place that all have passed but the
 * accounts that are held up, each of which has a place of its own before that.
 *
 * Kept as JSON in <store path>/events/cursor, replaced as a whole.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include "base/ctx.h"
#include "events/journal.h"

#include <stdint.h>
#include <time.h>

struct blocked_account {
	int64_t account_id; /* 0: events that name no account */
	struct journal_position position;
	int attempts; /* made in vain for the event at that place */
	time_t next_at;
};

struct cursor {
	struct journal_position position;
	struct blocked_account *blocked; /* by malloc, see cursor_close */
	size_t count;
};

/* Without a file it is before all events.  To be given back with cursor_close, also after a fault.
 * Fault: FAULT_STORAGE. */
bool cursor_read(struct ctx *ctx, const struct store_config *store, struct cursor *cursor);
void cursor_close(struct cursor *cursor);

/* On disk when it returns.  Fault: FAULT_STORAGE; what is on disk is as it was. */
bool cursor_write(struct ctx *ctx, const struct store_config *store, const struct cursor *cursor);

/* The account's own place, or NULL when it is not held up. */
struct blocked_account *cursor_find_blocked(struct cursor *cursor, int64_t account_id);

/* Holds an account up at a place.  All entries may move then: earlier pointers to them are stale.
 * Fault: FAULT_SERVER when there is no memory. */
bool cursor_block(struct ctx *ctx, struct cursor *cursor, const struct blocked_account *blocked);

/* The account is held up no longer.  The last entry moves into the place of this one. */
void cursor_unblock(struct cursor *cursor, struct blocked_account *blocked);

/* Whether a stands before b. */
bool cursor_before(const struct journal_position *a, const struct journal_position *b);

/* The position that all accounts have passed. */
struct journal_position cursor_oldest(const struct cursor *cursor);

#endif
