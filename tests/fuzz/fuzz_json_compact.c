/* fuzz_json_compact.c - webhooks as JSON are compacted to one line.  An object that json-c parses
 * strictly is refused only if it is nested too deep, or because of a number that is not JSON. */
#include "fuzz.h"

#include "text/json.h"
#include "text/json_compact.h"

/* Whether the text may be nested deeper than JSON_COMPACT_DEPTH_MAX. */
static bool
may_be_deep(const char *text, size_t len)
{
	int opened = 0;

	for (size_t i = 0; i < len; i++)
		opened += text[i] == '{' || text[i] == '[';
	return opened > JSON_COMPACT_DEPTH_MAX;
}

/* Whether the text may contain a number that is not JSON but that json-c accepts: 00, -01, -.5 */
static bool
may_have_lax_number(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++)
		if ((text[i] == '0' && text[i + 1] >= '0' && text[i + 1] <= '9')
		    || (text[i] == '-' && text[i + 1] == '.'))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size == 0 ? 1 : size);
	struct json_object *doc;
	const char *line;
	const char *again;
	struct ctx ctx;

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	MUST(ctx_open(&ctx, 16 << 20));
	doc = json_parse_strict(text, size);
	if (json_compact(&ctx, text, size, &line)) {
		size_t len = strlen(line);

		MUST(ctx.kind == FAULT_NONE);
		MUST(strpbrk(line, "\r\n") == NULL);
		MUST(json_compact_complete(line, len));
		for (size_t cut = 0; cut < len && len < 300; cut++)
			MUST(!json_compact_complete(line, cut));
		MUST(json_compact(&ctx, line, len, &again) && strcmp(line, again) == 0);
		json_object_put(doc);
		doc = json_parse(line, len);
		MUST(json_object_is_type(doc, json_type_object));
	} else {
		MUST(ctx.kind == FAULT_REQUEST || ctx.kind == FAULT_SERVER);
		MUST(!json_object_is_type(doc, json_type_object) || may_be_deep(text, size)
		    || may_have_lax_number(text, size));
	}
	json_object_put(doc);
	ctx_close(&ctx);
	free(text);
	return 0;
}
