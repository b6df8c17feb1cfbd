/* test_refusal.c - what each refusal of amoCRM means, and that no cause is claimed that it does not
 * tell. */
#include "../../table.h"

#include "amocrm/amocrm.h"
#include "amocrm/refusal.h"
#include "text/json.h"

#include <stdio.h>

#define TOKEN   "/oauth2/access_token"
#define ACCOUNT "/api/v4/account"
#define HOST    "reforyou.amocrm.ru"

/* The fault that a reply with this JSON causes. */
static void
refuse(struct ctx *ctx, const char *path, const char *body, long status, const char *json)
{
	const struct amocrm_call call = {
		.method = "POST", .host = HOST, .path = path, .body = body
	};
	const struct https_reply reply = { .status = status, .body = json, .is_json = true };
	struct json_object *doc = json_parse(json, strlen(json));

	assert_true(json_object_is_type(doc, json_type_object));
	refusal_fault(ctx, &call, &reply, doc);
	json_object_put(doc);
}

static void
knows_each_hint(void **state)
{
	static const struct {
		const char *hint;
		enum fault_kind expected;
		const char *advice;
	} table[] = {
		{ "Authorization code has expired", FAULT_REFUSED, "over 20 minutes old" },
		{ "Authorization code has been revoked", FAULT_REFUSED, "already used" },
		{ "Authorization code was not issued to this client", FAULT_REFUSED,
		    "issued to another integration" },
		{ "Authorization code malformed", FAULT_REFUSED, "truncated" },
		{ "Cannot decrypt the authorization code", FAULT_REFUSED, "authorize_url" },
		{ "Issue decrypting the authorization code", FAULT_REFUSED, "authorize_url" },
		{ "Cannot validate the provided authorization code", FAULT_REFUSED,
		    "no usable code" },
		{ "Check the `code` parameter", FAULT_REFUSED, "no usable code" },
		{ "Check the `code_verifier` parameter", FAULT_REFUSED, "PKCE" },
		{ "Failed to verify `code_verifier`.", FAULT_REFUSED, "PKCE" },
		{ "Code Verifier must follow the specifications of RFC-7636.", FAULT_REFUSED,
		    "PKCE" },
		{ "Token has been revoked", FAULT_REFUSED, "already used" },
		{ "Refresh token has been revoked", FAULT_REFUSED, "already used" },
		{ "Token has expired", FAULT_REFUSED, "three months" },
		{ "Refresh token has expired", FAULT_REFUSED, "three months" },
		{ "Token is not linked to client", FAULT_REFUSED, "issued to another integration" },
		{ "Invalid refresh token", FAULT_REFUSED, "does not know the token" },
		{ "Check the `refresh_token` parameter", FAULT_REFUSED, "no usable token" },
		{ "Cannot decrypt the refresh token", FAULT_REFUSED, "another integration" },
		{ "Redirect URI is not associated with client", FAULT_CLIENT, "byte for byte" },
		{ "Invalid redirect URI", FAULT_CLIENT, "byte for byte" },
		{ "Check the `redirect_uri` parameter", FAULT_CLIENT, "byte for byte" },
		{ "Check the `client_id` parameter", FAULT_CLIENT, "see client_id" },
		{ "Check the `client_secret` parameter", FAULT_CLIENT, "see client_secret" },
		{ "Check the `grant_type` parameter", FAULT_CLIENT, "how this program asks" },
		{ "Check that all required parameters have been provided", FAULT_CLIENT,
		    "how this program asks" },
		{ "Check the `crm` scope", FAULT_CLIENT, "which rights" },
		{ "Specify a scope in the request or set a default scope", FAULT_CLIENT,
		    "which rights" },
		{ "Invalid account", FAULT_CLIENT, "another host" },
		{ "Send request to account", FAULT_CLIENT, "another host" },
		/* a full stop and capitals make no difference */
		{ "token has been revoked.", FAULT_REFUSED, "already used" },
		/* no cause is claimed for others */
		{ "Token", FAULT_CLIENT, "not known to us" },
		{ "Token has been revoked by the user", FAULT_CLIENT, "not known to us" },
		{ "Check the `code` parameter or others", FAULT_CLIENT, "not known to us" },
		{ "Check the ` scope", FAULT_CLIENT, "not known to us" },
		{ "Something is wrong with the `crm` scope", FAULT_CLIENT, "not known to us" },
		{ ".", FAULT_CLIENT, "not known to us" },
		{ "Что-то новое", FAULT_CLIENT, "not known to us" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		for (long status = 400; status <= 401; status++) {
			char json[256];
			struct ctx ctx;

			open_ctx(&ctx);
			snprintf(json, sizeof json,
			    "{\"title\":\"Error\",\"hint\":\"%s\",\"status\":%ld}", table[i].hint,
			    status);
			refuse(&ctx, TOKEN, NULL, status, json);
			same_number(table[i].hint, ctx.kind, table[i].expected);
			has_text(table[i].hint, ctx.reason, table[i].hint);
			has_text(table[i].hint, ctx.reason, table[i].advice);
			has_text(table[i].hint, ctx.reason, HOST " refused with 40");
			if (strstr(table[i].advice, "client_secret") == NULL)
				has_no_text(table[i].hint, ctx.reason, "client_secret,");
			ctx_close(&ctx);
		}
}

static void
knows_replies_without_a_hint(void **state)
{
	static const struct {
		const char *label, *path;
		long status;
		const char *json, *advice;
	} table[] = {
		{ "no hint", TOKEN, 401, "{\"title\":\"Wrong client\"}",
		    "Wrong client (wrong client_secret, or an unpaid account)" },
		{ "an empty hint", TOKEN, 400, "{\"hint\":\"\",\"title\":\"Error\"}",
		    "wrong client_secret, or an unpaid account" },
		{ "a detail", TOKEN, 401,
		    "{\"title\":\"Unauthorized\",\"detail\":\"Account is blocked\"}",
		    "Unauthorized: Account is blocked (wrong client_secret, or an unpaid" },
		{ "the library's own form", TOKEN, 401,
		    "{\"error\":\"invalid_client\",\"error_description\":\"Client "
		    "authentication failed\"}",
		    "invalid_client: Client authentication failed (wrong client_secret" },
		{ "the library's own form, an old version's", TOKEN, 401,
		    "{\"error\":\"invalid_client\",\"message\":\"Client authentication "
		    "failed\"}",
		    "invalid_client: Client authentication failed (wrong client_secret" },
		{ "a code or token that is wrong for a reason not told", TOKEN, 400,
		    "{\"error\":\"invalid_grant\",\"error_description\":\"The grant is "
		    "invalid\"}",
		    "invalid_grant: The grant is invalid (amoCRM's reason is not known to us)" },
		{ "a client that may not refresh", TOKEN, 400,
		    "{\"error\":\"unauthorized_client\",\"hint\":\"\"}",
		    "unauthorized_client (amoCRM's reason is not known to us)" },
		{ "the detail of another request", ACCOUNT, 400,
		    "{\"title\":\"Bad Request\",\"detail\":\"No such field\"}",
		    "Bad Request: No such field (amoCRM does not accept this request" },
		{ "the detail for a user without rights", AMOCRM_WEBHOOKS_PATH, 403,
		    "{\"title\":\"Forbidden\",\"detail\":\"Tariff\"}", "Forbidden: Tariff (the" },
		{ "a hint that is no text", TOKEN, 400, "{\"hint\":7}",
		    "wrong client_secret, or an unpaid account" },
		{ "nothing", TOKEN, 400, "{}", "wrong client_secret, or an unpaid account" },
		{ "an access token", ACCOUNT, 401, "{\"title\":\"Unauthorized\"}",
		    "the access token was not accepted" },
		{ "a hint that concerns an access token", ACCOUNT, 401,
		    "{\"hint\":\"Token has been revoked\"}", "the access token was not accepted" },
		{ "another request", ACCOUNT, 400, "{\"title\":\"Bad Request\"}",
		    "amoCRM does not accept this request" },
		{ "a user without rights", AMOCRM_WEBHOOKS_PATH, 403, "{\"title\":\"Forbidden\"}",
		    "not an administrator" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		refuse(&ctx, table[i].path, NULL, table[i].status, table[i].json);
		same_number(table[i].label, ctx.kind, FAULT_CLIENT);
		has_text(table[i].label, ctx.reason, table[i].advice);
		ctx_close(&ctx);
	}
}

#define ERRORS(list) "[{\"errors\":" list "}]"

static void
names_the_event_that_is_wrong(void **state)
{
	static const char request[] = "{\"settings\":[\"add_lead\",\"no_such_event\",7]}";
	static const struct {
		const char *label, *request, *groups, *expected;
	} table[] = {
		{ "by a number", request,
		    ERRORS("[{\"path\":\"settings.1\",\"detail\":\"unknown\"}]"),
		    "request); settings.1 no_such_event: unknown" },
		{ "in brackets", request,
		    ERRORS("[{\"path\":\"settings[1]\",\"detail\":\"unknown\"}]"),
		    "request); settings[1] no_such_event: unknown" },
		{ "two", request, ERRORS("[{\"path\":\"settings.0\"},{\"path\":\"settings.1\"}]"),
		    "request); settings.0 add_lead: ; settings.1 no_such_event: " },
		{ "in two groups", request,
		    "[{\"errors\":[{\"path\":\"a\"}]},{\"errors\":[{\"path\":\"b\"}]}]",
		    "request); a: ; b: " },
		{ "beyond the end", request,
		    ERRORS("[{\"path\":\"settings.3\",\"detail\":\"unknown\"}]"),
		    "request); settings.3: unknown" },
		{ "no text in the request", request,
		    ERRORS("[{\"path\":\"settings.2\",\"detail\":\"unknown\"}]"),
		    "request); settings.2: unknown" },
		{ "no list in the request", "{\"settings\":\"add_lead\"}",
		    ERRORS("[{\"path\":\"settings.0\",\"detail\":\"unknown\"}]"),
		    "request); settings.0: unknown" },
		{ "no number", request,
		    ERRORS("[{\"path\":\"settings.x\",\"detail\":\"unknown\"}]"),
		    "request); settings.x: unknown" },
		{ "another member", request,
		    ERRORS("[{\"path\":\"destination\",\"detail\":\"too long\"}]"),
		    "request); destination: too long" },
		{ "a member that only begins alike", request,
		    ERRORS("[{\"path\":\"set.1\",\"detail\":\"d\"}]"), "request); set.1: d" },
		{ "no path", request, ERRORS("[{\"detail\":\"d\"}]"), "request); : d" },
		{ "no object", request, ERRORS("[1]"), "request); : " },
		{ "no list of errors", request, ERRORS("{\"path\":\"settings.1\"}"), "request)" },
		{ "no group", request, "[\"errors\"]", "request)" },
		{ "no list of groups", request, "{\"errors\":[]}", "request)" },
		{ "a request that is no object", "[\"settings\"]",
		    ERRORS("[{\"path\":\"settings.0\",\"detail\":\"d\"}]"), "request)" },
		{ "no request", NULL, ERRORS("[{\"path\":\"settings.0\",\"detail\":\"d\"}]"),
		    "request)" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		char json[256];
		struct ctx ctx;

		open_ctx(&ctx);
		snprintf(json, sizeof json, "{\"title\":\"Bad Request\",\"validation-errors\":%s}",
		    table[i].groups);
		refuse(&ctx, AMOCRM_WEBHOOKS_PATH, table[i].request, 400, json);
		same_number(table[i].label, ctx.kind, FAULT_CLIENT);
		has_text(table[i].label, ctx.reason, "Bad Request (");
		same_text(table[i].label, strstr(ctx.reason, "request)"), table[i].expected);
		ctx_close(&ctx);
	}
}

/* The log and the terminal escape what they are given. */
static void
quotes_hostile_texts(void **state)
{
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	refuse(&ctx, TOKEN, NULL, 400, "{\"hint\":\"a\\nfault=none\\u001b[2J%s%n\\\"\"}");
	same_number("a hostile hint", ctx.kind, FAULT_CLIENT);
	has_text("a hostile hint", ctx.reason, "[2J%s%n\" (amoCRM's reason is not known to us)");
	ctx_close(&ctx);

	open_ctx(&ctx);
	refuse(&ctx, TOKEN, NULL, 400, "{\"hint\":\"Token has been revoked\\u0000\"}");
	same_number("a hint with a NUL is none", ctx.kind, FAULT_CLIENT);
	ctx_close(&ctx);
}

#define TEN     "0123456789"
#define FIFTY   TEN TEN TEN TEN TEN
#define EIGHTY  FIFTY TEN TEN TEN
#define HUNDRED FIFTY FIFTY

/* So the advice is never cut off, nor an error by one before it. */
static void
shortens_long_texts(void **state)
{
	static const struct {
		const char *label, *path, *request, *json, *expected;
	} table[] = {
		{ "a hint and a title", TOKEN, NULL,
		    "{\"hint\":\"" HUNDRED "\",\"title\":\"" HUNDRED "\"}",
		    ": " FIFTY TEN ": " EIGHTY " (amoCRM's reason is not known to us)" },
		{ "a longer hint", TOKEN, NULL, "{\"hint\":\"" HUNDRED TEN "\"}",
		    ": " EIGHTY " (amoCRM's reason is not known to us)" },
		{ "a known hint with more text", TOKEN, NULL,
		    "{\"hint\":\"Token has been revoked" HUNDRED "\"}", "not known to us)" },
		{ "a path", AMOCRM_WEBHOOKS_PATH, "{}",
		    "{\"validation-errors\":" ERRORS(
			"[{\"path\":\"" HUNDRED "\"},{\"path\":\"b\"}]") "}",
		    "); " FIFTY TEN ": ; b: " },
		{ "a detail", AMOCRM_WEBHOOKS_PATH, "{}",
		    "{\"validation-errors\":" ERRORS(
			"[{\"detail\":\"" HUNDRED TEN "\"},{\"path\":\"b\"}]") "}",
		    "); : " HUNDRED "; b: " },
		{ "an event", AMOCRM_WEBHOOKS_PATH, "{\"settings\":[\"" HUNDRED "\"]}",
		    "{\"validation-errors\":" ERRORS(
			"[{\"path\":\"settings.0\"},{\"path\":\"b\"}]") "}",
		    "); settings.0 " FIFTY TEN ": ; b: " },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		refuse(&ctx, table[i].path, table[i].request, 400, table[i].json);
		same_number(table[i].label, ctx.kind, FAULT_CLIENT);
		has_text(table[i].label, ctx.reason, table[i].expected);
		ctx_close(&ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_each_hint),
		cmocka_unit_test(knows_replies_without_a_hint),
		cmocka_unit_test(names_the_event_that_is_wrong),
		cmocka_unit_test(quotes_hostile_texts),
		cmocka_unit_test(shortens_long_texts),
	};

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
