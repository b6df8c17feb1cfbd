/* test_app_redirect.c - every page and redirect, for every form of deep link that the configuration
 * accepts. */
#include "../../table.h"

#include "base/strbuf.h"
#include "redirect/app_redirect.h"
#include "redirect/deeplink.h"
#include "text/html.h"

#include <stdio.h>

static const struct {
	const char *label, *link;
	bool accepted;
} links[] = {
	{ "a scheme, a host and a path", "foryoure://amo-crm/callback", true },
	{ "a reversed domain and one slash", "com.example.app:/path", true },
	{ "a reversed domain and a longer path", "com.example.app:/oauth/amo-crm", true },
	{ "no slash", "foryoure:callback", true },
	{ "only a scheme", "foryoure:", true },
	{ "a scheme and two slashes", "foryoure://", true },
	{ "a scheme and three slashes", "foryoure:///callback", true },
	{ "only a host", "foryoure://callback", true },
	{ "a host with capitals, digits, '_' and '-'", "foryoure://Amo_CRM-2/callback", true },
	{ "a host and a port", "foryoure://amo-crm:8080/callback", true },
	{ "a port up to its limit", "foryoure://amo-crm:65535/", true },
	{ "a port over its limit", "foryoure://amo-crm:65536/", false },
	{ "a port that is no number", "foryoure://amo:crm/callback", false },
	{ "a port that is empty", "foryoure://amo-crm:/callback", false },
	{ "a port without a host", "foryoure://:80/callback", false },
	{ "a user name", "foryoure://me@amo-crm/callback", false },
	{ "'@' in the path", "foryoure://amo-crm/@me", true },
	{ "':' in the path", "foryoure://amo-crm/a:b", true },
	{ "a query", "foryoure://amo-crm/callback?from=crm", true },
	{ "a query without a path", "foryoure://amo-crm?from=crm", true },
	{ "an empty query", "foryoure://amo-crm/callback?", true },
	{ "a query behind one slash", "com.example.app:/path?from=crm", true },
	{ "the last of the characters", "app+1.b-c:/-._~:/@!$&()*+,=%2f", true },
	{ "an App Link", "https://foryou.example/callback", true },
	{ "an App Link with a port and a query", "https://foryou.example:8443/cb?a=b", true },
	{ "an App Link without a path", "https://foryou.example", true },
	{ "https without a host", "https:///callback", false },
	{ "https without //", "https:callback", false },
	{ "https with one slash", "https:/callback", false },
	{ "https with capitals in its host", "https://ForYou.example/callback", false },
	{ "https with an underscore in its host", "https://for_you.example/callback", false },
	{ "http without a host", "http:callback", false },
	{ "an escape", "foryoure://amo-crm/%D0%B0", true },
	{ "an escape cut short", "foryoure://amo-crm/%D", false },
	{ "an escape without digits", "foryoure://amo-crm/%zz", false },
	{ "a bracket, as of an IPv6 address", "foryoure://[::1]/callback", false },
	{ "letters that are not ASCII", "foryoure://\xd0\xb0", false },
	{ "a capital in the scheme", "ForYouRe://amo-crm/callback", false },
	{ "an intent of its own", "intent://amo-crm/callback", false },
	{ "a content: link", "content://com.example.app/x", false },
	{ "a parameter of the link's own named code", "foryoure://cb?code=1", false },
	{ "a later parameter named state", "foryoure://cb?a=b&state=", false },
	{ "a parameter named error", "foryoure://cb?error", false },
	{ "a parameter that begins like ours", "foryoure://cb?codes=1&statement=2", true },
	{ "no scheme", "//amo-crm/callback", false },
	{ "quotes around it", "\"foryoure://amo-crm/callback\"", false },
};

static const struct {
	const char *label, *package;
	bool accepted;
} packages[] = {
	{ "two words", "com.foryou", true },
	{ "three words, with '_', digits and capitals", "com.foryou_2.RealEstate", true },
	{ "single letters", "a.b", true },
	{ "one word", "foryou", false },
	{ "a digit at the beginning of a word", "com.4you", false },
	{ "'_' at the beginning of a word", "com._foryou", false },
	{ "a dot at the end", "com.foryou.", false },
	{ "two dots", "com..foryou", false },
	{ "a dot at the beginning", ".com.foryou", false },
	{ "a hyphen", "com.for-you", false },
	{ "nothing", "", false },
};

#define CHROME "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile"

static const struct {
	const char *label, *user_agent;
	bool intent;
} browsers[] = {
	{ "no user agent", NULL, false },
	{ "Chrome on Android", CHROME, true },
	{ "Firefox on Android", "Mozilla/5.0 (Android 15; Mobile; rv:132.0) Firefox/132.0", true },
	{ "a WebView on Android", "Mozilla/5.0 (Linux; Android 15; K; wv) Chrome/131.0.0.0",
	    false },
	{ "Safari on iOS", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1",
	    false },
	{ "a desktop", "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0", false },
};

static bool
accepts(const char *name, const char *value)
{
	const char *target;

	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (strcmp(key->section, "app") == 0 && strcmp(key->name, name) == 0) {
			bool accepted = key->parse(key, value, &target);

			/* a refusal has a reason, and only a refusal has one */
			DEMAND(value, accepted == (key->problem(value) == NULL));
			return accepted;
		}
	fail_msg("no key [app] %s", name);
	return false;
}

