/* fuzz_json.c - parsing JSON, and writing strings that are valid JSON. */
#include "fuzz.h"

#include "base/strbuf.h"
#include "base/utf8.h"
#include "text/json.h"

static bool
is_utf8(const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		size_t len = utf8_sequence_len(s, left);

		if (len == 0)
			return false;
		s += len;
		left -= len;
	}
	return true;
}

/* Any text that is written as a string can be read back; valid UTF-8 is unchanged. */
static void
write_and_read(struct ctx *ctx, const char *s)
{
	struct json_object *doc;
	const char *written;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"s\":");
	json_add_string(&sb, s);
	strbuf_addstr(&sb, "}");
	MUST(strbuf_finish(&sb, &written));
	doc = json_parse_strict(written, strlen(written));
	MUST(json_get_string(doc, "s") != NULL);
	MUST(!is_utf8(s) || strcmp(json_get_string(doc, "s"), s) == 0);
	json_object_put(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	uint8_t *bytes = malloc(size == 0 ? 1 : size);
	struct json_object *doc;
	struct json_object *strict;
	struct ctx ctx;
	int64_t number;

	MUST(bytes != NULL);
	if (size > 0)
		memcpy(bytes, data, size);
	MUST(ctx_open(&ctx, 16 << 20));
	doc = json_parse((const char *)bytes, size);
	strict = json_parse_strict((const char *)bytes, size);
	MUST(doc == NULL || memchr(bytes, '\0', size) == NULL);
	MUST(strict == NULL || doc != NULL);
	if (json_get_string(doc, "a") != NULL)
		write_and_read(&ctx, json_get_string(doc, "a"));
	if (json_get_integer(doc, "n", &number))
		MUST(number != INT64_MIN);
	json_object_put(doc);
	json_object_put(strict);
	write_and_read(&ctx, text);
	ctx_close(&ctx);
	free(bytes);
	free(text);
	return 0;
}
