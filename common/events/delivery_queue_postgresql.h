/* delivery_queue_postgresql.h - the queue of ENGINE_POSTGRESQL: the events that wait, and dead
 * letters, are in tables of the database.  Each function does what delivery_queue.h says of the
 * function of its name.
 *
 * Any number of processes, on any hosts, deliver at a time.  Each claims an account before it
 * delivers some of its events in order (queue_message.h).  What a process that was killed had
 * claimed rests until the claim is over.
 */
#ifndef DELIVERY_QUEUE_POSTGRESQL_H
#define DELIVERY_QUEUE_POSTGRESQL_H

#include "events/delivery_queue_state.h"

bool delivery_queue_postgresql_open(struct ctx *ctx, struct delivery_queue *queue);
bool delivery_queue_postgresql_run(struct ctx *ctx, struct delivery_queue *queue);
bool delivery_queue_postgresql_status(
    struct ctx *ctx, const struct config *cfg, time_t since, struct delivery_status *status);

/* Removes delivered events that are older than [webhook] keep_days: once a minute, unless more are
 * left.  It can wait for a database that fails over. */
bool delivery_queue_postgresql_prune(struct ctx *ctx, struct delivery_queue *queue);

#endif
