/* value.h - a value as it stands in a shard: with the time it is over, and checked.
 *
 *   8 bytes of SHA-256 over key, NUL and what follows · 8 bytes expiry, big-endian · the value
 *
 * GDBM itself does not notice a changed byte.
 */
#ifndef VALUE_H
#define VALUE_H

#include "base/ctx.h"

#include <stdint.h>
#include <time.h>

struct stored {
	const void *bytes;
	size_t len;
};

/* expires 0: never. */
bool stored_make(struct ctx *ctx, const char *key, size_t key_len, const char *value,
    time_t expires, struct stored *stored);

/* False without a fault: it is corrupt.  *value is NULL when its time is over. */
bool stored_read(struct ctx *ctx, const char *key, size_t key_len, const struct stored *stored,
    const char **value);

/* Whether its time is over; a corrupt one is not. */
bool stored_is_over(const struct stored *stored, time_t now);

#endif
