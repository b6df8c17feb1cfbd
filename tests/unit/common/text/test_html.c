/* test_html.c - escaping for each context, and rendering a template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "text/html.h"

#define ARENA 65536

static void
expect(const char *label, const char *got, const char *expected)
{
	if (strcmp(got, expected) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", label, got, expected);
}

static void
escapes_for_each_context(void **state)
{
	static const struct {
		const char *label, *s, *text, *attr; /* attr NULL: as text */
	} table[] = {
		{ "an empty string", "", "", NULL },
		{ "plain text", "ForYouRe 2", "ForYouRe 2", NULL },
		{ "a tag", "<b>", "&lt;b&gt;", NULL },
		{ "an ampersand of an entity", "&amp;", "&amp;amp;", NULL },
		{ "quotes", "\"it's\"", "\"it's\"", "&quot;it&#39;s&quot;" },
		{ "an attempt to end an attribute", "\" onclick=\"x()", "\" onclick=\"x()",
		    "&quot; onclick=&quot;x()" },
		{ "adjacent special characters", "<<>>", "&lt;&lt;&gt;&gt;", NULL },
		{ "special characters at both ends", "&a&", "&amp;a&amp;", NULL },
		{ "Cyrillic", "Київ", "Київ", NULL },
		{ "above U+FFFF", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80", NULL },
		{ "tab and newline", "a\tb\nc", "a\tb\nc", NULL },
		{ "other C0 control characters", "a\x01\r\x1F", "a\uFFFD\uFFFD\uFFFD", NULL },
		{ "DEL", "a\x7F", "a\uFFFD", NULL },
		{ "C1 control characters", "\xC2\x80\xC2\x9F", "\uFFFD\uFFFD", NULL },
		{ "the no-break space after C1", "\xC2\xA0", "\xC2\xA0", NULL },
		{ "invalid bytes, each replaced", "\xFF\xFE", "\uFFFD\uFFFD", NULL },
		{ "overlong <", "\xC0\xBC", "\uFFFD\uFFFD", NULL },
		{ "a surrogate", "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD", NULL },
		{ "above U+10FFFF", "\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD", NULL },
		{ "UTF-8 cut short before a special character", "\xE2\x82<", "\uFFFD\uFFFD&lt;",
		    NULL },
		{ "UTF-8 cut short at the end", "a\xE2\x82", "a\uFFFD\uFFFD", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct ctx ctx;
		struct strbuf sb;
		const char *out;

		assert_true(ctx_open(&ctx, ARENA));
		strbuf_init(&ctx, &sb);
		html_text(&sb, table[i].s);
		assert_true(strbuf_finish(&sb, &out));
		expect(table[i].label, out, table[i].text);

		strbuf_init(&ctx, &sb);
		html_attr(&sb, table[i].s);
		assert_true(strbuf_finish(&sb, &out));
		expect(table[i].label, out, table[i].attr == NULL ? table[i].text : table[i].attr);
		ctx_close(&ctx);
	}
}

static const struct html_part template[] = {
	{ HTML_LITERAL, "<p title=\"" },
	{ HTML_ATTR, "name" },
	{ HTML_LITERAL, "\">" },
	{ HTML_TEXT, "name" },
	{ HTML_IF, "link" },
	{ HTML_LITERAL, "<a href=\"" },
	{ HTML_ATTR, "link" },
	{ HTML_LITERAL, "\">" },
	{ HTML_ENDIF, NULL },
	{ HTML_LITERAL, "</p>" },
	{ HTML_END, NULL },
};

static void
escapes_each_slot_for_its_context(void **state)
{
	static const struct {
		const char *label, *name, *link, *expected;
	} table[] = {
		{ "all slots given", "\"a\"", "x:y?b&c",
		    "<p title=\"&quot;a&quot;\">\"a\"<a href=\"x:y?b&amp;c\"></p>" },
		{ "the optional part without a value", "a", NULL, "<p title=\"a\">a</p>" },
		{ "the optional part with an empty value", "a", "", "<p title=\"a\">a</p>" },
		{ "a slot without a value", NULL, NULL, "<p title=\"\"></p>" },
		{ "a slot inside a value is text", "{{text:link}}", NULL,
		    "<p title=\"{{text:link}}\">{{text:link}}</p>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct html_slot slots[] = { { "name", table[i].name },
			{ "link", table[i].link }, { NULL, NULL } };
		struct ctx ctx;
		const char *page;

		assert_true(ctx_open(&ctx, ARENA));
		if (!html_render(&ctx, template, slots, &page))
			fail_msg("%s: %s", table[i].label, ctx.reason);
		expect(table[i].label, page, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
refuses_a_missing_slot(void **state)
{
	static const struct html_slot no_name[] = { { "link", "x" }, { NULL, NULL } };
	static const struct html_slot no_link[] = { { "name", "x" }, { NULL, NULL } };
	const struct html_slot *const incomplete[] = { no_name, no_link };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ctx ctx;
		const char *page;

		assert_true(ctx_open(&ctx, ARENA));
		assert_false(html_render(&ctx, template, incomplete[i], &page));
		assert_int_equal(ctx.kind, FAULT_SERVER);
		ctx_close(&ctx);
	}
}

static void
reports_a_full_arena(void **state)
{
	static const struct html_slot slots[] = { { "name", "<\xFF>" }, { "link", "x:'" },
		{ NULL, NULL } };
	const char *page;
	struct ctx ctx;
	size_t needed;

	(void)state;
	assert_true(ctx_open(&ctx, ARENA));
	assert_true(html_render(&ctx, template, slots, &page));
	needed = strlen(page) + 1;
	ctx_close(&ctx);

	for (size_t arena = 1; arena <= needed; arena++) {
		bool rendered;

		assert_true(ctx_open(&ctx, arena));
		rendered = html_render(&ctx, template, slots, &page);
		if (rendered != (arena == needed))
			fail_msg("an arena of %zu bytes of %zu", arena, needed);
		assert_int_equal(ctx.kind, rendered ? FAULT_NONE : FAULT_SERVER);
		ctx_close(&ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_for_each_context),
		cmocka_unit_test(escapes_each_slot_for_its_context),
		cmocka_unit_test(refuses_a_missing_slot),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}
