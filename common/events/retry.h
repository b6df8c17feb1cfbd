/* retry.h - when a delivery that failed is retried, and the dead letters: events that no retry
 * delivered, as lines of <store path>/events/dead.ndjson.
 *
 * The backoff is that of the Standard Webhooks specification, "Retry schedule".
 */
#ifndef RETRY_H
#define RETRY_H

#include "base/ctx.h"
#include "config/config.h"

#define RETRIES          9                 /* attempts after the first */
#define RETRY_WAIT_MAX_S (86400 * 11 / 10) /* the longest wait of the schedule, with its jitter */

/* Seconds to wait after a failed attempt, 1 being the first and RETRIES the last that is retried:
 * those of the schedule, with jitter.  retry_after_s is the receiver's Retry-After, or 0; it makes
 * the wait longer, up to a day, never shorter: the attempts would be used up in seconds. */
long retry_wait_s(int attempt, long retry_after_s);

/* A receiver that does not want the event is asked REJECTIONS times in all, within a minute, in
 * case it was only being deployed.  Seconds to wait after a rejection, 1 being the first. */
#define REJECTIONS 3
long retry_rejected_wait_s(int rejection);

/* Synced to disk when it returns.  Fault: FAULT_STORAGE. */
bool dead_letter_append(struct ctx *ctx, const struct store_config *store, const char *line);

/* How many there are.  Fault: FAULT_STORAGE. */
bool dead_letter_count(struct ctx *ctx, const struct store_config *store, size_t *count);

#endif
