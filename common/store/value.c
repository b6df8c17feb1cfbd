/* value.c - see value.h. */
#include "store/value.h"

#include "base/sha2.h"

#include <string.h>

static void
put_time(uint8_t *to, time_t expires)
{
	for (int i = 0; i < VALUE_EXPIRY_SIZE; i++)
		to[i] = (uint8_t)((uint64_t)expires >> (8 * (VALUE_EXPIRY_SIZE - 1 - i)));
}

static time_t
get_time(const uint8_t *from)
{
	uint64_t expires = 0;

	for (int i = 0; i < VALUE_EXPIRY_SIZE; i++)
		expires = expires << 8 | from[i];
	return (time_t)expires;
}

static bool
is_past(time_t expires, time_t now)
{
	return expires != 0 && expires <= now;
}

bool
value_encode(struct ctx *ctx, const char *key, size_t key_len, const char *value, time_t expires,
    struct encoded_value *encoded)
{
	size_t value_len = strlen(value);
	size_t len = key_len + 1 + VALUE_EXPIRY_SIZE + value_len;
	uint8_t digest[SHA256_SIZE];
	uint8_t *bytes;
	uint8_t *checked;

	/* The checksum overwrites the end of the key, or the free bytes before a short key. */
	if (!ctx_alloc(ctx, VALUE_CHECK_SIZE + len, &bytes))
		return false;
	checked = bytes + VALUE_CHECK_SIZE;
	memcpy(checked, key, key_len);
	put_time(checked + key_len + 1, expires);
	memcpy(checked + key_len + 1 + VALUE_EXPIRY_SIZE, value, value_len);
	sha256(checked, len, digest);
	memcpy(checked + key_len + 1 - VALUE_CHECK_SIZE, digest, VALUE_CHECK_SIZE);
	encoded->bytes = checked + key_len + 1 - VALUE_CHECK_SIZE;
	encoded->len = VALUE_CHECK_SIZE + VALUE_EXPIRY_SIZE + value_len;
	return true;
}

bool
value_decode(struct ctx *ctx, const char *key, size_t key_len, const struct encoded_value *encoded,
    const char **value)
{
	uint8_t digest[SHA256_SIZE];
	size_t rest = encoded->len - VALUE_CHECK_SIZE;
	uint8_t *checked;

	*value = NULL;
	if (encoded->len < VALUE_CHECK_SIZE + VALUE_EXPIRY_SIZE
	    || !ctx_alloc(ctx, key_len + 1 + rest + 1, &checked))
		return false;
	memcpy(checked, key, key_len);
	memcpy(checked + key_len + 1, (const uint8_t *)encoded->bytes + VALUE_CHECK_SIZE, rest);
	sha256(checked, key_len + 1 + rest, digest);
	if (memcmp(digest, encoded->bytes, VALUE_CHECK_SIZE) != 0)
		return false;
	if (!is_past(get_time(checked + key_len + 1), time(NULL)))
		*value = (const char *)checked + key_len + 1 + VALUE_EXPIRY_SIZE;
	return true;
}

bool
value_expired(const struct encoded_value *encoded, time_t now)
{
	return encoded->len >= VALUE_CHECK_SIZE + VALUE_EXPIRY_SIZE
	    && is_past(get_time((const uint8_t *)encoded->bytes + VALUE_CHECK_SIZE), now);
}
