/* delivery_queue_state.h - what the queues of both engines share: their totals, and what follows
 * from an attempt.
 */
#ifndef DELIVERY_QUEUE_STATE_H
#define DELIVERY_QUEUE_STATE_H

#include "events/cursor.h"
#include "events/dedup.h"
#include "events/delivery_queue.h"
#include "events/journal.h"

#define BACKLOG_MAX 100 /* events of one account in a row; then those of others have their turn */

struct delivery_queue {
	const struct config *cfg;
	delivery_on_failure *on_failure;
	void *arg;
	struct delivery_totals totals;
	bool backlog; /* an account that is due has further events */

	/* Of ENGINE_FILES: */
	struct lock lock;
	struct journal journal;
	struct cursor cursor;
	struct dedup dedup;
	enum cursor_damage damage;

	/* Of ENGINE_POSTGRESQL: */
	const char *holder; /* of the accounts that this process claims */
	int64_t after;      /* the account that it has claimed last */
	int64_t prune_ms;   /* by clock_ms: when old events are removed next */
};

/* The attempts that failed for the next event of an account. */
struct attempts {
	int count;
	int rejections;     /* of them; see delivery.h */
	const char *reason; /* of the last, after queue_attempt; in the arena */
};

enum attempt_result {
	ATTEMPT_DELIVERED,
	ATTEMPT_PUT_OFF,  /* *attempts has grown; the next is in *wait_s */
	ATTEMPT_GIVEN_UP, /* the event is a dead letter, which the caller stores and counts */
	ATTEMPT_STOPPED   /* the queue stops: ctx holds the fault, and the attempt does not count */
};

/* Sends an event.  Reports a failure, and takes its fault. */
enum attempt_result queue_attempt(struct ctx *ctx, struct delivery_queue *queue,
    const struct stored_event *event, struct attempts *attempts, long *wait_s);

/* The same for one that could not be begun: ctx holds the fault. */
enum attempt_result queue_attempt_failed(struct ctx *ctx, const struct delivery_queue *queue,
    const struct stored_event *event, struct attempts *attempts, long *wait_s);

#endif