static void
accepts_links_that_browsers_and_phones_can_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(links); i++)
		if (accepts("deep_link", links[i].link) != links[i].accepted)
			fail_msg(
			    "%s: %s", links[i].label, links[i].accepted ? "refused" : "accepted");
}

static void
accepts_the_names_of_android_packages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(packages); i++)
		if (accepts("android_package", packages[i].package) != packages[i].accepted)
			fail_msg("%s: %s", packages[i].label,
			    packages[i].accepted ? "refused" : "accepted");
}

/* The link that Android's Intent.parseUri makes of an intent: URL for that package. */
static const char *
link_of_intent(struct ctx *ctx, const char *intent, const char *package)
{
	static const char scheme_is[] = "#Intent;scheme=";
	const char *fragment = strchr(intent, '#');
	const char *scheme, *end, *expected_end, *link;
	size_t scheme_len;

	assert_int_equal(strncmp(intent, "intent:", 7), 0);
	assert_non_null(fragment);
	assert_int_equal(strncmp(fragment, scheme_is, strlen(scheme_is)), 0);
	scheme = fragment + strlen(scheme_is);
	scheme_len = strcspn(scheme, ";");
	end = scheme + scheme_len;
	assert_true(ctx_printf(ctx, &expected_end, ";package=%s;end", package));
	assert_string_equal(end, expected_end);
	assert_true(ctx_printf(ctx, &link, "%.*s:%.*s", (int)scheme_len, scheme,
	    (int)(fragment - intent) - 7, intent + 7));
	return link;
}

static const char *
escaped(struct ctx *ctx, const char *link)
{
	struct strbuf sb;
	const char *text;

	strbuf_init(ctx, &sb);
	html_attr(&sb, link);
	assert_true(strbuf_finish(&sb, &text));
	return text;
}

static const char *
location_of(const struct response *res)
{
	for (size_t i = 0; i < res->header_count; i++)
		if (strcmp(res->headers[i].name, "Location") == 0)
			return res->headers[i].value;
	return "";
}

static const char *
link_for(struct ctx *ctx, const char *base, enum page_kind kind)
{
	static const char state[] = ";end#Intent;S.x=1;\"<'&\xd1\x8f";
	const char *link;

	assert_true(kind == PAGE_CONNECTED
		? deeplink_success(ctx, base, "def502", state, &link)
		: deeplink_error(ctx, base, "auth_failed", "It failed.", state, &link));
	return link;
}

static void
leads_to(struct ctx *ctx, const char *label, const struct config *cfg, const struct response *res,
    const char *link, const char *intent)
{
	if (intent != NULL)
		same_text(label, link_of_intent(ctx, intent, cfg->app.android_package), link);
	if (cfg->app.redirect == REDIRECT_302) {
		same_number(label, res->status, 302);
		same_text(label, location_of(res), intent != NULL ? intent : link);
		return;
	}
	same_number(label, res->status, 200);
	has_text(label, res->body, escaped(ctx, link));
	if (intent != NULL)
		has_text(label, res->body, escaped(ctx, intent));
	DEMAND(label, intent != NULL || strstr(res->body, "intent:") == NULL);
}

/* One response for each browser, language and kind of page. */
static void
try_all_visitors(const struct config *cfg, const char *label)
{
	struct ctx ctx;

	open_ctx(&ctx);
	for (size_t b = 0; b < ROWS(browsers); b++)
		for (const struct page_text *text = page_texts; text->language != NULL; text++)
			for (int kind = 0; kind < PAGE_KINDS; kind++) {
				const struct request req = {
					.user_agent = browsers[b].user_agent,
					.accept_language = text->language,
				};
				const char *link =
				    link_for(&ctx, cfg->app.deep_link, (enum page_kind)kind);
				const char *intent = NULL;
				struct response res;

				if (cfg->app.android_package != NULL && browsers[b].intent)
					assert_true(deeplink_intent(
					    &ctx, link, cfg->app.android_package, &intent));
				if (!app_redirect(
					&ctx, cfg, &req, (enum page_kind)kind, link, &res))
					fail_msg("%s, %s, %s: %s", label, browsers[b].label,
					    text->language, ctx.reason);
				leads_to(&ctx, label, cfg, &res, link, intent);
				ctx_wipe(&ctx);
			}
	ctx_close(&ctx);
}

static void
composes_every_response_for_every_accepted_link(void **state)
{
	static const int modes[] = { REDIRECT_PAGE, REDIRECT_BUTTON, REDIRECT_302 };

	(void)state;
	for (size_t i = 0; i < ROWS(links); i++)
		for (size_t p = 0; links[i].accepted && p < ROWS(packages); p++)
			for (size_t m = 0; m < ROWS(modes); m++) {
				struct config cfg = { .valid = true,
					.app = { .deep_link = links[i].link,
					    .redirect = modes[m],
					    .android_package = packages[p].package } };

				if (!packages[p].accepted)
					cfg.app.android_package = NULL;
				try_all_visitors(&cfg, links[i].label);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_links_that_browsers_and_phones_can_parse),
		cmocka_unit_test(accepts_the_names_of_android_packages),
		cmocka_unit_test(composes_every_response_for_every_accepted_link),
	};

	return cmocka_run_group_tests_name("app_redirect", tests, NULL, NULL);
}
