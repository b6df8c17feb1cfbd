/* delivery_queue_state.h - what delivery_queue.c and delivery_queue_repair.c share.
 */
#ifndef DELIVERY_QUEUE_STATE_H
#define DELIVERY_QUEUE_STATE_H

#include "events/cursor.h"
#include "events/dedup.h"
#include "events/delivery_queue.h"
#include "events/journal.h"

struct delivery_queue {
	const struct config *cfg;
	delivery_on_failure *on_failure;
	void *arg;
	struct journal journal;
	struct cursor cursor;
	struct dedup dedup;
	struct delivery_totals totals;
	enum cursor_damage damage;
	bool backlog; /* an account that is due has further events */
};

/* Saves the cursor.  Fault: as cursor_write. */
bool queue_save(struct ctx *ctx, struct delivery_queue *queue);

/* Adds the events to the deduplication window that were delivered by an earlier process.
 * Fault: FAULT_STORAGE. */
bool queue_load_window(struct ctx *ctx, struct delivery_queue *queue);

/* Makes the common position fit the journal.  *repaired: it did not, or the cursor's file is
 * corrupt; the cursor is saved again, and the window has to be loaded.  Fault: FAULT_STORAGE. */
bool queue_repair(struct ctx *ctx, struct delivery_queue *queue, bool *repaired);

/* Makes the position of a blocked account fit the journal, saves it, and loads the window again.
 * Fault: FAULT_STORAGE. */
bool queue_fit_account(
    struct ctx *ctx, struct delivery_queue *queue, struct blocked_account *account);

#endif
