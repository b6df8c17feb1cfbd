/* test_response.c - how a fault is reported, and how a response is composed and sent. */
#include "../../memory_gateway.h"

#include "text/json.h"
#include "web/response.h"

#include <stdlib.h>

/* The codes and statuses that the contract with the app documents. */
static void
reports_each_fault(void **state)
{
	static const struct {
		const char *label;
		enum fault_kind kind;
		int status;
		const char *code;
	} table[] = {
		{ "a malformed request", FAULT_REQUEST, 400, "invalid_request" },
		{ "no authorization code", FAULT_MISSING_CODE, 400, "missing_code" },
		{ "an unsupported method", FAULT_METHOD, 405, "method_not_allowed" },
		{ "an unsupported media type", FAULT_MEDIA, 415, "unsupported_media_type" },
		{ "a body over its limit", FAULT_TOO_LARGE, 413, "too_large" },
		{ "no bearer token", FAULT_TOKEN_MISSING, 401, "missing_token" },
		{ "an invalid bearer token", FAULT_TOKEN, 401, "invalid_token" },
		{ "a wrong signature", FAULT_SIGNATURE, 403, "invalid_signature" },
		{ "not for this caller", FAULT_FORBIDDEN, 403, "forbidden" },
		{ "the code of another app user", FAULT_CLAIMED, 409, "already_claimed" },
		{ "amoCRM refuses the code", FAULT_REFUSED, 400, "auth_failed" },
		{ "amoCRM refuses the client", FAULT_CLIENT, 400, "auth_failed" },
		{ "another account is pinned", FAULT_OTHER_ACCOUNT, 400, "wrong_account" },
		{ "amoCRM is not available", FAULT_UNAVAILABLE, 503, "temporarily_unavailable" },
		{ "the account has moved to another host", FAULT_MOVED, 503,
		    "temporarily_unavailable" },
		{ "amoCRM has blocked us", FAULT_BLOCKED, 503, "temporarily_unavailable" },
		{ "no complete reply of amoCRM", FAULT_REPLY_LOST, 503, "temporarily_unavailable" },
		{ "the store fails", FAULT_STORAGE, 503, "server_error" },
		{ "a record is corrupt", FAULT_CORRUPT, 503, "server_error" },
		{ "the configuration is wrong", FAULT_CONFIG, 500, "server_error" },
		{ "anything else", FAULT_SERVER, 500, "server_error" },
		{ "no fault, reported as one", FAULT_NONE, 500, "server_error" },
	};

	(void)state;
	assert_int_equal(ROWS(table), FAULT_KINDS);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct response res = { 0 };
		struct json_object *doc;
		struct ctx ctx;

		open_ctx(&ctx);
		respond_fault(&ctx, table[i].kind, &res);
		same_number(table[i].label, res.status, table[i].status);
		same_text(table[i].label, res.content_type, "application/json");
		doc = json_parse(res.body, res.body_len);
		same_text(table[i].label, json_get_string(doc, "error"), table[i].code);
		DEMAND(table[i].label, json_get_string(doc, "message") != NULL);
		DEMAND(table[i].label,
		    strncmp(res.body, "{\"success\":false,", strlen("{\"success\":false,")) == 0);
		json_object_put(doc);

		same_number("the number of headers", (long long)res.header_count,
		    table[i].status == 401 || table[i].status == 503);
		if (table[i].status == 401) {
			same_text(table[i].label, res.headers[0].name, "WWW-Authenticate");
			same_text(table[i].label, res.headers[0].value, "Bearer");
		}
		if (table[i].status == 503)
			same_text(table[i].label, res.headers[0].name, "Retry-After");
		ctx_close(&ctx);
	}
}

