/* cursor.h - up to which position the events of the journal have been delivered.
 *
 * One position is common to all accounts.  An account whose event could not be delivered is
 * blocked: it has an earlier position of its own, that of the failed event, and its later events
 * wait there.
 *
 * Stored with a checksum in <store path>/events/cursor, which is replaced atomically, with the file
 * before it kept as events/cursor.old.  If the file is corrupt, the one before it holds an earlier
 * position, so that events are delivered twice rather than not at all; if both are, all events of
 * the journal are delivered again.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include "base/ctx.h"
#include "events/journal.h"

#include <stdint.h>
#include <time.h>

struct blocked_account {
	int64_t account_id; /* 0: events without an account */
	struct journal_position position;
	int attempts;   /* that failed, for the event at the position */
	int rejections; /* of them: the receiver does not want the event, see delivery.h */
	time_t next_at;
};

enum cursor_damage {
	CURSOR_WHOLE,
	CURSOR_FROM_PREVIOUS,  /* the file is corrupt; this is the one before it */
	CURSOR_FROM_BEGINNING, /* both are corrupt; this is before all events */
	CURSOR_FROM_SEGMENT,   /* a position is not in the journal, see cursor_fit */
};

struct cursor {
	struct journal_position position;
	struct blocked_account *blocked; /* allocated by malloc */
	size_t count;
	time_t saved_at;           /* when the position was last saved; 0: not known */
	enum cursor_damage damage; /* of the file that was read, or of a position in it */
};

/* Without a file the position is before all events.  cursor_close frees the list, and must be
 * called after a fault too.  Fault: FAULT_STORAGE: the file cannot be opened; FAULT_SERVER: no
 * memory. */
bool cursor_read(struct ctx *ctx, const struct store_config *store, struct cursor *cursor);
void cursor_close(struct cursor *cursor);

/* Synced to disk when it returns, and saved_at is now.  A cursor that was read from a corrupt file
 * replaces that file.
 * Fault: FAULT_STORAGE; the position that cursor_read finds is unchanged then. */
bool cursor_write(struct ctx *ctx, const struct store_config *store, struct cursor *cursor);

/* Moves the cursor's position as journal_fit does.  Blocked accounts whose position is after it
 * then are moved to it, and their attempts are counted anew.
 * Fault: FAULT_STORAGE. */
bool cursor_fit(struct ctx *ctx, const struct journal *journal, struct cursor *cursor);

/* The same for the position of one blocked account, which moves to the beginning of its own
 * segment.  *fits: it did not move. */
bool cursor_fit_account(
    struct ctx *ctx, const struct journal *journal, struct blocked_account *account, bool *fits);

/* NULL: the account is not blocked. */
struct blocked_account *cursor_find_blocked(struct cursor *cursor, int64_t account_id);

/* Adds an entry.  The list may move: earlier pointers into it are invalid.
 * Fault: FAULT_SERVER: no memory. */
bool cursor_block(struct ctx *ctx, struct cursor *cursor, const struct blocked_account *blocked);

/* Removes an entry.  The last entry moves into its place. */
void cursor_unblock(struct cursor *cursor, struct blocked_account *blocked);

/* True: a is before b. */
bool cursor_before(const struct journal_position *a, const struct journal_position *b);

/* The earliest of all positions: everything before it is delivered or dead. */
struct journal_position cursor_oldest(const struct cursor *cursor);

#endif
