/* test_json_compact.c - texts that are one JSON object (RFC 8259) become one line without
 * whitespace, and a part of such a line is not complete. */
#include "../../table.h"

#include "base/strbuf.h"
#include "text/json_compact.h"

#include <stdlib.h>

#define TEXT(s) s, sizeof s - 1

static void
accepts_exactly_one_object(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
		const char *expected; /* NULL: refused */
	} table[] = {
		{ "an empty object", TEXT("{}"), "{}" },
		{ "a member", TEXT("{\"a\":1}"), "{\"a\":1}" },
		{ "only the first len bytes are read", "{}}", 2, "{}" },
		{ "whitespace everywhere", TEXT("\r\n\t { \"a\" :\n[ 1 ,\t2 ] , \"b\": { } }\n "),
		    "{\"a\":[1,2],\"b\":{}}" },
		{ "whitespace inside a string is kept", TEXT("{\"a b\": \" c \"}"),
		    "{\"a b\":\" c \"}" },
		{ "punctuation inside a string is kept", TEXT("{ \"a\" : \"{ } [ ] , : \" }"),
		    "{\"a\":\"{ } [ ] , : \"}" },
		{ "numbers are kept as written",
		    TEXT("{\"a\":[0,-0,1.50,1e5,1E+05,-2.5e-3,12345678901234567890123]}"),
		    "{\"a\":[0,-0,1.50,1e5,1E+05,-2.5e-3,12345678901234567890123]}" },
		{ "true, false and null", TEXT("{\"a\":[true,false,null]}"),
		    "{\"a\":[true,false,null]}" },
		{ "escapes of characters other than printable ASCII are kept",
		    TEXT("{\"a\":"
			 "\"\\b\\f\\n\\r\\t\\u00e4\\uD83E\\udD94\\u0000\\u001F\\u007f\\u0161\"}"),
		    "{\"a\":"
		    "\"\\b\\f\\n\\r\\t\\u00e4\\uD83E\\udD94\\u0000\\u001F\\u007f\\u0161\"}" },
		{ "escapes of quote and backslash are kept",
		    TEXT("{\"a\":\"\\\"\\\\\\u0022\\u005c\"}"),
		    "{\"a\":\"\\\"\\\\\\u0022\\u005c\"}" },
		{ "escapes of other printable ASCII are decoded",
		    TEXT("{\"\\u0061ccoun\\u0074\":\"\\/\\u002F\\u0020 \\u007E\\u0041\"}"),
		    "{\"account\":\"//  ~A\"}" },
		{ "a backslash before the end of a string", TEXT("{\"a\":\"\\\\\" }"),
		    "{\"a\":\"\\\\\"}" },
		{ "not ASCII", TEXT("{\"\xd1\x97\":\"\xf0\x9f\xa6\x94\"}"),
		    "{\"\xd1\x97\":\"\xf0\x9f\xa6\x94\"}" },
		{ "DEL", TEXT("{\"a\":\"\x7f\"}"), "{\"a\":\"\x7f\"}" },
		{ "a name twice", TEXT("{\"a\":1,\"a\":2}"), "{\"a\":1,\"a\":2}" },
		{ "an empty name", TEXT("{\"\":1}"), "{\"\":1}" },

		{ "an empty text", TEXT(""), NULL },
		{ "only whitespace", TEXT(" \n"), NULL },
		{ "an array", TEXT("[{}]"), NULL },
		{ "a string", TEXT("\"a\""), NULL },
		{ "a number", TEXT("1"), NULL },
		{ "null", TEXT("null"), NULL },
		{ "a second object", TEXT("{}{}"), NULL },
		{ "a letter after the object", TEXT("{} x"), NULL },
		{ "a NUL after the object", TEXT("{}\0"), NULL },
		{ "a NUL instead of whitespace", TEXT("{\0}"), NULL },
		{ "a NUL in a string", TEXT("{\"a\":\"\0\"}"), NULL },
		{ "a NUL in an escape", TEXT("{\"a\":\"\\\0\"}"), NULL },
		{ "a byte order mark", TEXT("\xef\xbb\xbf{}"), NULL },
		{ "an object left open", TEXT("{"), NULL },
		{ "a string left open after an escape", TEXT("{\"a\":\"\\u00372}"), NULL },
		{ "closed by the other bracket", TEXT("{]"), NULL },
		{ "an array closed by the other bracket", TEXT("{\"a\":[}"), NULL },
		{ "a name without quotes", TEXT("{a:1}"), NULL },
		{ "single quotes", TEXT("{'a':1}"), NULL },
		{ "a number as a name", TEXT("{1:1}"), NULL },
		{ "no colon", TEXT("{\"a\" 1}"), NULL },
		{ "no value", TEXT("{\"a\":}"), NULL },
		{ "an equals sign", TEXT("{\"a\"=1}"), NULL },
		{ "a comma after the last member", TEXT("{\"a\":1,}"), NULL },
		{ "a comma after the last element", TEXT("{\"a\":[1,]}"), NULL },
		{ "a comma before the first member", TEXT("{,\"a\":1}"), NULL },
		{ "two commas", TEXT("{\"a\":[1,,2]}"), NULL },
		{ "no comma", TEXT("{\"a\":[1 2]}"), NULL },
		{ "a string left open", TEXT("{\"a\":\"b}"), NULL },
		{ "a raw newline in a string", TEXT("{\"a\":\"b\nc\"}"), NULL },
		{ "a raw tab in a string", TEXT("{\"a\":\"b\tc\"}"), NULL },
		{ "a raw newline in a name", TEXT("{\"a\n\":1}"), NULL },
		{ "an unknown escape", TEXT("{\"a\":\"\\x41\"}"), NULL },
		{ "an escape cut short", TEXT("{\"a\":\"\\u00\"}"), NULL },
		{ "an escape that is not hex", TEXT("{\"a\":\"\\u00g0\"}"), NULL },
		{ "not UTF-8", TEXT("{\"a\":\"\xff\"}"), NULL },
		{ "an overlong slash", TEXT("{\"a\":\"\xc0\xaf\"}"), NULL },
		{ "a surrogate in UTF-8", TEXT("{\"a\":\"\xed\xa0\x80\"}"), NULL },
		{ "UTF-8 cut short by the quote", TEXT("{\"a\":\"\xe2\x82\"}"), NULL },
		{ "a leading zero", TEXT("{\"a\":01}"), NULL },
		{ "a negative with a leading zero", TEXT("{\"a\":-01}"), NULL },
		{ "a plus", TEXT("{\"a\":+1}"), NULL },
		{ "only a minus", TEXT("{\"a\":-}"), NULL },
		{ "two minuses", TEXT("{\"a\":--1}"), NULL },
		{ "a point before any digit", TEXT("{\"a\":.5}"), NULL },
		{ "a point without a digit after it", TEXT("{\"a\":1.}"), NULL },
		{ "two points", TEXT("{\"a\":1.5.5}"), NULL },
		{ "an exponent without digits", TEXT("{\"a\":1e}"), NULL },
		{ "an exponent with only a sign", TEXT("{\"a\":1e+}"), NULL },
		{ "hexadecimal", TEXT("{\"a\":0x10}"), NULL },
		{ "NaN", TEXT("{\"a\":NaN}"), NULL },
		{ "Infinity", TEXT("{\"a\":Infinity}"), NULL },
		{ "-Infinity", TEXT("{\"a\":-Infinity}"), NULL },
		{ "True", TEXT("{\"a\":True}"), NULL },
		{ "a word cut short", TEXT("{\"a\":tru}"), NULL },
		{ "a word too long", TEXT("{\"a\":nulll}"), NULL },
		{ "a comment", TEXT("{/**/}"), NULL },
		{ "a vertical tab", TEXT("{\v}"), NULL },
		{ "a no-break space", TEXT("{\xc2\xa0}"), NULL },
		{ "a form instead of JSON", TEXT("a=1"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		enum fault_kind kind = table[i].expected == NULL ? FAULT_REQUEST : FAULT_NONE;
		const char *line = NULL;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = json_compact(&ctx, table[i].text, table[i].len, &line);
		same_fault(table[i].label, &ctx, ok, kind);
		if (ok)
			same_text(table[i].label, line, table[i].expected);
		ctx_close(&ctx);
	}
}

/* depth levels of objects or arrays, the first one an object, around a number. */
static const char *
nested(struct ctx *ctx, int depth, char bracket)
{
	struct strbuf sb;
	const char *s;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"a\":");
	for (int i = 1; i < depth; i++)
		strbuf_addstr(&sb, bracket == '{' ? "{\"a\":" : "[");
	strbuf_addstr(&sb, "1");
	for (int i = 1; i < depth; i++)
		strbuf_addch(&sb, bracket == '{' ? '}' : ']');
	strbuf_addstr(&sb, "}");
	assert_true(strbuf_finish(&sb, &s));
	return s;
}