static void
reports_success(void **state)
{
	static const struct {
		const char *label, *message, *data, *expected;
	} table[] = {
		{ "neither message nor data", NULL, NULL, "{\"success\":true}\n" },
		{ "a message", "AMO CRM \"x\"", NULL,
		    "{\"success\":true,\"message\":\"AMO CRM \\\"x\\\"\"}\n" },
		{ "data", NULL, "{\"connected\":true}",
		    "{\"success\":true,\"data\":{\"connected\":true}}\n" },
		{ "a message and data", "m", "[1]",
		    "{\"success\":true,\"message\":\"m\",\"data\":[1]}\n" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct response res = { 0 };
		struct ctx ctx;

		open_ctx(&ctx);
		assert_true(respond_success(&ctx, table[i].message, table[i].data, &res));
		same_number(table[i].label, res.status, 200);
		same_text(table[i].label, res.content_type, "application/json");
		same_text(table[i].label, res.body, table[i].expected);
		same_number(table[i].label, (long long)res.body_len, (long long)strlen(res.body));
		ctx_close(&ctx);
	}
}

static void
sends_a_response_with_one_write(void **state)
{
	static const struct {
		const char *label;
		int status;
		const char *body;
		bool head;
		const char *expected;
	} table[] = {
		{ "a body", 200, "ok\n", false,
		    "Status: 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
		    "X-Content-Type-Options: nosniff\r\nX-A: 1\r\nX-B: two\r\n"
		    "Content-Length: 3\r\n\r\nok\n" },
		{ "an empty body", 302, "", false,
		    "Status: 302 Found\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
		    "X-Content-Type-Options: nosniff\r\nX-A: 1\r\nX-B: two\r\n"
		    "Content-Length: 0\r\n\r\n" },
		{ "only the headers", 200, "ok\n", true,
		    "Status: 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
		    "X-Content-Type-Options: nosniff\r\nX-A: 1\r\nX-B: two\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		static struct memory_server server;
		struct gateway gw = memory_gateway(&server);
		struct response res = { 0 };
		struct ctx ctx;

		memset(&server, 0, sizeof server);
		open_ctx(&ctx);
		respond(&res, table[i].status, "text/plain", table[i].body);
		res.omit_body = table[i].head;
		assert_true(response_header(&ctx, &res, "X-A", "1"));
		assert_true(response_header(&ctx, &res, "X-B", "two"));
		DEMAND(table[i].label, response_send(&ctx, &gw, &res));
		same_text(table[i].label, server.written, table[i].expected);
		same_number(table[i].label, server.writes, 1);
		ctx_close(&ctx);
	}
}

static void
has_a_reason_phrase_for_every_status(void **state)
{
	(void)state;
	for (enum fault_kind kind = 0; kind < FAULT_KINDS; kind++) {
		static struct memory_server server;
		struct gateway gw = memory_gateway(&server);
		struct response res = { 0 };
		struct ctx ctx;

		open_ctx(&ctx);
		respond_fault(&ctx, kind, &res);
		assert_true(response_send(&ctx, &gw, &res));
		has_no_text(fault_response(kind)->code, server.written, "Unknown");
		ctx_close(&ctx);
	}
}

static void
refuses_control_characters_in_headers(void **state)
{
	static const struct {
		const char *label, *value;
		enum fault_kind expected;
	} table[] = {
		{ "a deep link", "foryoure://amo-crm/callback?code=1&state=", FAULT_NONE },
		{ "an empty value", "", FAULT_NONE },
		{ "UTF-8", "\xd0\xaf", FAULT_NONE },
		{ "an injected header", "a\r\nSet-Cookie: x", FAULT_SERVER },
		{ "only a newline", "a\nb", FAULT_SERVER },
		{ "only a carriage return", "a\rb", FAULT_SERVER },
		{ "a tab", "a\tb", FAULT_SERVER },
		{ "the first control character", "\x01", FAULT_SERVER },
		{ "the last control character before the space", "\x1f", FAULT_SERVER },
		{ "DEL", "\x7f", FAULT_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct response res = { 0 };
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = response_header(&ctx, &res, "Location", table[i].value);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		same_number(table[i].label, (long long)res.header_count, ok ? 1 : 0);
		ctx_close(&ctx);
	}
}

static void
limits_the_number_of_headers(void **state)
{
	struct response res = { 0 };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	for (int i = 0; i < RESPONSE_HEADERS_MAX; i++)
		assert_true(response_header(&ctx, &res, "X", "1"));
	assert_false(response_header(&ctx, &res, "X", "1"));
	assert_int_equal(ctx.kind, FAULT_SERVER);
	assert_int_equal(res.header_count, RESPONSE_HEADERS_MAX);
	ctx_close(&ctx);
}

static void
responds_even_when_the_arena_is_full(void **state)
{
	(void)state;
	for (size_t size = 1; size < 1000; size++) {
		static struct memory_server server;
		struct gateway gw = memory_gateway(&server);
		struct response res = { 0 };
		const char *body;
		struct json_object *doc;
		struct ctx ctx;

		assert_true(ctx_open(&ctx, size));
		respond_fault(&ctx, FAULT_REQUEST, &res);
		assert_true(response_send(&ctx, &gw, &res));
		assert_true(nothing_written_behind(&ctx));
		if (strncmp(server.written, "Status: 400 Bad Request\r\n", 25) != 0
		    && strncmp(server.written, "Status: 500 Internal Server Error\r\n", 35) != 0)
			fail_msg("an arena of %zu bytes: %s", size, server.written);
		body = strstr(server.written, "\r\n\r\n");
		assert_non_null(body);
		doc = json_parse(body, strlen(body));
		if (json_get_string(doc, "error") == NULL)
			fail_msg("an arena of %zu bytes: %s", size, server.written);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static void
reports_a_closed_connection(void **state)
{
	struct memory_server *server = calloc(1, sizeof *server);
	struct gateway gw;
	struct response res = { 0 };
	struct ctx ctx;

	(void)state;
	assert_non_null(server);
	server->deaf = true;
	gw = memory_gateway(server);
	open_ctx(&ctx);
	respond(&res, 200, "text/plain", "ok");
	assert_false(response_send(&ctx, &gw, &res));
	assert_int_equal(server->writes, 1);
	ctx_close(&ctx);
	free(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_each_fault),
		cmocka_unit_test(reports_success),
		cmocka_unit_test(sends_a_response_with_one_write),
		cmocka_unit_test(has_a_reason_phrase_for_every_status),
		cmocka_unit_test(refuses_control_characters_in_headers),
		cmocka_unit_test(limits_the_number_of_headers),
		cmocka_unit_test(responds_even_when_the_arena_is_full),
		cmocka_unit_test(reports_a_closed_connection),
	};

	return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
