/* test_endpoints.c - our five URLs, and the form of redirect_uri from which they are derived. */
#include "../../table.h"

#include "config/endpoints.h"

#include <stdio.h>

#define URI "https://crm.example.com/api/amo-crm/callback"

static void
builds_the_five_urls(void **state)
{
	static const struct {
		enum endpoint endpoint;
		const char *name, *url;
	} table[] = {
		{ ENDPOINT_CALLBACK, "callback", URI },
		{ ENDPOINT_EXCHANGE_CODE, "exchange-code",
		    "https://crm.example.com/api/amo-crm/exchange-code" },
		{ ENDPOINT_STATUS, "status", "https://crm.example.com/api/amo-crm/status" },
		{ ENDPOINT_DISCONNECT, "disconnect",
		    "https://crm.example.com/api/amo-crm/disconnect" },
		{ ENDPOINT_WEBHOOK, "webhook", "https://crm.example.com/api/amo-crm/webhook" },
	};

	(void)state;
	assert_int_equal(ROWS(table), ENDPOINTS);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *url;
		bool ok;

		open_ctx(&ctx);
		ok = endpoint_url(&ctx, URI, table[i].endpoint, &url);
		same_fault(table[i].name, &ctx, ok, FAULT_NONE);
		same_text(table[i].name, url, table[i].url);
		same_text(table[i].name, endpoint_name(table[i].endpoint), table[i].name);
		ctx_close(&ctx);
	}
}

