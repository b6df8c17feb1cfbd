/* corrupt.h - records that cannot be read, told of together at the end of a round: one of them
 * keeps no other from its turn.
 */
#ifndef CORRUPT_H
#define CORRUPT_H

#include "base/ctx.h"

#define DAMAGE_KEYS_MAX 160 /* bytes; of the first ones' names */

struct damage {
	size_t count;
	char keys[DAMAGE_KEYS_MAX];
};

/* After a step for the record of that name failed: true when the record is damaged, which is noted
 * and no fault any more; any other fault stays. */
bool damage_passed(struct ctx *ctx, struct damage *damage, const char *key);

/* Notes one that was found to be damaged. */
void damage_note(struct damage *damage, const char *key);

/* True when there was none.  Fault: FAULT_DAMAGED, with their names. */
bool damage_none(struct ctx *ctx, const struct damage *damage);

#endif
