/* fuzz_form.c - query strings and forms. */
#include "fuzz.h"

#include "text/form.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct form_field field[] = {
		{ .name = "code", .max = 16 },
		{ .name = "state", .max = 64 },
		{ .name = "a", .max = 0 },
	};
	char *text = fuzz_text(data, size);
	struct ctx ctx;
	bool ok;

	MUST(ctx_open(&ctx, 1 << 20));
	ok = form_parse(&ctx, text, field, 3);
	MUST(ok == (ctx.kind == FAULT_NONE));
	MUST(ok || ctx.kind == FAULT_REQUEST || ctx.kind == FAULT_SERVER);
	for (size_t i = 0; i < 3; i++) {
		MUST(field[i].value == NULL || field[i].seen);
		MUST(field[i].value == NULL || strlen(field[i].value) <= field[i].max);
		MUST(!ok || !field[i].seen || field[i].value != NULL);
	}
	ctx_close(&ctx);
	free(text);
	return 0;
}
