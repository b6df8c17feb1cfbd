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

struct encoded_value {
	const void *bytes;
	size_t len;
};

/* expires 0: never. */
bool value_encode(struct ctx *ctx, const char *key, size_t key_len, const char *value,
    time_t expires, struct encoded_value *encoded);

/* False without a fault: it is corrupt.  *value is NULL when its time is over. */
bool value_decode(struct ctx *ctx, const char *key, size_t key_len,
    const struct encoded_value *encoded, const char **value);

/* Whether its time is over; a corrupt one is not. */
bool value_expired(const struct encoded_value *encoded, time_t now);

#endif