static void
derives_a_url_from_redirect_uri(void **state)
{
	static const struct {
		const char *label, *redirect_uri, *url; /* NULL: FAULT_CONFIG */
	} table[] = {
		{ "a port", "https://crm.example.com:8443/api/amo-crm/callback",
		    "https://crm.example.com:8443/api/amo-crm/status" },
		{ "http", "http://localhost:8080/api/amo-crm/callback",
		    "http://localhost:8080/api/amo-crm/status" },
		{ "a path before the endpoint path",
		    "https://crm.example.com/two/api/amo-crm/callback",
		    "https://crm.example.com/two/api/amo-crm/status" },
		{ "another path", "https://crm.example.com/crm/callback",
		    "https://crm.example.com/crm/status" },
		{ "IPv6", "https://[2001:db8::1]:8443/api/amo-crm/callback",
		    "https://[2001:db8::1]:8443/api/amo-crm/status" },
		{ "upper case in the host", "https://CRM.example.com/api/amo-crm/callback",
		    "https://CRM.example.com/api/amo-crm/status" },
		{ "no path", "https://crm.example.com", NULL },
		{ "another last segment", "https://crm.example.com/api/amo-crm/status", NULL },
		{ "a longer last segment", "https://crm.example.com/api/amo-crm/mycallback", NULL },
		{ "a slash at the end", URI "/", NULL },
		{ "a query", URI "?a=1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *url = NULL;
		bool ok;

		open_ctx(&ctx);
		ok = endpoint_url(&ctx, table[i].redirect_uri, ENDPOINT_STATUS, &url);
		same_fault(
		    table[i].label, &ctx, ok, table[i].url == NULL ? FAULT_CONFIG : FAULT_NONE);
		if (ok)
			same_text(table[i].label, url, table[i].url);
		else
			has_text(table[i].label, ctx.reason, table[i].redirect_uri);
		ctx_close(&ctx);
	}
}

static void
adds_the_key_to_the_webhook_url(void **state)
{
	static const struct {
		const char *label, *redirect_uri, *secret, *url; /* url NULL: FAULT_CONFIG */
	} table[] = {
		{ "a key", URI, "0123456789abcdef",
		    "https://crm.example.com/api/amo-crm/webhook?key=0123456789abcdef" },
		{ "a key that has to be encoded", URI, "a+b&c d%/=\xc3\xa4",
		    "https://crm.example.com/api/amo-crm/"
		    "webhook?key=a%2Bb%26c%20d%25%2F%3D%C3%A4" },
		{ "no key", URI, NULL, "https://crm.example.com/api/amo-crm/webhook" },
		{ "a redirect_uri that does not end in callback", URI "/", "0123456789abcdef",
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct config cfg = { .amocrm.redirect_uri = table[i].redirect_uri,
			.webhook.secret = table[i].secret };
		struct ctx ctx;
		const char *url;
		bool ok;

		open_ctx(&ctx);
		ok = endpoint_webhook_url(&ctx, &cfg, &url);
		same_fault(
		    table[i].label, &ctx, ok, table[i].url == NULL ? FAULT_CONFIG : FAULT_NONE);
		if (ok)
			same_text(table[i].label, url, table[i].url);
		ctx_close(&ctx);
	}
}

static void
recognizes_our_own_urls(void **state)
{
	static const struct {
		const char *label, *redirect_uri, *url;
		bool own;
	} table[] = {
		{ "the webhook", URI, "https://crm.example.com/api/amo-crm/webhook", true },
		{ "the webhook with its key", URI,
		    "https://crm.example.com/api/amo-crm/webhook?key=x", true },
		{ "only the endpoint path", URI, "https://crm.example.com/api/amo-crm/", true },
		{ "the endpoint path without its slash", URI, "https://crm.example.com/api/amo-crm",
		    false },
		{ "another path", URI, "https://crm.example.com/events", false },
		{ "another host", URI, "https://events.example.com/api/amo-crm/webhook", false },
		{ "another port", URI, "https://crm.example.com:8443/api/amo-crm/webhook", false },
		{ "another scheme", URI, "http://crm.example.com/api/amo-crm/webhook", false },
		{ "another path before the endpoint path",
		    "https://crm.example.com/two/api/amo-crm/callback",
		    "https://crm.example.com/api/amo-crm/webhook", false },
		{ "the same path before the endpoint path",
		    "https://crm.example.com/two/api/amo-crm/callback",
		    "https://crm.example.com/two/api/amo-crm/webhook", true },
		{ "a redirect_uri outside the endpoint path", "https://crm.example.com/callback",
		    "https://crm.example.com/webhook", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		DEMAND(table[i].label,
		    endpoint_is_own(table[i].redirect_uri, table[i].url) == table[i].own);
}

static void
splits_redirect_uri(void **state)
{
	static const struct {
		const char *label, *redirect_uri;
		struct endpoints_site site; /* base NULL: FAULT_CONFIG */
	} table[] = {
		{ "a usual redirect_uri", URI,
		    { "https://crm.example.com", "crm.example.com", "", "example.com",
			"http://crm.example.com" } },
		{ "a port", "https://crm.example.com:8443/api/amo-crm/callback",
		    { "https://crm.example.com:8443", "crm.example.com", ":8443", "example.com",
			"http://crm.example.com:8443" } },
		{ "a path before the endpoint path",
		    "https://crm.example.com/a.b.c/api/amo-crm/callback",
		    { "https://crm.example.com/a.b.c", "crm.example.com", "/a.b.c", "example.com",
			"http://crm.example.com/a.b.c" } },
		{ "the endpoint path twice",
		    "https://crm.example.com/api/amo-crm/callback/api/amo-crm/callback",
		    { URI, "crm.example.com", "/api/amo-crm/callback", "example.com",
			"http://crm.example.com/api/amo-crm/callback" } },
		{ "http", "http://localhost:8080/api/amo-crm/callback",
		    { "http://localhost:8080", "localhost", ":8080", NULL, NULL } },
		{ "two labels", "https://example.com/api/amo-crm/callback",
		    { "https://example.com", "example.com", "", NULL, "http://example.com" } },
		{ "four labels", "https://a.crm.example.com/api/amo-crm/callback",
		    { "https://a.crm.example.com", "a.crm.example.com", "", "crm.example.com",
			"http://a.crm.example.com" } },
		{ "IPv6", "https://[2001:db8::1]:8443/api/amo-crm/callback",
		    { "https://[2001:db8::1]:8443", "[2001:db8::1]", ":8443", NULL,
			"http://[2001:db8::1]:8443" } },
		{ "IPv4 in IPv6", "https://[::ffff:192.0.2.1]/api/amo-crm/callback",
		    { "https://[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", "", NULL,
			"http://[::ffff:192.0.2.1]" } },
		{ "a bracket that is not closed", "https://[::1/api/amo-crm/callback",
		    { "https://[::1", "[::1", "", NULL, "http://[::1" } },
		{ "upper case in the host", "https://CRM.Example.com/api/amo-crm/callback",
		    { "https://CRM.Example.com", "CRM.Example.com", "", "Example.com",
			"http://CRM.Example.com" } },
		{ "a user name", "https://me.too@crm.example.com/api/amo-crm/callback",
		    { "https://me.too@crm.example.com", "crm.example.com", "", "example.com",
			"http://me.too@crm.example.com" } },
		{ "a password", "https://me:pass@crm.example.com/api/amo-crm/callback",
		    { "https://me:pass@crm.example.com", "crm.example.com", "", "example.com",
			"http://me:pass@crm.example.com" } },
		{ "@ in the path", "https://crm.example.com/@/api/amo-crm/callback",
		    { "https://crm.example.com/@", "crm.example.com", "/@", "example.com",
			"http://crm.example.com/@" } },
		{ "another path", "https://crm.example.com/callback", { NULL } },
		{ "the old path", "https://crm.example.com/api/v1/integrations/amo-crm/callback",
		    { NULL } },
		{ "a slash at the end", URI "/", { NULL } },
		{ "a query", URI "?a=1", { NULL } },
		{ "upper case in the path", "https://crm.example.com/api/amo-crm/Callback",
		    { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct endpoints_site *expected = &table[i].site;
		struct endpoints_site site;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = endpoints_site(&ctx, table[i].redirect_uri, &site);
		same_fault(
		    table[i].label, &ctx, ok, expected->base == NULL ? FAULT_CONFIG : FAULT_NONE);
		if (ok) {
			same_text(table[i].label, site.base, expected->base);
			same_text(table[i].label, site.host, expected->host);
			same_text(table[i].label, site.port_and_path, expected->port_and_path);
			same_text(table[i].label, site.parent, expected->parent);
			same_text(table[i].label, site.plain_base, expected->plain_base);
		}
		ctx_close(&ctx);
	}
}

static void
finds_the_problem_of_redirect_uri(void **state)
{
	static const struct {
		const char *label, *redirect_uri;
		enum redirect_uri_problem problem, trial_problem;
	} table[] = {
		{ "a usual redirect_uri", URI, REDIRECT_URI_OK, REDIRECT_URI_OK },
		{ "a port", "https://crm.example.com:8443/api/amo-crm/callback", REDIRECT_URI_OK,
		    REDIRECT_URI_OK },
		{ "a path before the endpoint path",
		    "https://crm.example.com/two/api/amo-crm/callback", REDIRECT_URI_OK,
		    REDIRECT_URI_OK },
		{ "IPv6", "https://[2001:db8::1]/api/amo-crm/callback", REDIRECT_URI_OK,
		    REDIRECT_URI_OK },
		{ "the old path", "https://crm.example.com/api/v1/integrations/amo-crm/callback",
		    REDIRECT_URI_OLD_PATH, REDIRECT_URI_OLD_PATH },
		{ "the old path and a slash",
		    "https://crm.example.com/api/v1/integrations/amo-crm/callback/",
		    REDIRECT_URI_OLD_PATH, REDIRECT_URI_OLD_PATH },
		{ "a query", URI "?a=1", REDIRECT_URI_QUERY, REDIRECT_URI_QUERY },
		{ "a slash at the end", URI "/", REDIRECT_URI_TRAILING_SLASH,
		    REDIRECT_URI_TRAILING_SLASH },
		{ "upper case in the host", "https://CRM.example.com/api/amo-crm/callback",
		    REDIRECT_URI_UPPER_CASE, REDIRECT_URI_UPPER_CASE },
		{ "upper case in the path", "https://crm.example.com/api/amo-crm/Callback",
		    REDIRECT_URI_UPPER_CASE, REDIRECT_URI_UPPER_CASE },
		{ "a user name", "https://me@crm.example.com/api/amo-crm/callback",
		    REDIRECT_URI_USER_NAME, REDIRECT_URI_USER_NAME },
		{ "@ in the path", "https://crm.example.com/@/api/amo-crm/callback",
		    REDIRECT_URI_OK, REDIRECT_URI_OK },
		{ "another path", "https://crm.example.com/callback", REDIRECT_URI_OTHER_PATH,
		    REDIRECT_URI_OTHER_PATH },
		{ "another program", "https://crm.example.com/api/amo-crm/webhook",
		    REDIRECT_URI_OTHER_PATH, REDIRECT_URI_OTHER_PATH },
		{ "no path", "https://crm.example.com", REDIRECT_URI_OTHER_PATH,
		    REDIRECT_URI_OTHER_PATH },
		{ "http", "http://localhost:8080/api/amo-crm/callback", REDIRECT_URI_NOT_HTTPS,
		    REDIRECT_URI_OK },
		{ "localhost", "https://localhost/api/amo-crm/callback", REDIRECT_URI_PRIVATE,
		    REDIRECT_URI_OK },
		{ "127.0.0.1", "https://127.0.0.1:8443/api/amo-crm/callback", REDIRECT_URI_PRIVATE,
		    REDIRECT_URI_OK },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		same_number(table[i].label, redirect_uri_check(table[i].redirect_uri, false),
		    table[i].problem);
		same_number(table[i].label, redirect_uri_check(table[i].redirect_uri, true),
		    table[i].trial_problem);
	}
}

static void
knows_hosts_that_amocrm_cannot_reach(void **state)
{
	static const struct {
		const char *host;
		bool private;
	} table[] = {
		{ "crm.localhost", true },
		{ "localhost.localdomain", true },
		{ "crm.local", true },
		{ "0.0.0.0", true },
		{ "10.0.0.5:8443", true },
		{ "127.1", true },
		{ "169.254.1.2", true },
		{ "172.16.0.1", true },
		{ "172.31.255.255", true },
		{ "192.168.1.5", true },
		{ "[::]", true },
		{ "[::1]", true },
		{ "[::1]:8443", true },
		{ "[fd00::5]", true },
		{ "[fe80::1]", true },
		{ "[febf::1]", true },
		{ "[fec0::1]", false },
		{ "localhost-realty.example", false },
		{ "crm.localhost.example", false },
		{ "local", false },
		{ "mylocal", false },
		{ "10.crm.example", false },
		{ "127.0.0.1.example", false },
		{ "172.15.0.1", false },
		{ "172.32.0.1", false },
		{ "172.160.0.1", false },
		{ "11.0.0.1", false },
		{ "192.169.1.5", false },
		{ "203.0.113.5", false },
		{ "[2001:db8::1]", false },
	};
	char uri[100];

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		snprintf(uri, sizeof uri, "https://%s/api/amo-crm/callback", table[i].host);
		same_number(table[i].host, redirect_uri_check(uri, false),
		    table[i].private ? REDIRECT_URI_PRIVATE : REDIRECT_URI_OK);
		same_number(table[i].host, redirect_uri_check(uri, true), REDIRECT_URI_OK);
	}
	DEMAND("capitals", endpoint_is_private("https://LocalHost/events"));
	DEMAND("capitals at the end", endpoint_is_private("https://CRM.LOCAL:8443/"));
	DEMAND("capitals of an address", endpoint_is_private("https://[FD00::5]/"));
}

static bool
split_in_arena(struct ctx *ctx, void *arg)
{
	struct config cfg = { .amocrm.redirect_uri = URI, .webhook.secret = "0123456789abcdef" };
	struct endpoints_site site;
	const char *url;

	(void)arg;
	return endpoints_site(ctx, URI, &site) && endpoint_url(ctx, URI, ENDPOINT_STATUS, &url)
	    && endpoint_webhook_url(ctx, &cfg, &url);
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("endpoints", split_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_the_five_urls),
		cmocka_unit_test(derives_a_url_from_redirect_uri),
		cmocka_unit_test(adds_the_key_to_the_webhook_url),
		cmocka_unit_test(recognizes_our_own_urls),
		cmocka_unit_test(splits_redirect_uri),
		cmocka_unit_test(finds_the_problem_of_redirect_uri),
		cmocka_unit_test(knows_hosts_that_amocrm_cannot_reach),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("endpoints", tests, NULL, NULL);
}
