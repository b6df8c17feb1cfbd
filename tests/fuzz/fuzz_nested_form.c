/* fuzz_nested_form.c - webhooks as forms are converted to one line of JSON, or refused. */
#include "fuzz.h"

#include "text/json.h"
#include "text/json_compact.h"
#include "text/nested_form.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *form = malloc(size == 0 ? 1 : size);
	struct json_object *doc;
	const char *line;
	struct ctx ctx;

	MUST(form != NULL);
	if (size > 0)
		memcpy(form, data, size);
	MUST(ctx_open(&ctx, 16 << 20));
	if (nested_form_to_json(&ctx, form, size, &line)) {
		MUST(ctx.kind == FAULT_NONE);
		MUST(json_compact_complete(line, strlen(line)));
		doc = json_parse(line, strlen(line));
		MUST(json_object_is_type(doc, json_type_object));
		json_object_put(doc);
	} else
		MUST(ctx.kind == FAULT_REQUEST || ctx.kind == FAULT_SERVER);
	ctx_close(&ctx);
	free(form);
	return 0;
}
