/* test_json_strict.c - texts that json_parse accepts, but that parsers may understand
 * differently. */
#include "../../table.h"

#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT(s) s, sizeof s - 1

static void
refuses_ambiguous_texts(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
		bool valid;
	} table[] = {
		{ "an empty object", TEXT("{}"), true },
		{ "one member", TEXT("{\"a\":1}"), true },
		{ "two members", TEXT("{\"a\":1,\"b\":1}"), true },
		{ "the same name at two depths", TEXT("{\"a\":{\"a\":{\"a\":1}}}"), true },
		{ "the same name in two objects", TEXT("[{\"a\":1},{\"a\":1}]"), true },
		{ "a null member", TEXT("{\"a\":null,\"b\":null}"), true },
		{ "names that differ in case", TEXT("{\"a\":1,\"A\":2}"), true },
		{ "an empty name", TEXT("{\"\":1,\"a\":2}"), true },
		{ "names that differ in an escape", TEXT("{\"\\\\u0061\":1,\"a\":2}"), true },
		{ "members in an array of arrays", TEXT("[[{\"a\":1}],[{\"b\":[]}]]"), true },
		{ "no object", TEXT("[1,\"a\",null,1.5e3]"), true },
		{ "a colon in a name", TEXT("{\"a:b\":1}"), true },
		{ "colons in a value", TEXT("{\"a\":\"::\"}"), true },
		{ "a quote and a colon in a value", TEXT("{\"a\":\"\\\":\"}"), true },
		{ "a backslash before the end", TEXT("{\"a\":\"\\\\\",\"b\":\":\"}"), true },
		{ "an escaped quote", TEXT("{\"a\":\"\\u0022:\"}"), true },
		{ "whitespace between tokens", TEXT(" {\t\"a\" :\n1 ,\r\"b\" : 2 } "), true },
		{ "UTF-8 of every length", TEXT("{\"\xd0\xae\":\"\xe2\x82\xac\xf0\x9f\x98\x80\"}"),
		    true },
		{ "single quotes and NaN in a string", TEXT("{\"a\":\"'NaN' I.\"}"), true },
		{ "an escaped backslash before u0000", TEXT("{\"a\":\"\\\\u0000\"}"), true },
		{ "only the first len bytes are read", "{\"a\":1}'", 7, true },

		{ "a name twice", TEXT("{\"a\":1,\"a\":2}"), false },
		{ "a name twice with the same value", TEXT("{\"a\":1,\"a\":1}"), false },
		{ "a name twice, once with null", TEXT("{\"a\":null,\"a\":1}"), false },
		{ "a name three times", TEXT("{\"a\":1,\"a\":2,\"a\":3}"), false },
		{ "a name twice, not adjacent", TEXT("{\"a\":1,\"b\":2,\"a\":3}"), false },
		{ "a name twice, the first escaped", TEXT("{\"\\u0061lg\":1,\"alg\":2}"), false },
		{ "a name twice, the second escaped", TEXT("{\"alg\":1,\"\\u0061lg\":2}"), false },
		{ "a name twice, escaped in digits of different case",
		    TEXT("{\"\\u004A\":1,\"\\u004a\":2}"), false },
		{ "a name twice, once with an escaped slash", TEXT("{\"a/b\":1,\"a\\/b\":2}"),
		    false },
		{ "a name above U+FFFF twice, once escaped",
		    TEXT("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"), false },
		{ "an empty name twice", TEXT("{\"\":1,\"\":2}"), false },
		{ "a name twice in an inner object", TEXT("{\"a\":{\"b\":1,\"b\":2}}"), false },
		{ "a name twice in an array", TEXT("[1,{\"b\":1,\"b\":2}]"), false },
		{ "a name twice in a value that is overwritten",
		    TEXT("{\"a\":{\"b\":1,\"b\":2},\"a\":1}"), false },
		{ "a name twice with objects as values", TEXT("{\"a\":{\"b\":1},\"a\":{\"c\":1}}"),
		    false },

		{ "a NUL after a name", TEXT("{\"a\\u0000\":1}"), false },
		{ "a NUL that truncates two names to one",
		    TEXT("{\"a\\u0000b\":1,\"a\\u0000c\":2}"), false },
		{ "a NUL in a value", TEXT("{\"a\":\"\\u0000\"}"), false },
		{ "a NUL after an escaped backslash", TEXT("{\"a\":\"\\\\\\u0000\"}"), false },
		{ "single quotes", TEXT("{'a':1}"), false },
		{ "a colon in single quotes", TEXT("{'a:b':1,\"c\":2,\"c\":3}"), false },
		{ "NaN", TEXT("{\"a\":NaN}"), false },
		{ "Infinity", TEXT("{\"a\":Infinity}"), false },
		{ "-Infinity", TEXT("{\"a\":-Infinity}"), false },
		{ "no digit after the point", TEXT("{\"a\":1.}"), false },
		{ "no digit after the point, but an exponent", TEXT("{\"a\":1.e1}"), false },
		{ "a newline in a string", TEXT("{\"a\":\"\n\"}"), false },
		{ "a tab in a name", TEXT("{\"\t\":1}"), false },
		{ "an overlong slash", TEXT("{\"a\":\"\xc0\xaf\"}"), false },
		{ "a surrogate", TEXT("{\"a\":\"\xed\xa0\x80\"}"), false },
		{ "above U+10FFFF", TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"), false },
		{ "UTF-8 cut short", TEXT("{\"a\":\"\xe2\x82\"}"), false },
		{ "a character that is not ASCII after a backslash", TEXT("{\"a\":\"\\\xd0\xae\"}"),
		    false },
		{ "a NUL and more after the text", TEXT("{}\0{"), false },

		{ "an empty text", "", 0, false },
		{ "only a point", TEXT("."), false },
		{ "a backslash at the end", TEXT("\"\\"), false },
		{ "an escape cut short", TEXT("\"\\u00"), false },
		{ "a letter after the text", TEXT("{}x"), false },
		{ "not UTF-8", TEXT("{\"a\":\"\xff\"}"), false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		/* exactly len bytes, so that a sanitizer reports a read past them */
		char *text = malloc(table[i].len == 0 ? 1 : table[i].len);
		struct json_object *doc;

		assert_non_null(text);
		memcpy(text, table[i].text, table[i].len);
		doc = json_parse_strict(text, table[i].len);
		DEMAND(table[i].label, (doc != NULL) == table[i].valid);
		json_object_put(doc);
		free(text);
	}
}

/* The last name may repeat the first, which is found among as many as are allowed. */
static bool
parses_members(int members, bool twice)
{
	enum { MEMBER_SIZE = 16 };
	char text[(JSON_STRICT_VALUES_MAX + 1) * MEMBER_SIZE];
	struct json_object *doc;
	size_t len = 0;
	bool parsed;

	for (int i = 0; i < members; i++)
		len += (size_t)snprintf(text + len, MEMBER_SIZE, "%c\"m%d\":1", i == 0 ? '{' : ',',
		    i == members - 1 && twice ? 0 : i);
	text[len++] = '}';
	doc = json_parse_strict(text, len);
	parsed = doc != NULL;
	json_object_put(doc);
	return parsed;
}

static void
limits_the_number_of_values(void **state)
{
	(void)state;
	DEMAND("as many as allowed, and their object",
	    parses_members(JSON_STRICT_VALUES_MAX - 1, false));
	DEMAND("the last repeats the first", !parses_members(JSON_STRICT_VALUES_MAX - 1, true));
	DEMAND("one more", !parses_members(JSON_STRICT_VALUES_MAX, false));
}

static void
limits_the_number_of_containers(void **state)
{
	char text[4 * JSON_STRICT_VALUES_MAX];

	(void)state;
	for (int lists = JSON_STRICT_VALUES_MAX / 2 - 1; lists <= JSON_STRICT_VALUES_MAX / 2;
	     lists++) {
		struct json_object *doc;
		size_t len = 0;

		text[len++] = '[';
		for (int i = 0; i < lists; i++) {
			memcpy(text + len, i == 0 ? " {}" : ",[]", 3);
			len += 3;
		}
		text[len++] = ']';
		doc = json_parse_strict(text, len);
		DEMAND("the outer list, inner ones, and their commas",
		    (doc != NULL) == (lists < JSON_STRICT_VALUES_MAX / 2));
		json_object_put(doc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_ambiguous_texts),
		cmocka_unit_test(limits_the_number_of_values),
		cmocka_unit_test(limits_the_number_of_containers),
	};

	return cmocka_run_group_tests_name("json strict", tests, NULL, NULL);
}
