/* fuzz_base64url.c - every value has exactly one encoding. */
#include "fuzz.h"

#include "base/encode.h"
#include "base/strbuf.h"

static const char *
encoded(struct ctx *ctx, const uint8_t *bytes, size_t len)
{
	const char *text;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	base64url_encode(&sb, bytes, len);
	MUST(strbuf_finish(&sb, &text));
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size == 0 ? 1 : size);
	const uint8_t *bytes;
	const char *text;
	struct ctx ctx;
	size_t len;

	MUST(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	MUST(ctx_open(&ctx, 16 << 20));
	if (base64url_decode(&ctx, copy, size, &bytes, &len)) {
		text = encoded(&ctx, bytes, len);
		MUST(strlen(text) == size && memcmp(text, copy, size) == 0);
		MUST(bytes[len] == '\0');
	}
	MUST(ctx.kind == FAULT_NONE);

	text = encoded(&ctx, (const uint8_t *)copy, size);
	MUST(base64url_decode(&ctx, text, strlen(text), &bytes, &len));
	MUST(len == size && memcmp(bytes, copy, size) == 0);
	ctx_close(&ctx);
	free(copy);
	return 0;
}
