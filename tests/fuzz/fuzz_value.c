/* fuzz_value.c - values of the store: what is not exactly what was encoded is corrupt.
 *
 * Input: the key on a line, then the stored bytes; the same bytes are also taken as a value.
 */
#include "fuzz.h"

#include "store/value.h"

/* A changed bit, a cut end and another key are noticed. */
static void
check_changes(struct ctx *ctx, const char *key, const struct encoded_value *encoded, size_t at)
{
	uint8_t *bytes = malloc(encoded->len);
	struct encoded_value changed = { bytes, encoded->len };
	const char *value;

	MUST(bytes != NULL);
	memcpy(bytes, encoded->bytes, encoded->len);
	bytes[at % encoded->len] ^= (uint8_t)(1 << at % 8);
	MUST(!value_decode(ctx, key, strlen(key), &changed, &value));
	bytes[at % encoded->len] ^= (uint8_t)(1 << at % 8);
	changed.len = at % encoded->len;
	MUST(!value_decode(ctx, key, strlen(key), &changed, &value));
	changed.len = encoded->len;
	MUST(strlen(key) == 0 || !value_decode(ctx, key, strlen(key) - 1, &changed, &value));
	free(bytes);
}

static void
check_encoding(struct ctx *ctx, const char *key, const char *text, size_t at)
{
	struct encoded_value encoded;
	const char *value;

	MUST(value_encode(ctx, key, strlen(key), text, 0, &encoded));
	MUST(value_decode(ctx, key, strlen(key), &encoded, &value) && value != NULL);
	MUST(strcmp(value, text) == 0);
	MUST(!value_expired(&encoded, 4102444800));
	check_changes(ctx, key, &encoded, at);
	MUST(value_encode(ctx, key, strlen(key), text, 1, &encoded));
	MUST(value_decode(ctx, key, strlen(key), &encoded, &value) && value == NULL);
	MUST(value_expired(&encoded, 2));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts parts = { data, size };
	char *key = fuzz_line(&parts);
	char *text = fuzz_text(parts.at, parts.left);
	uint8_t *bytes = malloc(parts.left + 1); /* exact, but for one byte */
	struct encoded_value encoded = { bytes, parts.left };
	const char *value = NULL;
	struct ctx ctx;

	MUST(bytes != NULL);
	if (parts.left > 0)
		memcpy(bytes, parts.at, parts.left);
	MUST(ctx_open(&ctx, 4 << 20));
	if (value_decode(&ctx, key, strlen(key), &encoded, &value))
		MUST(value == NULL || strlen(value) < parts.left);
	(void)value_expired(&encoded, 1);
	check_encoding(&ctx, key, text, size);
	MUST(ctx.kind == FAULT_NONE);
	ctx_close(&ctx);
	free(bytes);
	free(text);
	free(key);
	return 0;
}
