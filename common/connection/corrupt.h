/* corrupt.h - records met in an iteration that cannot be read, because they are corrupt or the file
 * they are in is: they are skipped, counted, and reported as one fault at its end.
 */
#ifndef CORRUPT_H
#define CORRUPT_H

#include "base/ctx.h"

#define CORRUPT_KEYS_MAX   160 /* bytes; the first keys, separated by ", " */
#define CORRUPT_REASON_MAX 170 /* bytes */

struct corrupt_records {
	size_t count;
	char keys[CORRUPT_KEYS_MAX];
	char reason[CORRUPT_REASON_MAX]; /* of the first whose file cannot be used; "": none */
};

/* To be called after a step for the record of that key has failed.  True: the record is corrupt, or
 * its file cannot be used (FAULT_STORAGE), which is noted, and the fault is cleared.  Any other
 * fault stays. */
bool corrupt_skip(struct ctx *ctx, struct corrupt_records *corrupt, const char *key);

/* To be called after store_each has failed.  True: it has skipped shards that it could not read,
 * which is noted, and the fault is cleared. */
bool corrupt_skip_shards(struct ctx *ctx, struct corrupt_records *corrupt);

/* Notes a corrupt record. */
void corrupt_note(struct corrupt_records *corrupt, const char *key);

/* True if no record was skipped.  Fault: FAULT_CORRUPT, with their keys. */
bool corrupt_none(struct ctx *ctx, const struct corrupt_records *corrupt);

#endif
