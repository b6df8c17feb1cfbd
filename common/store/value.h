/* value.h - how a value is stored in a shard: with a checksum and its expiry.
 *
 *   8 bytes of SHA-256 over key, NUL and what follows · 8 bytes expiry, big-endian · the value
 *
 * GDBM itself does not detect a changed byte.
 */
#ifndef VALUE_H
#define VALUE_H

#include "base/ctx.h"

#include <stdint.h>
#include <time.h>

#define VALUE_CHECK_SIZE  8 /* bytes; detects corruption; seal.h protects against forgery */
#define VALUE_EXPIRY_SIZE 8

struct encoded_value {
	const void *bytes;
	size_t len;
};

/* Encodes a value.  expires is in seconds since the epoch; 0: never. */
bool value_encode(struct ctx *ctx, const char *key, size_t key_len, const char *value,
    time_t expires, struct encoded_value *encoded);

/* Decodes a value; *value is NULL if it has expired.  False without a fault: it is corrupt. */
bool value_decode(struct ctx *ctx, const char *key, size_t key_len,
    const struct encoded_value *encoded, const char **value);

/* Whether a value has expired.  Does not verify the checksum; a value that is too short has not. */
bool value_expired(const struct encoded_value *encoded, time_t now);

#endif
