/* delivery_queue.h - delivers the stored events to [deliver] url: each at least once, and those of
 * one account in order.
 *
 * [store] engine decides where the queue is: in files (delivery_queue_files.h), or in a PostgreSQL
 * database that several hosts share (delivery_queue_postgresql.h).
 *
 * A delivery that fails blocks its account: the event is retried with backoff (retry.h), and later
 * events of that account wait for it (head-of-line blocking per account).  Other accounts go on,
 * also while the events that have waited are delivered.
 * After the last retry the event becomes a dead letter and the account's next event is delivered;
 * one that the receiver rejects (delivery.h) is attempted three times within a minute.
 * An event with the id of an earlier one, which is delivered or given up and was received less than
 * 24 hours before it, or after it if the clock was set back, is a repetition by amoCRM and is
 * skipped (deduplication window, dedup.h).
 *
 * Each delivery is stored: with files as the new position (cursor.h).  A crash between the
 * receiver's reply and that delivers one event twice; no event is lost.  A queue of files that is
 * opened, or that finds another journal, reads the events of the 24 hours before the oldest that is
 * not delivered, to recognise their repetitions.
 */
#ifndef DELIVERY_QUEUE_H
#define DELIVERY_QUEUE_H

#include "base/ctx.h"
#include "config/config.h"
#include "events/cursor.h"
#include "events/event.h"

#include <stdint.h>
#include <time.h>

/* An attempt that failed. */
struct delivery_failure {
	const struct stored_event *event;
	int attempt;        /* from 1 */
	const char *reason; /* never holds a secret */
	long retry_s;       /* until the next attempt; 0: none, the event becomes a dead letter */
};

typedef void delivery_on_failure(void *arg, const struct delivery_failure *failure);

/* Since delivery_queue_open. */
struct delivery_totals {
	size_t delivered;
	size_t dead;    /* events that became dead letters */
	size_t blocked; /* accounts that are blocked now */
	int64_t torn;   /* torn and unreadable lines that were skipped */
	bool gone;      /* the receiver answered 410: it wants no more events */
};

struct delivery_queue;

/* With files: reads the saved position, and the events before it that later ones may repeat.  cfg
 * must have passed delivery_check; cfg, on_failure and arg must outlive the queue, which lives in
 * the arena.
 * Fault: FAULT_STORAGE, FAULT_SERVER; with files FAULT_UNAVAILABLE: another process has opened the
 * queue.  The queue must not be closed then. */
bool delivery_queue_open(struct ctx *ctx, const struct config *cfg, delivery_on_failure *on_failure,
    void *arg, struct delivery_queue **queue);
void delivery_queue_close(struct delivery_queue *queue);

/* The damage that the position had when the queue was opened or run, which have repaired it.  It is
 * given once. */
enum cursor_damage delivery_queue_take_damage(struct delivery_queue *queue);

/* One round: retries the blocked accounts whose time has come, delivers all new events, and removes
 * delivered events older than [webhook] keep_days.  Does not wait for retries or new events, and
 * releases the arena that it used.  *totals is written in any case.
 * Fault: those of our own side (FAULT_STORAGE, FAULT_CONFIG, FAULT_SERVER), and FAULT_UNAVAILABLE
 * with totals->gone, or when the database is not available.  The event at which it stopped is not
 * counted as attempted. */
bool delivery_queue_run(
    struct ctx *ctx, struct delivery_queue *queue, struct delivery_totals *totals);

/* The state of the queue, for monitoring. */
struct delivery_status {
	size_t events; /* received since `since`, and all that wait */
	int64_t torn;  /* torn lines among them */
	time_t newest; /* when the newest event was received; 0: there is none */

	/* Events after the saved position, or of accounts that are not blocked; 0 if [deliver] url
	 * is not set. */
	size_t waiting;
	time_t waiting_since; /* when the first of them was received */

	enum cursor_damage damage; /* of the saved position */

	size_t dead;    /* dead letters */
	size_t blocked; /* accounts; one of them is described: */
	int64_t account_id;
	int attempts; /* that failed */
	time_t next_at;
};

/* Needs no lock.  *status holds what was found before a fault.
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE. */
bool delivery_queue_status(
    struct ctx *ctx, const struct config *cfg, time_t since, struct delivery_status *status);

/* Visits the events that were received from since to until, both included, in the log's order
 * and without repetitions among them: to be delivered again.  The queue's position plays no part.
 * A visit that is false ends it and makes this false.
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE. */
typedef bool delivery_visit(struct ctx *ctx, void *arg, const struct stored_event *event);
bool delivery_queue_replay(struct ctx *ctx, const struct store_config *store, time_t since,
    time_t until, delivery_visit *visit, void *arg);

#endif
