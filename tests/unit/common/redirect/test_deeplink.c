/* test_deeplink.c - the parameters of the deep links into the app. */
#include "../../table.h"

#include "redirect/deeplink.h"

#define BASE "foryoure://amo-crm/callback"

static void
passes_a_code_to_the_app(void **state)
{
	static const struct {
		const char *label, *base, *code, *state, *expected;
	} table[] = {
		{ "code and state", BASE, "def502", "s1", BASE "?code=def502&state=s1" },
		{ "no state: the parameter is empty", BASE, "def502", NULL,
		    BASE "?code=def502&state=" },
		{ "an empty state", BASE, "def502", "", BASE "?code=def502&state=" },
		{ "values that need escapes", BASE, "a&b", "c d", BASE "?code=a%26b&state=c%20d" },
		{ "a link that already has a query", "app:/x?y=1", "c", "s",
		    "app:/x?y=1&code=c&state=s" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *link;

		open_ctx(&ctx);
		assert_true(
		    deeplink_success(&ctx, table[i].base, table[i].code, table[i].state, &link));
		same_text(table[i].label, link, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
reports_an_error_to_the_app(void **state)
{
	static const struct {
		const char *label, *error, *description, *state, *expected;
	} table[] = {
		{ "error, description and state", "auth_failed", "It failed.", "s1",
		    BASE "?error=auth_failed&error_description=It%20failed.&state=s1" },
		{ "no state: the parameter is omitted", "auth_failed", "It failed.", NULL,
		    BASE "?error=auth_failed&error_description=It%20failed." },
		{ "an empty state", "auth_failed", "It failed.", "",
		    BASE "?error=auth_failed&error_description=It%20failed.&state=" },
		{ "no description", "access_denied", NULL, "s1",
		    BASE "?error=access_denied&state=s1" },
		{ "only the error", "access_denied", NULL, NULL, BASE "?error=access_denied" },
		{ "an error that needs escapes", "a&code=1", NULL, NULL,
		    BASE "?error=a%26code%3D1" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *link;

		open_ctx(&ctx);
		assert_true(deeplink_error(
		    &ctx, BASE, table[i].error, table[i].description, table[i].state, &link));
		same_text(table[i].label, link, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
builds_an_intent(void **state)
{
	static const struct {
		const char *label, *link;
		enum fault_kind expected;
		const char *intent;
	} table[] = {
		{ "a scheme of the app's own", BASE "?code=1&state=", FAULT_NONE,
		    "intent://amo-crm/callback?code=1&state=#Intent;scheme=foryoure;"
		    "package=com.foryou.realestate;end" },
		{ "an app link", "https://foryou.example/cb?code=1", FAULT_NONE,
		    "intent://foryou.example/cb?code=1#Intent;scheme=https;"
		    "package=com.foryou.realestate;end" },
		{ "a scheme without //", "foryoure:callback?code=1", FAULT_NONE,
		    "intent:callback?code=1#Intent;scheme=foryoure;"
		    "package=com.foryou.realestate;end" },
		{ "one slash", "com.example.app:/path?code=1", FAULT_NONE,
		    "intent:/path?code=1#Intent;scheme=com.example.app;"
		    "package=com.foryou.realestate;end" },
		{ "no scheme", "callback", FAULT_CONFIG, NULL },
		{ "an empty scheme", ":callback", FAULT_CONFIG, NULL },
		{ "an empty link", "", FAULT_CONFIG, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *intent;
		bool ok;

		open_ctx(&ctx);
		ok = deeplink_intent(&ctx, table[i].link, "com.foryou.realestate", &intent);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		if (ok)
			same_text(table[i].label, intent, table[i].intent);
		ctx_close(&ctx);
	}
}

static bool
links_in_arena(struct ctx *ctx, void *arg)
{
	const char *success;
	const char *error;
	const char *intent;

	(void)arg;
	if (!deeplink_success(ctx, BASE, "a b", "c", &success)
	    || !deeplink_error(ctx, BASE, "e", "d.", "c", &error)
	    || !deeplink_intent(ctx, success, "p.q", &intent))
		return false;
	assert_string_equal(success, BASE "?code=a%20b&state=c");
	assert_string_equal(error, BASE "?error=e&error_description=d.&state=c");
	has_text("the intent", intent, "#Intent;scheme=foryoure;package=p.q;");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("three links", links_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_a_code_to_the_app),
		cmocka_unit_test(reports_an_error_to_the_app),
		cmocka_unit_test(builds_an_intent),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("deeplink", tests, NULL, NULL);
}