static void
limits_the_depth(void **state)
{
	(void)state;
	for (const char *bracket = "{["; *bracket != '\0'; bracket++) {
		const char *line;
		const char *within;
		struct json_object *doc;
		struct ctx ctx;

		open_ctx(&ctx);
		within = nested(&ctx, JSON_COMPACT_DEPTH_MAX, *bracket);
		assert_true(json_compact(&ctx, within, strlen(within), &line));
		same_text("at the limit of depth", line, within);

		within = nested(&ctx, JSON_COMPACT_DEPTH_MAX + 1, *bracket);
		assert_true(json_compact_complete(within, strlen(within)));
		doc = json_parse(within, strlen(within));
		DEMAND("json_parse reads a line that contains the deepest object", doc != NULL);
		json_object_put(doc);
		same_fault("a level over the limit", &ctx,
		    json_compact(&ctx, within, strlen(within), &line), FAULT_REQUEST);

		within = nested(&ctx, JSON_COMPACT_DEPTH_MAX + 2, *bracket);
		assert_false(json_compact_complete(within, strlen(within)));
		ctx_close(&ctx);
	}
}

/* Recursion is bounded for any input. */
static void
refuses_a_megabyte_of_brackets(void **state)
{
	size_t len = 1 << 20;
	char *text = malloc(len);
	const char *line;
	struct ctx ctx;

	(void)state;
	assert_non_null(text);
	memset(text, '[', len);
	memcpy(text, "{\"a\":", 5);
	open_ctx(&ctx);
	same_fault("brackets", &ctx, json_compact(&ctx, text, len, &line), FAULT_REQUEST);
	ctx_close(&ctx);
	free(text);
}

