/* test_json_bytes.c - bytes in JSON. */
#include "../../table.h"

#include "text/json_bytes.h"

static void
encodes(void **state)
{
	struct strbuf sb;
	struct ctx ctx;
	const char *text;

	(void)state;
	open_ctx(&ctx);
	strbuf_init(&ctx, &sb);
	strbuf_addch(&sb, '{');
	json_add_bytes(&sb, "some", "\xff\0\x01", 3);
	json_add_bytes(&sb, "empty", "", 0);
	json_add_bytes(&sb, "none", NULL, 0);
	strbuf_addch(&sb, '}');
	assert_true(strbuf_finish(&sb, &text));
	same_text("members", text, "{\"some\":\"_wAB\",\"empty\":\"\",\"none\":null}");
	ctx_close(&ctx);
}

static void
decodes(void **state)
{
	static const struct {
		const char *label, *json;
		bool valid;
		const char *bytes; /* NULL: null */
		size_t len;
	} table[] = {
		{ "bytes", "{\"b\":\"_wAB\"}", true, "\xff\0\x01", 3 },
		{ "no bytes", "{\"b\":\"\"}", true, "", 0 },
		{ "null", "{\"b\":null}", true, NULL, 0 },
		{ "no member", "{}", false, NULL, 0 },
		{ "a number", "{\"b\":1}", false, NULL, 0 },
		{ "with padding", "{\"b\":\"AA==\"}", false, NULL, 0 },
		{ "the alphabet of base64", "{\"b\":\"/wAB\"}", false, NULL, 0 },
		{ "cut short", "{\"b\":\"A\"}", false, NULL, 0 },
		{ "an array", "[\"_wAB\"]", false, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		struct json_object *doc = json_parse(table[i].json, strlen(table[i].json));
		const uint8_t *bytes;
		struct ctx ctx;
		size_t len;

		open_ctx(&ctx);
		DEMAND(label, doc != NULL);
		DEMAND(label, json_get_bytes(&ctx, doc, "b", &bytes, &len) == table[i].valid);
		DEMAND(label, ctx.kind == FAULT_NONE);
		if (table[i].valid) {
			same_number(label, (long long)len, (long long)table[i].len);
			DEMAND(label, (bytes == NULL) == (table[i].bytes == NULL));
			if (bytes != NULL)
				same_bytes(label, bytes, table[i].bytes, len + 1);
		}
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static void
decodes_a_text_without_nul_only(void **state)
{
	static const char json[] = "{\"text\":\"YQ\",\"none\":null,\"with_nul\":\"YQBi\"}";
	struct json_object *doc = json_parse(json, strlen(json));
	const char *text;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	assert_true(json_get_bytes_text(&ctx, doc, "text", &text));
	same_text("text", text, "a");
	assert_true(json_get_bytes_text(&ctx, doc, "none", &text));
	same_text("null", text, NULL);
	assert_false(json_get_bytes_text(&ctx, doc, "with_nul", &text));
	assert_false(json_get_bytes_text(&ctx, doc, "missing", &text));
	json_object_put(doc);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes),
		cmocka_unit_test(decodes),
		cmocka_unit_test(decodes_a_text_without_nul_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
