/* test_nested_form.c - how keys with brackets become JSON, the forms that amoCRM sends, and the
 * limits. */
#include "../../table.h"

#include "base/strbuf.h"
#include "text/json.h"
#include "text/json_compact.h"
#include "text/nested_form.h"
#include "web/serve.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT(s) s, sizeof s - 1

static void
nests_as_php_does(void **state)
{
	static const struct {
		const char *label, *form, *expected;
	} table[] = {
		{ "one pair", "a=1", "{\"a\":\"1\"}" },
		{ "no equals sign", "a", "{\"a\":\"\"}" },
		{ "an empty value", "a=", "{\"a\":\"\"}" },
		{ "an equals sign in the value", "a=b=c", "{\"a\":\"b=c\"}" },
		{ "empty pairs", "&&a=1&&b=2&", "{\"a\":\"1\",\"b\":\"2\"}" },
		{ "an empty name", "=1", "{\"\":\"1\"}" },
		{ "escapes and spaces in name and value", "a%20b+c=%D1%97+%2B",
		    "{\"a b c\":\"\xd1\x97 +\"}" },
		{ "an escaped ampersand and equals sign", "a%26%3D=%26%3D", "{\"a&=\":\"&=\"}" },
		{ "quotes and control characters", "a%22=%0A%5C%7F",
		    "{\"a\\\"\":\"\\u000a\\\\\\u007f\"}" },
		{ "a dot and a space in a name are kept", "a.b+c=1", "{\"a.b c\":\"1\"}" },

		{ "one level", "a[b]=1", "{\"a\":{\"b\":\"1\"}}" },
		{ "brackets escaped, as amoCRM sends them", "a%5Bb%5D=1", "{\"a\":{\"b\":\"1\"}}" },
		{ "three levels", "a[b][c][d]=1", "{\"a\":{\"b\":{\"c\":{\"d\":\"1\"}}}}" },
		{ "members of a level that are not adjacent", "a[b]=1&c=2&a[d]=3",
		    "{\"a\":{\"b\":\"1\",\"d\":\"3\"},\"c\":\"2\"}" },
		{ "members in the order of first appearance", "b=1&a=2&b=3",
		    "{\"b\":\"3\",\"a\":\"2\"}" },

		{ "an array", "a[0]=x&a[1]=y", "{\"a\":[\"x\",\"y\"]}" },
		{ "an array of one", "a[0]=x", "{\"a\":[\"x\"]}" },
		{ "an array in another order", "a[2]=z&a[0]=x&a[1]=y",
		    "{\"a\":[\"x\",\"y\",\"z\"]}" },
		{ "an array of more than ten",
		    "a[10]=k&a[9]=j&a[8]=i&a[7]=h&a[6]=g&a[5]=f&a[4]=e&a[3]=d&a[2]=c&a[1]=b&a[0]=a",
		    "{\"a\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\"]}" },
		{ "indexes from 1", "a[1]=x", "{\"a\":{\"1\":\"x\"}}" },
		{ "a missing index", "a[0]=x&a[2]=y", "{\"a\":{\"0\":\"x\",\"2\":\"y\"}}" },
		{ "a name among indexes", "a[0]=x&a[b]=y", "{\"a\":{\"0\":\"x\",\"b\":\"y\"}}" },
		{ "a leading zero is no index", "a[00]=x", "{\"a\":{\"00\":\"x\"}}" },
		{ "a sign is no index", "a[+0]=x&b[-0]=y",
		    "{\"a\":{\" 0\":\"x\"},\"b\":{\"-0\":\"y\"}}" },
		{ "a space is no index", "a[0+]=x", "{\"a\":{\"0 \":\"x\"}}" },
		{ "the outermost level is never an array", "0=x&1=y", "{\"0\":\"x\",\"1\":\"y\"}" },
		{ "an array of arrays", "a[0][0]=x&a[0][1]=y&a[1][0]=z",
		    "{\"a\":[[\"x\",\"y\"],[\"z\"]]}" },

		{ "appended", "a[]=x&a[]=y", "{\"a\":[\"x\",\"y\"]}" },
		{ "appended objects with one member each", "a[][b]=x&a[][b]=y",
		    "{\"a\":[{\"b\":\"x\"},{\"b\":\"y\"}]}" },
		{ "appended after an index", "a[5]=x&a[]=y", "{\"a\":{\"5\":\"x\",\"6\":\"y\"}}" },
		{ "appended after names", "a[b]=x&a[]=y", "{\"a\":{\"b\":\"x\",\"0\":\"y\"}}" },
		{ "appended, then set by its index", "a[]=x&a[0]=y", "{\"a\":[\"y\"]}" },
		{ "appended arrays of one value", "a[][]=x&a[][]=y", "{\"a\":[[\"x\"],[\"y\"]]}" },
		{ "appended after the largest index but one", "a[9223372036854775805]=x&a[]=y",
		    "{\"a\":{\"9223372036854775805\":\"x\",\"9223372036854775806\":\"y\"}}" },
		{ "a number too large for an index is a name", "a[9223372036854775808]=x&a[]=y",
		    "{\"a\":{\"9223372036854775808\":\"x\",\"0\":\"y\"}}" },

		{ "the last of two values wins", "a=1&a=2", "{\"a\":\"2\"}" },
		{ "the last of two nested values wins", "a[b]=1&a[b]=2", "{\"a\":{\"b\":\"2\"}}" },
		{ "a level after a value", "a=1&a[b]=2", "{\"a\":{\"b\":\"2\"}}" },
		{ "a value after a level", "a[b]=1&a=2", "{\"a\":\"2\"}" },
		{ "a level, a value, a level", "a[b]=1&a=2&a[c]=3", "{\"a\":{\"c\":\"3\"}}" },
		{ "appending starts again after a value", "a[]=x&a[]=y&a=1&a[]=z",
		    "{\"a\":[\"z\"]}" },
		{ "an escaped name is the same name", "a[b]=1&%61[%62]=2",
		    "{\"a\":{\"b\":\"2\"}}" },

		{ "a bracket left open", "a[b=1", "{\"a[b\":\"1\"}" },
		{ "the second bracket left open", "a[b][c=1", "{\"a[b][c\":\"1\"}" },
		{ "a closing bracket alone", "a]=1", "{\"a]\":\"1\"}" },
		{ "a letter after a bracket", "a[b]c=1", "{\"a[b]c\":\"1\"}" },
		{ "a letter between brackets", "a[b]c[d]=1", "{\"a[b]c[d]\":\"1\"}" },
		{ "a bracket inside brackets", "a[b[c]=1", "{\"a\":{\"b[c\":\"1\"}}" },
		{ "brackets without a name", "[a]=1", "{\"\":{\"a\":\"1\"}}" },
		{ "only brackets", "[]=1", "{\"\":[\"1\"]}" },

		{ "bytes that are not UTF-8", "a%FF=%C0%AF+%ED%A0%80",
		    "{\"a\xef\xbf\xbd\":\"\xef\xbf\xbd\xef\xbf\xbd "
		    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}" },
		{ "UTF-8 cut short", "a=%E2%82", "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"}" },
		{ "raw UTF-8", "a=\xd1\x97", "{\"a\":\"\xd1\x97\"}" },
		{ "a raw newline", "a=b\nc", "{\"a\":\"b\\u000ac\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *line = NULL;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = nested_form_to_json(&ctx, table[i].form, strlen(table[i].form), &line);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		same_text(table[i].label, line, table[i].expected);
		ctx_close(&ctx);
	}
}

/* Forms seen in amoCRM's webhooks, each of which may break a parser. */
static void
reads_what_amocrm_sends(void **state)
{
	static const struct {
		const char *label, *form, *expected;
	} table[] = {
		{ "the account first",
		    "account%5Bid%5D=2&account%5Bsubdomain%5D=x&leads%5Badd%5D%5B0%5D%5Bid%5D=1",
		    "{\"account\":{\"id\":\"2\",\"subdomain\":\"x\"},\"leads\":{\"add\":[{\"id\":"
		    "\"1\"}]}}" },
		{ "the account last, with its links",
		    "leads[status][0][id]=1&leads[status][0][status_id]=142&account[id]=2"
		    "&account[_links][self]=https%3A%2F%2Fx.amocrm.ru",
		    "{\"leads\":{\"status\":[{\"id\":\"1\",\"status_id\":\"142\"}]},\"account\":{"
		    "\"id\":"
		    "\"2\",\"_links\":{\"self\":\"https://x.amocrm.ru\"}}}" },
		{ "several entities, actions and items",
		    "leads[add][0][id]=1&leads[add][1][id]=2&leads[update][0][id]=3"
		    "&contacts[update][0][id]=4&account[id]=5",
		    "{\"leads\":{\"add\":[{\"id\":\"1\"},{\"id\":\"2\"}],\"update\":[{\"id\":\"3\"}"
		    "]},"
		    "\"contacts\":{\"update\":[{\"id\":\"4\"}]},\"account\":{\"id\":\"5\"}}" },
		{ "a huge number as a key",
		    "contacts[update][0][linked_leads_id][15319601][ID]=15319601",
		    "{\"contacts\":{\"update\":[{\"linked_leads_id\":{\"15319601\":{\"ID\":"
		    "\"15319601\"}}}]}}" },
		{ "a key of 20 digits", "a[12345678901234567890]=1",
		    "{\"a\":{\"12345678901234567890\":\"1\"}}" },
		{ "values as a list of objects",
		    "l[0][custom_fields][0][id]=7&l[0][custom_fields][0][values][0][value]=a"
		    "&l[0][custom_fields][0][values][1][value]=b",
		    "{\"l\":[{\"custom_fields\":[{\"id\":\"7\",\"values\":[{\"value\":\"a\"},{"
		    "\"value\":"
		    "\"b\"}]}]}]}" },
		{ "values as a list of scalars", "l[0][values][0]=a&l[0][values][1]=b",
		    "{\"l\":[{\"values\":[\"a\",\"b\"]}]}" },
		{ "values as one object", "l[0][values][value]=a&l[0][values][enum]=1",
		    "{\"l\":[{\"values\":{\"value\":\"a\",\"enum\":\"1\"}}]}" },
		{ "a scalar where a list is usual", "leads[delete]=5",
		    "{\"leads\":{\"delete\":\"5\"}}" },
		{ "two indexes", "task[update][0][0][id]=1&task[update][0][1][id]=2",
		    "{\"task\":{\"update\":[[{\"id\":\"1\"},{\"id\":\"2\"}]]}}" },
		{ "an empty name and a date that is not a number",
		    "leads[add][0][name]=&leads[add][0][date_create]=2026-11-22+04%3A19",
		    "{\"leads\":{\"add\":[{\"name\":\"\",\"date_create\":\"2026-11-22 "
		    "04:19\"}]}}" },
		{ "JSON inside a value",
		    "leads[note][0][note][metadata]=%7B%22a%22%3A%5B1%2C%22%5C%22%22%5D%7D",
		    "{\"leads\":{\"note\":[{\"note\":{\"metadata\":\"{\\\"a\\\":[1,"
		    "\\\"\\\\\\\"\\\"]}\"}}]}}" },
		{ "a note", "leads[note][0][note][text]=%D0%9F%D1%80%D0%B8%D0%B2%D1%96%D1%82",
		    "{\"leads\":{\"note\":[{\"note\":{\"text\":"
		    "\"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd1\x96"
		    "\xd1\x82\"}}]}}" },
		{ "a company among the contacts", "contacts[add][0][type]=company",
		    "{\"contacts\":{\"add\":[{\"type\":\"company\"}]}}" },
		{ "a message", "message[add][0][author][id]=1&message[add][0][text]=%F0%9F%A6%94",
		    "{\"message\":{\"add\":[{\"author\":{\"id\":\"1\"},\"text\":"
		    "\"\xf0\x9f\xa6\x94\"}]}}" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *line = NULL;
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(table[i].label, &ctx,
		    nested_form_to_json(&ctx, table[i].form, strlen(table[i].form), &line),
		    FAULT_NONE);
		same_text(table[i].label, line, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
refuses_a_malformed_form(void **state)
{
	static const struct {
		const char *label, *form;
		size_t len;
	} table[] = {
		{ "an empty form", TEXT("") },
		{ "only ampersands", TEXT("&&&") },
		{ "an escape that is not hex in a value", TEXT("a=%zz") },
		{ "an escape that is not hex in a name", TEXT("a%zz=1") },
		{ "an escape that is not hex in brackets", TEXT("a[%zz]=1") },
		{ "an escape cut short", TEXT("a=%4") },
		{ "an escape cut short by the next pair", TEXT("a=%4&b=1") },
		{ "a percent sign at the end", TEXT("a=%") },
		{ "a malformed escape after valid pairs", TEXT("a=1&b=2&c=%zz") },
		{ "an escaped NUL in a value", TEXT("a=%00") },
		{ "an escaped NUL in a name", TEXT("a%00=1") },
		{ "a raw NUL in a value", TEXT("a=\0") },
		{ "a raw NUL between pairs", TEXT("a=1&\0&b=2") },
		{ "appending after the largest index", TEXT("a[9223372036854775807]=x&a[]=y") },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *line;
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(table[i].label, &ctx,
		    nested_form_to_json(&ctx, table[i].form, table[i].len, &line), FAULT_REQUEST);
		ctx_close(&ctx);
	}
}

/* Limits, each tested at the limit and one above it. */

struct limit {
	const char *label;
	int max;
	void (*make)(struct strbuf *sb, int size);
};

static void
make_pairs(struct strbuf *sb, int pairs)
{
	for (int i = 0; i < pairs; i++)
		strbuf_addstr(sb, "a&");
}

static void
make_key(struct strbuf *sb, int bytes)
{
	for (int i = 0; i < bytes; i++)
		strbuf_addstr(sb, "%61");
}

static void
make_key_in_brackets(struct strbuf *sb, int bytes)
{
	strbuf_addstr(sb, "a[");
	for (int i = 3; i < bytes; i++)
		strbuf_addch(sb, 'b');
	strbuf_addstr(sb, "]=1");
}

static void
make_levels(struct strbuf *sb, int names)
{
	strbuf_addch(sb, 'a');
	for (int i = 1; i < names; i++)
		strbuf_addstr(sb, "[a]");
}

static void
make_appended_levels(struct strbuf *sb, int names)
{
	strbuf_addch(sb, 'a');
	for (int i = 1; i < names; i++)
		strbuf_addstr(sb, "[]");
}

static void
enforces_its_limits(void **state)
{
	static const struct limit limits[] = {
		{ "names in all keys", NESTED_FORM_NAMES_MAX, make_pairs },
		{ "decoded bytes of a key", NESTED_FORM_KEY_MAX, make_key },
		{ "bytes of a key in brackets", NESTED_FORM_KEY_MAX, make_key_in_brackets },
		{ "names in a key", NESTED_FORM_DEPTH_MAX, make_levels },
		{ "names in a key that appends", NESTED_FORM_DEPTH_MAX, make_appended_levels },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(limits); i++)
		for (int over = 0; over <= 1; over++) {
			const char *line;
			const char *form;
			struct ctx ctx;
			struct strbuf sb;

			assert_true(ctx_open(&ctx, SERVE_ARENA_SIZE));
			strbuf_init(&ctx, &sb);
			limits[i].make(&sb, limits[i].max + over);
			assert_true(strbuf_finish(&sb, &form));
			same_fault(limits[i].label, &ctx,
			    nested_form_to_json(&ctx, form, strlen(form), &line),
			    over ? FAULT_REQUEST : FAULT_NONE);
			if (!over)
				DEMAND(limits[i].label, json_compact_complete(line, strlen(line)));
			ctx_close(&ctx);
		}
}

/* The worst case that the web programs' arena must hold. */
static void
fits_the_worst_body_into_the_arena(void **state)
{
	const char *line;
	const char *form;
	struct ctx ctx;
	struct strbuf sb;

	(void)state;
	assert_true(ctx_open(&ctx, SERVE_ARENA_SIZE));
	strbuf_init(&ctx, &sb);
	for (int i = 0; i < NESTED_FORM_NAMES_MAX / NESTED_FORM_DEPTH_MAX; i++) {
		strbuf_addf(&sb, "%x", i);
		for (int depth = 1; depth < NESTED_FORM_DEPTH_MAX; depth++)
			strbuf_addstr(&sb, "[a]");
		strbuf_addch(&sb, '&');
	}
	assert_true(strbuf_finish(&sb, &form));
	assert_true(strlen(form) < 1048576);
	same_fault("a form of levels only", &ctx,
	    nested_form_to_json(&ctx, form, strlen(form), &line), FAULT_NONE);
	assert_true(json_compact_complete(line, strlen(line)));
	ctx_close(&ctx);
}

/* Random bodies of special characters: the result is a fault, or one JSON object that json-c
 * parses. */
static void
writes_valid_json_for_random_input(void **state)
{
	static const char *const pieces[] = { "a", "b", "0", "1", "2", "[", "]", "[0]", "[1]", "[]",
		"[a]", "=", "&", "&", "=x&", "%5B", "%5D", "+", "%22", "%5C", "%FF", "%0A", "\xff",
		"account", "%D1%97" };
	unsigned seed = 20261122;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char form[256] = "";
		const char *line;
		struct json_object *doc;
		struct ctx ctx;

		assert_true(ctx_open(&ctx, 65536));
		for (int i = 0; i < 30; i++) {
			seed = seed * 1103515245 + 12345;
			strncat(form, pieces[(seed >> 16) % ROWS(pieces)], 8);
		}
		if (nested_form_to_json(&ctx, form, strlen(form), &line)) {
			doc = json_parse(line, strlen(line));
			if (doc == NULL || !json_compact_complete(line, strlen(line)))
				fail_msg("%s becomes %s", form, line);
			json_object_put(doc);
		} else
			same_number(form, ctx.kind, FAULT_REQUEST);
		ctx_close(&ctx);
	}
}

static bool
convert_in_arena(struct ctx *ctx, void *arg)
{
	const char *line;

	(void)arg;
	if (!nested_form_to_json(ctx, TEXT("a[b][]=1&a[b][]=2&c=%D1%97&a[b][0][d]=3"), &line))
		return false;
	same_text("in the smallest arena", line,
	    "{\"a\":{\"b\":[{\"d\":\"3\"},\"2\"]},\"c\":\"\xd1\x97\"}");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a form", convert_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nests_as_php_does),
		cmocka_unit_test(reads_what_amocrm_sends),
		cmocka_unit_test(refuses_a_malformed_form),
		cmocka_unit_test(enforces_its_limits),
		cmocka_unit_test(fits_the_worst_body_into_the_arena),
		cmocka_unit_test(writes_valid_json_for_random_input),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("nested form", tests, NULL, NULL);
}
