/* fuzz_base64url.c - a value has one spelling, and every value has one. */
#include "fuzz.h"

#include "base/encode.h"

static const char *
encoded(struct work *w, const uint8_t *bytes, size_t len)
{
	const char *text;
	struct text t;

	text_begin(w, &t);
	base64url_encode(&t, bytes, len);
	MUST(text_end(&t, &text));
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size == 0 ? 1 : size);
	const uint8_t *bytes;
	const char *text;
	struct work w;
	size_t len;

	MUST(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	MUST(work_open(&w, 16 << 20));
	if (base64url_decode(&w, copy, size, &bytes, &len)) {
		text = encoded(&w, bytes, len);
		MUST(strlen(text) == size && memcmp(text, copy, size) == 0);
		MUST(bytes[len] == '\0');
	}
	MUST(w.kind == FAULT_NONE);

	text = encoded(&w, (const uint8_t *)copy, size);
	MUST(base64url_decode(&w, text, strlen(text), &bytes, &len));
	MUST(len == size && memcmp(bytes, copy, size) == 0);
	work_close(&w);
	free(copy);
	return 0;
}
