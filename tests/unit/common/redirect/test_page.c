/* test_page.c - the redirect page: its languages, texts and links, and its Content-Security-Policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redirect/page.h"

#define ARENA 131072
#define LINK  "foryoure://amo-crm/callback?code=def502&state="

static const char *
render(struct ctx *ctx, const struct page *page)
{
	const char *html, *language;

	if (!page_render(ctx, page, &html, &language))
		fail_msg("not rendered: %s", ctx->reason);
	return html;
}

static void
has(const char *label, const char *html, const char *needle)
{
	if (strstr(html, needle) == NULL)
		fail_msg("%s: no %s", label, needle);
}

static void
has_no(const char *label, const char *html, const char *needle)
{
	if (strstr(html, needle) != NULL)
		fail_msg("%s: %s is there", label, needle);
}

#define COMMAS_64  ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"
#define COMMAS_448 COMMAS_64 COMMAS_64 COMMAS_64 COMMAS_64 COMMAS_64 COMMAS_64 COMMAS_64
#define COMMAS_508 COMMAS_448 ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"

static void
chooses_the_preferred_language(void **state)
{
	static const struct {
		const char *label, *accept_language, *expected;
	} table[] = {
		{ "no header", NULL, "en" },
		{ "an empty header", "", "en" },
		{ "Ukrainian", "uk", "uk" },
		{ "a language with a region", "uk-UA", "uk" },
		{ "another case", "RU-ru", "ru" },
		{ "the header of a usual phone", "uk-UA,uk;q=0.9,ru;q=0.8,en-US;q=0.7,en;q=0.6",
		    "uk" },
		{ "the highest quality value, not the first", "en;q=0.3, ru;q=0.8, uk;q=0.7",
		    "ru" },
		{ "the first of equal quality values", "ru,uk,en", "ru" },
		{ "no quality value is the highest one", "uk;q=0.9,ru", "ru" },
		{ "the third decimal counts", "uk;q=0.501,ru;q=0.502", "ru" },
		{ "q=1.000", "uk;q=0.999,ru;q=1.000", "ru" },
		{ "a capital Q, as ABNF allows", "uk;Q=0.2,ru;q=0.1", "uk" },
		{ "a quality value of zero", "uk;q=0, ru;q=0.1", "ru" },
		{ "only a quality value of zero", "ru;q=0.0", "en" },
		{ "a language that the page does not have", "kk-KZ,kk;q=0.9", "en" },
		{ "a language of the page after another", "kk,ru;q=0.5", "ru" },
		{ "only the wildcard", "*", "en" },
		{ "a language before the wildcard", "uk;q=0.8,*;q=0.5", "uk" },
		{ "the wildcard before a language", "de,*;q=0.5,ru;q=0.3", "en" },
		{ "a longer subtag is another language", "ukr,rus", "en" },
		{ "a shorter subtag is another language", "u,r", "en" },
		{ "spaces and tabs", " \tuk ; q=0.5\t,  ru ;\tq=0.6  ", "ru" },
		{ "empty elements", ",,uk,,", "uk" },
		{ "a quality value over 1", "uk;q=1.1,ru;q=0.1", "ru" },
		{ "a quality value of four decimals", "uk;q=0.1234,ru;q=0.1", "ru" },
		{ "a quality value without digits", "uk;q=,ru;q=0.1", "ru" },
		{ "a negative quality value", "uk;q=-1,ru;q=0.1", "ru" },
		{ "a word as quality value", "uk;q=high,ru;q=0.1", "ru" },
		{ "another parameter", "uk;level=1,ru;q=0.1", "ru" },
		{ "a parameter after the quality value", "uk;q=0.9;x,ru;q=0.1", "ru" },
		{ "only separators", ";;==,,;", "en" },
		{ "bytes that are not UTF-8", "\xFF\xFE\x01", "en" },
		{ "an element within 512 bytes", COMMAS_508 "uk", "uk" },
		{ "an element that ends at 512 bytes", COMMAS_508 ",,uk", "uk" },
		{ "an element that ends after 512 bytes is ignored", COMMAS_508 ",,,uk", "en" },
		{ "an element cut at 512 bytes is ignored", COMMAS_508 "ru,uk;q=0.1", "ru" },
		{ "an element without its whole quality value is ignored", COMMAS_508 "uk;q=0.1,ru",
		    "en" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct page page = { .link = LINK,
			.accept_language = table[i].accept_language };
		const char *html, *language;
		char lang[16];
		struct ctx ctx;

		assert_true(ctx_open(&ctx, ARENA));
		assert_true(page_render(&ctx, &page, &html, &language));
		if (strcmp(language, table[i].expected) != 0)
			fail_msg("%s: %s, not %s", table[i].label, language, table[i].expected);
		snprintf(lang, sizeof(lang), "lang=\"%s\"", language);
		has(table[i].label, html, lang);
		ctx_close(&ctx);
	}
}

static void
has_every_text_in_every_language(void **state)
{
	(void)state;
	for (const struct page_text *text = page_texts; text->language != NULL; text++)
		for (int kind = 0; kind < PAGE_KINDS; kind++) {
			const struct page page = { .kind = (enum page_kind)kind,
				.link = LINK,
				.app_name = "ForYouRe",
				.accept_language = text->language };
			struct ctx ctx;
			const char *html;

			assert_true(ctx_open(&ctx, ARENA));
			html = render(&ctx, &page);
			has(text->language, html, text->by_kind[kind].heading);
			has(text->language, html, "ForYouRe");
			has(text->language, html, "<svg");
			/* Cloudflare's Rocket Loader would replace any other script */
			has(text->language, html, "<script data-cfasync=\"false\">");
			has_no(text->language, html, "{app}");
			has_no(text->language, html, "{{");
			ctx_close(&ctx);
		}
}

