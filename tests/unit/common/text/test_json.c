/* test_json.c - parsing JSON texts (RFC 8259), reading members by type, and writing strings. */
#include "../../table.h"

#include "base/strbuf.h"
#include "text/json.h"

#include <stdlib.h>

#define TEXT(s) s, sizeof s - 1

static void
accepts_exactly_one_text(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
		bool valid;
	} table[] = {
		{ "an object", TEXT("{}"), true },
		{ "an array", TEXT("[1,2]"), true },
		{ "a string", TEXT("\"a\""), true },
		{ "a number", TEXT("12"), true },
		{ "a number, only the first len bytes", "123", 2, true },
		{ "true", TEXT("true"), true },
		{ "whitespace around the object", TEXT(" \t\r\n{ } \n"), true },
		{ "a name twice", TEXT("{\"a\":1,\"a\":2}"), true },
		{ "all escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\""), true },
		{ "an object, only the first len bytes", "{}}", 2, true },

		/* not RFC 8259, but json-c 0.16 accepts them even when strict; no caller depends on
		 * it */
		{ "single quotes", TEXT("{'a':1}"), true },
		{ "NaN", TEXT("NaN"), true },
		{ "-Infinity", TEXT("-Infinity"), true },
		{ "a raw newline in a string", TEXT("\"a\nb\""), true },

		{ "an empty text", "", 0, false },
		{ "only whitespace", TEXT(" \n"), false },
		{ "an object left open", TEXT("{"), false },
		{ "an array left open", TEXT("[1,"), false },
		{ "a string left open", TEXT("\"abc"), false },
		{ "a word cut short", TEXT("tru"), false },
		{ "only a minus", TEXT("-"), false },
		{ "a letter after the text", TEXT("{}x"), false },
		{ "a second text", TEXT("{} {}"), false },
		{ "a NUL after the text", TEXT("{}\0"), false },
		{ "a NUL and more after the text", TEXT("{}\0{"), false },
		{ "a NUL between tokens", TEXT("{\"a\"\0:1}"), false },
		{ "a NUL inside a string", TEXT("\"a\0b\""), false },
		{ "a comma after the last element", TEXT("[1,]"), false },
		{ "a comma after the last member", TEXT("{\"a\":1,}"), false },
		{ "a name without quotes", TEXT("{a:1}"), false },
		{ "a comment", TEXT("/* */{}"), false },
		{ "True", TEXT("True"), false },
		{ "a leading zero", TEXT("01"), false },
		{ "a plus", TEXT("+1"), false },
		{ "an unknown escape", TEXT("\"\\x\""), false },
		{ "not UTF-8", TEXT("\"\xff\""), false },
		{ "UTF-8 cut short", TEXT("\"\xe2\x82\""), false },
		{ "a byte order mark", TEXT("\xef\xbb\xbf{}"), false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		/* exactly len bytes, so that a sanitizer reports a read past them */
		char *text = malloc(table[i].len == 0 ? 1 : table[i].len);
		struct json_object *doc;

		assert_non_null(text);
		memcpy(text, table[i].text, table[i].len);
		doc = json_parse(text, table[i].len);
		DEMAND(table[i].label, (doc != NULL) == table[i].valid);
		json_object_put(doc);
		free(text);
	}
}

static void
limits_the_depth(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 4];

	(void)state;
	for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		struct json_object *doc;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		doc = json_parse(text, 2 * depth);
		if ((doc != NULL) != (depth <= JSON_DEPTH_MAX))
			fail_msg("%zu levels are %s", depth, doc == NULL ? "refused" : "read");
		json_object_put(doc);
	}
}

static void
reads_string_members(void **state)
{
	static const struct {
		const char *label, *text, *expected;
	} table[] = {
		{ "a string", "{\"a\":\"x\"}", "x" },
		{ "an empty string", "{\"a\":\"\"}", "" },
		{ "a string with escapes", "{\"a\":\"\\u00e4\\n\"}", "\xc3\xa4\n" },
		{ "an escaped name", "{\"\\u0061\":\"x\"}", "x" },
		{ "a surrogate pair", "{\"a\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80" },
		{ "a NUL inside a string", "{\"a\":\"x\\u0000y\"}", NULL },
		{ "only a NUL", "{\"a\":\"\\u0000\"}", NULL },
		{ "a name in another case", "{\"A\":\"x\"}", NULL },
		{ "null", "{\"a\":null}", NULL },
		{ "a number", "{\"a\":1}", NULL },
		{ "an object", "{\"a\":{}}", NULL },
		{ "a member of an inner object", "{\"b\":{\"a\":\"x\"}}", NULL },
		{ "in an array", "[\"a\",\"x\"]", NULL },
		{ "not an object", "\"a\"", NULL },
		{ "no document", "", NULL },
	};
	const char *copy = "not set";
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc = json_parse(table[i].text, strlen(table[i].text));

		DEMAND(table[i].label, (doc != NULL) == (table[i].text[0] != '\0'));
		same_text(table[i].label, json_get_string(doc, "a"), table[i].expected);
		assert_true(json_copy_string(&ctx, doc, "a", &copy));
		json_object_put(doc);
		same_text(table[i].label, copy, table[i].expected);
	}
	ctx_close(&ctx);
}

