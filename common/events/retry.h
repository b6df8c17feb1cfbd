/* retry.h - what becomes of an event that its receiver did not take.
 *
 * The schedule is that of the Standard Webhooks specification, "Retry schedule".
 */
#ifndef RETRY_H
#define RETRY_H

#include "base/ctx.h"
#include "config/config.h"

#define RETRIES          9                 /* attempts behind the first one */
#define RETRY_WAIT_MAX_S (86400 * 11 / 10) /* the longest of the schedule, and its jitter */

/* How long to wait behind that attempt, the first being 1, and at most RETRIES.
 * asked_s is what the receiver's Retry-After asked for, obeyed for up to a day; 0: nothing. */
long retry_wait_s(int attempt, long asked_s);

/* Keeps the line of an event that is given up, for `replay --id` and for a person to look at.
 * Fault: FAULT_STORAGE. */
bool dead_letter_append(struct ctx *ctx, const struct store_config *store, const char *line);

/* How many events are dead letters.  Fault: FAULT_STORAGE. */
bool dead_letter_count(struct ctx *ctx, const struct store_config *store, size_t *count);

#endif
