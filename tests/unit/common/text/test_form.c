/* test_form.c - queries and small bodies: what is parsed and what is refused; percent-encoding of
 * values. */
#include "../../table.h"

#include "text/form.h"

#define CODE_MAX 8

enum { CODE, STATE, FIELDS };

static void
fields_of(struct form_field field[FIELDS])
{
	field[CODE] = (struct form_field){ .name = "code", .max = CODE_MAX };
	field[STATE] = (struct form_field){ .name = "state", .max = 100 };
}

static void
reads_a_form(void **state)
{
	static const struct {
		const char *label, *text;
		enum fault_kind expected;
		const char *code, *state;
	} table[] = {
		{ "an empty text", "", FAULT_NONE, NULL, NULL },
		{ "one pair", "code=1", FAULT_NONE, "1", NULL },
		{ "two pairs", "code=1&state=2", FAULT_NONE, "1", "2" },
		{ "two pairs in another order", "state=2&code=1", FAULT_NONE, "1", "2" },
		{ "empty pairs", "&&code=1&&state=2&", FAULT_NONE, "1", "2" },
		{ "no value", "code=", FAULT_NONE, "", NULL },
		{ "no equals sign", "code", FAULT_NONE, "", NULL },
		{ "only an equals sign", "=&code=1", FAULT_NONE, "1", NULL },
		{ "a value without a name", "=1", FAULT_NONE, NULL, NULL },
		{ "the second equals sign belongs to the value", "code=a=b=", FAULT_NONE,
		    "a=b=", NULL },
		{ "a plus is a space", "code=a+b", FAULT_NONE, "a b", NULL },
		{ "an escaped plus is a plus", "code=a%2Bb", FAULT_NONE, "a+b", NULL },
		{ "an escape with lower-case digits", "code=a%2bb", FAULT_NONE, "a+b", NULL },
		{ "an escape at the end", "code=%41", FAULT_NONE, "A", NULL },
		{ "an escaped percent sign", "code=%2541", FAULT_NONE, "%41", NULL },
		{ "an escaped ampersand", "state=%26code=1", FAULT_NONE, NULL, "&code=1" },
		{ "UTF-8", "state=%D0%AF", FAULT_NONE, NULL, "\xd0\xaf" },
		{ "a semicolon does not separate", "state=1;code=2", FAULT_NONE, NULL, "1;code=2" },
		{ "an escaped name", "%63ode=1", FAULT_NONE, "1", NULL },
		{ "a name in another case", "Code=1", FAULT_NONE, NULL, NULL },
		{ "a longer name", "codes=1", FAULT_NONE, NULL, NULL },
		{ "a shorter name", "cod=1", FAULT_NONE, NULL, NULL },
		{ "a name with a space", "+code=1", FAULT_NONE, NULL, NULL },
		{ "an unknown name twice", "x=1&x=2&code=1", FAULT_NONE, "1", NULL },
		{ "an unknown name with brackets", "x[]=1&[]=2&[code]=3", FAULT_NONE, NULL, NULL },
		{ "a value at its limit", "code=12345678", FAULT_NONE, "12345678", NULL },
		{ "a value at its limit, escaped", "code=%31%32%33%34%35%36%37%38", FAULT_NONE,
		    "12345678", NULL },

		{ "a value over its limit", "code=123456789&state=s", FAULT_REQUEST, NULL, "s" },
		{ "same name", "code=1&code=1&state=s", FAULT_REQUEST, NULL, "s" },
		{ "same name three times", "code=1&code=2&code=3", FAULT_REQUEST, NULL, NULL },
		{ "same name, once escaped", "code=1&%63ode=2", FAULT_REQUEST, NULL, NULL },
		{ "same name, once without a value", "code=1&code", FAULT_REQUEST, NULL, NULL },
		{ "same name, both empty", "code=&code=", FAULT_REQUEST, NULL, NULL },
		{ "brackets", "code[]=1", FAULT_REQUEST, NULL, NULL },
		{ "escaped brackets", "code%5B%5D=1", FAULT_REQUEST, NULL, NULL },
		{ "a bracket left open", "code[=1", FAULT_REQUEST, NULL, NULL },
		{ "a key in brackets", "code[a]=1&state=s", FAULT_REQUEST, NULL, "s" },
		{ "brackets after the plain name", "code=1&code[]=2", FAULT_REQUEST, NULL, NULL },
		{ "brackets before the plain name", "code[]=1&code=2", FAULT_REQUEST, NULL, NULL },
		{ "escape cut short", "code=%4", FAULT_REQUEST, NULL, NULL },
		{ "escape without digits", "code=%", FAULT_REQUEST, NULL, NULL },
		{ "escape cut short by the next pair", "code=%4&state=s", FAULT_REQUEST, NULL,
		    "s" },
		{ "escape with a letter that is not hex", "code=%4g", FAULT_REQUEST, NULL, NULL },
		{ "sign inside an escape", "code=%+9", FAULT_REQUEST, NULL, NULL },
		{ "space inside an escape", "code=% 9", FAULT_REQUEST, NULL, NULL },
		{ "escape in an unknown name", "%zz=1&state=s", FAULT_REQUEST, NULL, "s" },
		{ "escape in an unknown value", "x=%zz&state=s", FAULT_REQUEST, NULL, "s" },
		{ "NUL in a value", "code=1%002&state=s", FAULT_REQUEST, NULL, "s" },
		{ "NUL at a value's end", "code=1%00", FAULT_REQUEST, NULL, NULL },
		{ "NUL in a name", "code%00=1", FAULT_REQUEST, NULL, NULL },
		{ "NUL in an unknown value", "x=%00", FAULT_REQUEST, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct form_field field[FIELDS];
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		fields_of(field);
		ok = form_parse(&ctx, table[i].text, field, FIELDS);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		same_text(table[i].label, field[CODE].value, table[i].code);
		same_text(table[i].label, field[STATE].value, table[i].state);
		ctx_close(&ctx);
	}
}

static void
decodes_a_value(void **state)
{
	static const struct {
		const char *label, *s;
		size_t len;
		const char *expected; /* NULL: refused */
	} table[] = {
		{ "nothing", "", 0, "" },
		{ "only the first len bytes are read", "abc%zz", 3, "abc" },
		{ "an escape that ends after len", "a%41", 3, NULL },
		{ "an escape that begins at the last byte", "a%41", 2, NULL },
		{ "a NUL byte", "a\0b", 3, NULL },
		{ "an escaped NUL", "a%00", 4, NULL },
		{ "any other byte is kept", "\x01\x7f\xff", 3, "\x01\x7f\xff" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *end = table[i].s + table[i].len;
		const char *s = table[i].s;
		char out[8];
		char *to = out;
		bool ok = form_decode_value(&s, end, &to);

		DEMAND(table[i].label, ok == (table[i].expected != NULL));
		DEMAND(table[i].label, !ok || s == end);
		same_text(table[i].label, ok ? out : NULL, table[i].expected);
	}
}

static void
encodes_all_but_unreserved_characters(void **state)
{
	static const struct {
		const char *label, *s, *expected;
	} table[] = {
		{ "an empty value", "", "" },
		{ "unreserved characters of RFC 3986", "AZaz09-._~", "AZaz09-._~" },
		{ "separators of a URL", "a&b=c#d?e", "a%26b%3Dc%23d%3Fe" },
		{ "a percent sign", "100%", "100%25" },
		{ "a space is not a plus", "a b+c", "a%20b%2Bc" },
		{ "a line break, which ends a header", "a\r\nb", "a%0D%0Ab" },
		{ "quotes and brackets, which end an attribute", "\"'<>", "%22%27%3C%3E" },
		{ "a semicolon, which ends a part of an intent", ";end", "%3Bend" },
		{ "UTF-8, byte by byte", "\xd0\xaf", "%D0%AF" },
		{ "bytes outside ASCII and control characters", "\xff\x7f\x01", "%FF%7F%01" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct strbuf sb;
		const char *out;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		form_add_encoded(&sb, table[i].s);
		assert_true(strbuf_finish(&sb, &out));
		same_text(table[i].label, out, table[i].expected);
		ctx_close(&ctx);
	}
}

static bool
read_in_arena(struct ctx *ctx, void *arg)
{
	struct form_field field[FIELDS];

	(void)arg;
	fields_of(field);
	if (!form_parse(ctx, "state=a+longer%20text&code=%31", field, FIELDS))
		return false;
	same_text("the first value", field[STATE].value, "a longer text");
	same_text("the second value", field[CODE].value, "1");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("two fields", read_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_form),
		cmocka_unit_test(decodes_a_value),
		cmocka_unit_test(encodes_all_but_unreserved_characters),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