static void
names_the_app(void **state)
{
	static const struct {
		const char *label, *name, *language, *expected;
	} table[] = {
		{ "a name", "ForYouRe", "uk", ">Відкрити ForYouRe</a>" },
		{ "no name, Ukrainian", NULL, "uk", ">Відкрити застосунок</a>" },
		{ "no name, Russian", "", "ru", ">Открыть приложение</a>" },
		{ "no name, English", NULL, "en", ">Open the app</a>" },
		{ "the configuration's default", "the app", "ru", ">Открыть приложение</a>" },
		{ "markup in the name", "<b>&\"", "en", ">Open &lt;b&gt;&amp;\"</a>" },
		{ "our own placeholder in the name", "{app}", "en", ">Open {app}</a>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct page page = { .link = LINK,
			.app_name = table[i].name,
			.accept_language = table[i].language };
		struct ctx ctx;

		assert_true(ctx_open(&ctx, ARENA));
		has(table[i].label, render(&ctx, &page), table[i].expected);
		ctx_close(&ctx);
	}
}

#define BUTTON  "id=\"open\" href=\""
#define ESCAPED "foryoure://amo-crm/callback?code=def502&amp;state=\""
#define REFRESH "<noscript><meta http-equiv=\"refresh\" content=\"0; url="

static void
opens_the_app_without_a_tap_only_if_automatic(void **state)
{
	struct page page = { .link = LINK, .automatic = true };
	struct ctx ctx;
	const char *html;

	(void)state;
	assert_true(ctx_open(&ctx, ARENA));
	html = render(&ctx, &page);
	has("automatic", html, BUTTON ESCAPED " data-auto>");
	has("automatic", html, REFRESH ESCAPED);

	page.automatic = false;
	html = render(&ctx, &page);
	has("button", html, BUTTON ESCAPED ">");
	has_no("button", html, " data-auto>");
	has_no("button", html, "http-equiv");
	ctx_close(&ctx);
}

static void
offers_the_intent_before_the_deep_link(void **state)
{
	struct page page = { .link = LINK,
		.automatic = true,
		.intent = "intent://amo-crm/callback?code=def502#Intent;scheme=foryoure;end" };
	struct ctx ctx;
	const char *html, *button, *second;

	(void)state;
	assert_true(ctx_open(&ctx, ARENA));
	html = render(&ctx, &page);
	has("intent", html, REFRESH "intent://");
	button = strstr(html, BUTTON "intent://");
	second = strstr(html, "<a class=\"link\" href=\"" ESCAPED);
	assert_non_null(button);
	assert_non_null(second);
	assert_true(button < second);

	page.intent = NULL;
	has_no("plain", render(&ctx, &page), "class=\"link\"");
	ctx_close(&ctx);
}

static void
escapes_every_value(void **state)
{
	static const char hostile[] = "x:\"><script>alert(1)</script>'&";
	const struct page page = {
		.link = hostile, .intent = hostile, .app_name = hostile, .automatic = true
	};
	struct ctx ctx;
	const char *html;

	(void)state;
	assert_true(ctx_open(&ctx, ARENA));
	html = render(&ctx, &page);
	has_no("hostile", html, "<script>alert");
	has_no("hostile", html, "=\"x:\"");
	has("hostile", html,
	    BUTTON "x:&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;\"");
	ctx_close(&ctx);
}

static void
has_a_strict_content_security_policy(void **state)
{
	(void)state;
	has("policy", redirect_page_csp, "default-src 'none'; ");
	has("policy", redirect_page_csp, "style-src 'sha256-");
	has("policy", redirect_page_csp, "script-src 'sha256-");
	has("policy", redirect_page_csp, "base-uri 'none'");
	has("policy", redirect_page_csp, "form-action 'none'");
	has("policy", redirect_page_csp, "frame-ancestors 'none'");
	has_no("policy", redirect_page_csp, "unsafe");
	assert_null(strpbrk(redirect_page_csp, "\r\n"));
}

static void
reports_a_full_arena(void **state)
{
	const struct page page = { .link = LINK, .app_name = "ForYouRe", .automatic = true };
	struct ctx ctx;
	const char *html, *language;
	size_t needed;

	(void)state;
	assert_true(ctx_open(&ctx, ARENA));
	render(&ctx, &page);
	needed = ctx.used;
	ctx_close(&ctx);

	for (size_t arena = 1; arena <= needed; arena++) {
		bool rendered;

		assert_true(ctx_open(&ctx, arena));
		rendered = page_render(&ctx, &page, &html, &language);
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
		cmocka_unit_test(chooses_the_preferred_language),
		cmocka_unit_test(has_every_text_in_every_language),
		cmocka_unit_test(names_the_app),
		cmocka_unit_test(opens_the_app_without_a_tap_only_if_automatic),
		cmocka_unit_test(offers_the_intent_before_the_deep_link),
		cmocka_unit_test(escapes_every_value),
		cmocka_unit_test(has_a_strict_content_security_policy),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
