/* test_json_slice.c - members and elements of a line, read without copying it. */
#include "../../table.h"

#include "base/strbuf.h"
#include "text/json_slice.h"

/* Every member as name=value, in order, separated by '|'. */
static const char *
join_members(struct ctx *ctx, const char *line)
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
reads_members_and_elements_in_order(void **state)
{
	static const struct {
		const char *label, *line, *expected;
	} table[] = {
		{ "an empty object", "{}", "" },
		{ "an empty array", "[]", "" },
		{ "a string has no members", "\"{\\\"a\\\":1}\"", "" },
		{ "a number has no members", "12", "" },
		{ "one member", "{\"a\":1}", "a=1" },
		{ "members of all kinds",
		    "{\"a\":\"b\",\"c\":-1.5e3,\"d\":null,\"e\":true,\"f\":{},\"g\":[]}",
		    "a=\"b\"|c=-1.5e3|d=null|e=true|f={}|g=[]" },
		{ "elements of all kinds", "[\"b\",-1.5e3,null,{},[]]",
		    "=\"b\"|=-1.5e3|=null|={}|=[]" },
		{ "nested values stay whole", "{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":[[1],[2]]}",
		    "a={\"b\":[1,{\"c\":2}]}|d=[[1],[2]]" },
		{ "an array in an array", "[[]]", "=[]" },
		{ "structure inside strings", "{\"a}\":\"],{\\\"\",\"b\":[\"}\",\"\\\\\"]}",
		    "a}=\"],{\\\"\"|b=[\"}\",\"\\\\\"]" },
		{ "escapes are kept", "{\"\\u0061\":\"\\n\"}", "\\u0061=\"\\n\"" },
		{ "an empty name and an empty value", "{\"\":\"\"}", "=\"\"" },
		{ "a name twice", "{\"a\":1,\"a\":2}", "a=1|a=2" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		same_text(table[i].label, join_members(&ctx, table[i].line), table[i].expected);
		ctx_close(&ctx);
	}
}

static void
finds_a_member_by_its_name(void **state)
{
	static const struct {
		const char *label, *line, *name, *expected; /* NULL: not found */
	} table[] = {
		{ "the first member", "{\"a\":1,\"b\":2}", "a", "1" },
		{ "the last member", "{\"a\":1,\"b\":[2]}", "b", "[2]" },
		{ "the second of two with that name", "{\"a\":1,\"a\":2}", "a", "2" },
		{ "a missing member", "{\"a\":1}", "b", NULL },
		{ "a prefix of a name", "{\"ab\":1}", "a", NULL },
		{ "a longer name", "{\"a\":1}", "ab", NULL },
		{ "a nested member", "{\"a\":{\"b\":1}}", "b", NULL },
		{ "a member of an array", "[\"a\",1]", "a", NULL },
		{ "a member of an empty object", "{}", "a", NULL },
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
		cmocka_unit_test(reads_members_and_elements_in_order),
		cmocka_unit_test(finds_a_member_by_its_name),
	};

	return cmocka_run_group_tests_name("json slice", tests, NULL, NULL);
}