static void
distinguishes_a_part_from_the_whole(void **state)
{
	static const char line[] =
	    "{\"a\":[{\"b\":\"}\\\"]\"},1.5e3,true,null],\"c\":{},\"\xd1\x97\":"
	    "\"\\u00e4\"}";
	char corrupt[sizeof line];
	size_t len = sizeof line - 1;

	(void)state;
	assert_true(json_compact_complete(line, len));
	for (size_t cut = 0; cut < len; cut++)
		if (json_compact_complete(line, cut))
			fail_msg("the first %zu bytes of %zu count as complete", cut, len);
	for (size_t from = 1; from < len; from++)
		if (json_compact_complete(line + from, len - from)
		    && strcmp(line + from, "{}") != 0)
			fail_msg("what follows byte %zu counts as complete", from);
	for (size_t at = 0; at < len; at++) {
		memcpy(corrupt, line, sizeof line);
		corrupt[at] = '\0'; /* as a disk may return it after a power failure */
		if (json_compact_complete(corrupt, len))
			fail_msg("a NUL at byte %zu is not noticed", at);
	}
	assert_false(json_compact_complete("{ }", 3));
	assert_false(json_compact_complete("{}\n", 3));
	assert_false(json_compact_complete(" {}", 3));
	assert_false(json_compact_complete("", 0));
}

static bool
compact_in_arena(struct ctx *ctx, void *arg)
{
	const char *line;

	(void)arg;
	if (!json_compact(ctx, TEXT(" {\"a\" : [1, 2, \"\\u00e4\"]} "), &line))
		return false;
	same_text("in the smallest arena", line, "{\"a\":[1,2,\"\\u00e4\"]}");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a compacted line", compact_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_exactly_one_object),
		cmocka_unit_test(limits_the_depth),
		cmocka_unit_test(refuses_a_megabyte_of_brackets),
		cmocka_unit_test(distinguishes_a_part_from_the_whole),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("json compact", tests, NULL, NULL);
}
