/* save_retry.h - repeats the saving of what cannot be requested again, such as tokens that amoCRM
 * has just issued.
 *
 * An error may pass: another process used all descriptors, a disk or a network folder failed once,
 * a helper was killed.
 */
#ifndef SAVE_RETRY_H
#define SAVE_RETRY_H

#include "base/ctx.h"

#define SAVE_ATTEMPTS  5    /* with pauses of 5, 20, 80 and 320 ms between them */
#define SAVE_TRYING_MS 3000 /* no attempt begins later: a visitor waits */

/* In a database, for all attempts, unless ctx->database.end_ms is set: a failover takes 30 s. */
#define SAVE_DATABASE_MS 60000

/* Runs step until it returns true, at most SAVE_ATTEMPTS times; the last fault stays.  A step must
 * complete what an earlier attempt has done in part.  The arena is rewound before each further
 * attempt, so step keeps nothing in it if it returns false. */
typedef bool save_step(struct ctx *ctx, void *arg);
bool save_retry(struct ctx *ctx, save_step *step, void *arg);

#endif