static void
reads_integer_members(void **state)
{
	static const struct {
		const char *label, *text;
		bool found;
		int64_t number;
	} table[] = {
		{ "an integer", "{\"a\":86400}", true, 86400 },
		{ "zero", "{\"a\":0}", true, 0 },
		{ "a negative integer", "{\"a\":-1}", true, -1 },
		{ "the largest integer", "{\"a\":9223372036854775807}", true, INT64_MAX },
		{ "one more than the largest", "{\"a\":9223372036854775808}", false, 0 },
		{ "the largest uint64_t", "{\"a\":18446744073709551615}", false, 0 },
		{ "more than uint64_t", "{\"a\":18446744073709551616}", false, 0 },
		{ "the smallest that is accepted", "{\"a\":-9223372036854775807}", true,
		    -INT64_MAX },
		{ "the smallest int64_t, which json-c also gives for smaller numbers",
		    "{\"a\":-9223372036854775808}", false, 0 },
		{ "less than int64_t", "{\"a\":-9223372036854775809}", false, 0 },
		{ "a fraction", "{\"a\":1.0}", false, 0 },
		{ "an exponent", "{\"a\":1e3}", false, 0 },
		{ "a string of digits", "{\"a\":\"1\"}", false, 0 },
		{ "true", "{\"a\":true}", false, 0 },
		{ "null", "{\"a\":null}", false, 0 },
		{ "absent", "{}", false, 0 },
		{ "not an object", "[1]", false, 0 },
		{ "no document", "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc = json_parse(table[i].text, strlen(table[i].text));
		int64_t number = 7;
		bool found = json_get_integer(doc, "a", &number);

		DEMAND(table[i].label, found == table[i].found);
		same_number(table[i].label, number, found ? table[i].number : 7);
		json_object_put(doc);
	}
}

static void
reads_boolean_members(void **state)
{
	static const struct {
		const char *label, *text;
		bool found, value;
	} table[] = {
		{ "true", "{\"a\":true}", true, true },
		{ "false", "{\"a\":false}", true, false },
		{ "whitespace between tokens", "{ \"a\" : true }", true, true },
		{ "an escaped name", "{\"\\u0061\":true}", true, true },
		{ "not the last member", "{\"a\":true,\"b\":false}", true, true },
		{ "null", "{\"a\":null}", false, false },
		{ "a number", "{\"a\":1}", false, false },
		{ "a string", "{\"a\":\"true\"}", false, false },
		{ "an object", "{\"a\":{\"a\":true}}", false, false },
		{ "absent", "{}", false, false },
		{ "a member inside a string", "{\"b\":\"\\\"a\\\":true}\"}", false, false },
		{ "not an object", "[true]", false, false },
		{ "no document", "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc = json_parse(table[i].text, strlen(table[i].text));

		for (int before = 0; before <= 1; before++) {
			bool value = before;

			DEMAND(
			    table[i].label, json_get_boolean(doc, "a", &value) == table[i].found);
			same_number(
			    table[i].label, value, table[i].found ? table[i].value : before);
		}
		json_object_put(doc);
	}
}

static void
writes_strings(void **state)
{
	static const struct {
		const char *label, *s, *expected;
	} table[] = {
		{ "NULL", NULL, "null" },
		{ "an empty string", "", "\"\"" },
		{ "plain ASCII", "reforyou.amocrm.ru", "\"reforyou.amocrm.ru\"" },
		{ "quote and backslash", "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "a slash is not escaped", "</script>", "\"</script>\"" },
		{ "control characters", "\x01\n\x1f", "\"\\u0001\\u000a\\u001f\"" },
		{ "DEL", "\x7f", "\"\\u007f\"" },
		{ "UTF-8 of every length", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "a byte that is not UTF-8",
		    "a\xff"
		    "b",
		    "\"a\xef\xbf\xbd"
		    "b\"" },
		{ "UTF-8 cut short", "a\xe2\x82", "\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "UTF-8 cut short before a quote", "\xe2\x82\"",
		    "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"" },
		{ "an overlong quote", "\xc0\xa2", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct strbuf sb;
		const char *out;
		struct json_object *doc;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		json_add_string(&sb, table[i].s);
		assert_true(strbuf_finish(&sb, &out));
		same_text(table[i].label, out, table[i].expected);
		if (table[i].s != NULL) {
			doc = json_parse(out, strlen(out));
			DEMAND(table[i].label, json_object_is_type(doc, json_type_string));
			json_object_put(doc);
		}
		ctx_close(&ctx);
	}
}

static void
writes_members(void **state)
{
	struct ctx ctx;
	struct strbuf sb;
	const char *out;

	(void)state;
	open_ctx(&ctx);
	strbuf_init(&ctx, &sb);
	strbuf_addstr(&sb, "{");
	json_add_member(&sb, "a", "{");
	json_add_member(&sb, "\"", NULL);
	strbuf_addstr(&sb, ",\"c\":{");
	json_add_member(&sb, "d", "1");
	strbuf_addstr(&sb, "}");
	json_add_member(&sb, "e", "");
	strbuf_addstr(&sb, "}");
	assert_true(strbuf_finish(&sb, &out));
	assert_string_equal(out, "{\"a\":\"{\",\"\\\"\":null,\"c\":{\"d\":\"1\"},\"e\":\"\"}");
	ctx_close(&ctx);
}

static bool
write_in_arena(struct ctx *ctx, void *arg)
{
	struct strbuf sb;
	const char *out;

	(void)arg;
	strbuf_init(ctx, &sb);
	json_add_string(&sb, "\x01 \" \xff");
	json_add_string(&sb, NULL);
	json_add_member(&sb, "n", "v");
	if (!strbuf_finish(&sb, &out))
		return false;
	assert_string_equal(out, "\"\\u0001 \\\" \xef\xbf\xbd\"null,\"n\":\"v\"");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a string", write_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_exactly_one_text),
		cmocka_unit_test(limits_the_depth),
		cmocka_unit_test(reads_string_members),
		cmocka_unit_test(reads_integer_members),
		cmocka_unit_test(reads_boolean_members),
		cmocka_unit_test(writes_strings),
		cmocka_unit_test(writes_members),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
