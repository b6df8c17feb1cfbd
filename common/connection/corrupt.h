/* corrupt.h - records that cannot be read, told of together at the end of a round: one of them
 * keeps no other from its turn.
 */
#ifndef CORRUPT_H
#define CORRUPT_H

#include "base/ctx.h"

#define CORRUPT_KEYS_MAX 160 /* bytes; of the first ones' names */

struct corrupt_records {
	size_t count;
	char keys[CORRUPT_KEYS_MAX];
};

/* After a step for the record of that name failed: true when the record is corrupt, which is noted
 * and no fault any more; any other fault stays. */
bool corrupt_skip(struct ctx *ctx, struct corrupt_records *corrupt, const char *key);

/* Notes one that was found to be corrupt. */
void corrupt_note(struct corrupt_records *corrupt, const char *key);

/* True when there was none.  Fault: FAULT_CORRUPT, with their names. */
bool corrupt_none(struct ctx *ctx, const struct corrupt_records *corrupt);

#endif
