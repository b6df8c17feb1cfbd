/* test_json_slice.c - members and elements, taken out of a line where they stand. */
#include "../../table.h"

#include "base/strbuf.h"
#include "text/json_slice.h"

#include <stdio.h>

/* Every member as name=value, one behind the other. */
static const char *
taken_apart(struct ctx *ctx, const char *line)
{
	struct json_slice rest = json_slice_of(line);
	struct json_slice name;
	struct json_slice value;
	struct strbuf sb;
	const char *s;

	strbuf_init(ctx, &sb);
	while (json_slice_next(&rest, &name, &value)) {
		strbuf_addstr(&sb, sb.len > 0 ? "|" : "");
		strbuf_add(&sb, name.at, name.len);
		strbuf_addstr(&sb, "=");
		strbuf_add(&sb, value.at, value.len);
	}
	assert_true(strbuf_finish(&sb, &s));
	return s;
}

static void
takes_members_and_elements_in_their_order(void **state)
{
	static const struct {
		const char *label, *line, *expected;
	} table[] = {
		{ "an empty object", "{}", "" },
		{ "an empty array", "[]", "" },
		{ "a string is neither", "\"{\\\"a\\\":1}\"", "" },
		{ "a number is neither", "12", "" },
		{ "one member", "{\"a\":1}", "a=1" },
		{ "members of all kinds",
		    "{\"a\":\"b\",\"c\":-1.5e3,\"d\":null,\"e\":true,\"f\":{},\"g\":[]}",
		    "a=\"b\"|c=-1.5e3|d=null|e=true|f={}|g=[]" },
		{ "elements of all kinds", "[\"b\",-1.5e3,null,{},[]]",
		    "=\"b\"|=-1.5e3|=null|={}|=[]" },
		{ "nested ones stay whole", "{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":[[1],[2]]}",
		    "a={\"b\":[1,{\"c\":2}]}|d=[[1],[2]]" },
		{ "an array in an array", "[[]]", "=[]" },
		{ "structure inside strings", "{\"a}\":\"],{\\\"\",\"b\":[\"}\",\"\\\\\"]}",
		    "a}=\"],{\\\"\"|b=[\"}\",\"\\\\\"]" },
		{ "escapes stay", "{\"\\u0061\":\"\\n\"}", "\\u0061=\"\\n\"" },
		{ "an empty name and an empty value", "{\"\":\"\"}", "=\"\"" },
		{ "a name twice", "{\"a\":1,\"a\":2}", "a=1|a=2" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		same_text(table[i].label, taken_apart(&ctx, table[i].line), table[i].expected);
		ctx_close(&ctx);
	}
}

static void
finds_a_member_by_its_name(void **state)
{
	static const struct {
		const char *label, *line, *name, *expected; /* NULL: not there */
	} table[] = {
		{ "the first", "{\"a\":1,\"b\":2}", "a", "1" },
		{ "the last", "{\"a\":1,\"b\":[2]}", "b", "[2]" },
		{ "of two the second", "{\"a\":1,\"a\":2}", "a", "2" },
		{ "none", "{\"a\":1}", "b", NULL },
		{ "not a part of a name", "{\"ab\":1}", "a", NULL },
		{ "not a longer name", "{\"a\":1}", "ab", NULL },
		{ "not one further in", "{\"a\":{\"b\":1}}", "b", NULL },
		{ "none in an array", "[\"a\",1]", "a", NULL },
		{ "none in an empty object", "{}", "a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_slice value;
		bool found = json_slice_get(json_slice_of(table[i].line), table[i].name, &value);

		same_number(table[i].label, found, table[i].expected != NULL);
		if (found)
			DEMAND(table[i].label, json_slice_equal(value, table[i].expected));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_members_and_elements_in_their_order),
		cmocka_unit_test(finds_a_member_by_its_name),
	};

	return cmocka_run_group_tests_name("json slice", tests, NULL, NULL);
}
