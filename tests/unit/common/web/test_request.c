/* test_request.c - reading a request from the variables of a web server (RFC 3875), and its
 * body. */
#include "../../memory_gateway.h"

#include "web/request.h"

#include <stdlib.h>

#define ALL_METHODS (METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_DELETE)

static void
accepts_only_supported_methods(void **state)
{
	static const struct {
		const char *label, *sent;
		unsigned methods;
		enum fault_kind expected;
		enum method method;
	} table[] = {
		{ "GET", "GET", METHOD_GET, FAULT_NONE, METHOD_GET },
		{ "HEAD", "HEAD", METHOD_GET | METHOD_HEAD, FAULT_NONE, METHOD_HEAD },
		{ "POST", "POST", ALL_METHODS, FAULT_NONE, METHOD_POST },
		{ "DELETE", "DELETE", ALL_METHODS, FAULT_NONE, METHOD_DELETE },
		{ "a method that is not supported", "POST", METHOD_GET | METHOD_HEAD, FAULT_METHOD,
		    METHOD_POST },
		{ "HEAD when only GET is supported", "HEAD", METHOD_GET, FAULT_METHOD,
		    METHOD_HEAD },
		{ "TRACE", "TRACE", ALL_METHODS, FAULT_METHOD, 0 },
		{ "a method in lower case", "get", ALL_METHODS, FAULT_METHOD, 0 },
		{ "a method with a letter more", "GETS", ALL_METHODS, FAULT_METHOD, 0 },
		{ "a method with a letter less", "GE", ALL_METHODS, FAULT_METHOD, 0 },
		{ "an empty method", "", ALL_METHODS, FAULT_METHOD, 0 },
		{ "no method", NULL, ALL_METHODS, FAULT_METHOD, 0 },
		{ "a method that is far too long",
		    "GETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGET",
		    ALL_METHODS, FAULT_METHOD, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct variable variables[] = { { "REQUEST_METHOD", table[i].sent },
			{ NULL, NULL } };
		struct memory_server server = { .variables = variables };
		struct gateway gw = memory_gateway(&server);
		struct request req;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = request_read(&ctx, &gw, table[i].methods, &req);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		same_number(table[i].label, req.method, table[i].method);
		ctx_close(&ctx);
	}
}

static void
lists_methods_for_allow(void **state)
{
	static const struct {
		const char *label;
		unsigned methods;
		const char *expected;
	} table[] = {
		{ "one method", METHOD_POST, "POST" },
		{ "two methods", METHOD_HEAD | METHOD_GET, "GET, HEAD" },
		{ "all methods", ALL_METHODS, "GET, HEAD, POST, DELETE" },
		{ "no methods", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *list;

		open_ctx(&ctx);
		assert_true(request_methods(&ctx, table[i].methods, &list));
		same_text(table[i].label, list, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
copies_the_variables_of_the_server(void **state)
{
	static char query[] = "code=1";
	static const struct variable variables[] = { { "REQUEST_METHOD", "GET" },
		{ "QUERY_STRING", query }, { "HTTP_ACCEPT_LANGUAGE", "uk, en;q=0.5" },
		{ "HTTP_USER_AGENT", "Mozilla/5.0" }, { "HTTP_X_AMOCRM_REQUESTID", "01d0" },
		{ "HTTP_AUTHORIZATION", "Bearer a.b.c" }, { NULL, NULL } };
	struct memory_server server = { .variables = variables };
	struct gateway gw = memory_gateway(&server);
	struct request req;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	assert_true(request_read(&ctx, &gw, METHOD_GET, &req));
	query[0] = 'X';
	assert_string_equal(req.query, "code=1");
	assert_string_equal(req.accept_language, "uk, en;q=0.5");
	assert_string_equal(req.user_agent, "Mozilla/5.0");
	assert_string_equal(req.request_id, "01d0");
	assert_string_equal(req.bearer, "a.b.c");
	ctx_close(&ctx);
}

static void
reads_a_request_without_optional_variables(void **state)
{
	static const struct variable variables[] = { { "REQUEST_METHOD", "GET" }, { NULL, NULL } };
	struct memory_server server = { .variables = variables };
	struct gateway gw = memory_gateway(&server);
	struct request req;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	memset(&req, 0xa5, sizeof req);
	assert_true(request_read(&ctx, &gw, METHOD_GET, &req));
	assert_string_equal(req.query, "");
	assert_null(req.accept_language);
	assert_null(req.user_agent);
	assert_null(req.request_id);
	assert_null(req.bearer);
	assert_int_equal(request_media(&req), MEDIA_OTHER);
	ctx_close(&ctx);
}

static void
limits_query_and_headers(void **state)
{
	static const struct {
		const char *name;
		size_t max;
	} table[] = {
		{ "QUERY_STRING", REQUEST_QUERY_MAX },
		{ "HTTP_ACCEPT_LANGUAGE", REQUEST_HEADER_MAX },
		{ "HTTP_USER_AGENT", REQUEST_HEADER_MAX },
		{ "HTTP_X_AMOCRM_REQUESTID", REQUEST_HEADER_MAX },
		{ "HTTP_AUTHORIZATION", REQUEST_HEADER_MAX },
		{ "REDIRECT_HTTP_AUTHORIZATION", REQUEST_HEADER_MAX },
		{ "HTTP_X_AUTH_TOKEN", REQUEST_HEADER_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		for (size_t len = table[i].max; len <= table[i].max + 1; len++) {
			char *value = malloc(len + 1);
			const struct variable variables[] = { { "REQUEST_METHOD", "GET" },
				{ table[i].name, value }, { NULL, NULL } };
			struct memory_server server = { .variables = variables };
			struct gateway gw = memory_gateway(&server);
			struct request req;
			struct ctx ctx;
			bool ok;

			assert_non_null(value);
			memset(value, 'x', len);
			value[len] = '\0';
			open_ctx(&ctx);
			ok = request_read(&ctx, &gw, METHOD_GET, &req);
			same_fault(table[i].name, &ctx, ok,
			    len == table[i].max ? FAULT_NONE : FAULT_REQUEST);
			DEMAND("a refused query is empty", ok || strcmp(req.query, "") == 0);
			has_no_text(table[i].name, ctx.reason, "xxx");
			ctx_close(&ctx);
			free(value);
		}
}

static void
finds_the_bearer_token(void **state)
{
	static const struct {
		const char *label, *authorization, *redirected, *token, *expected;
		const char *reason; /* of the fault, if no token is expected; NULL: the usual */
	} table[] = {
		{ "Authorization", "Bearer abc", NULL, NULL, "abc", NULL },
		{ "Authorization after an internal redirect", NULL, "Bearer abc", NULL, "abc",
		    NULL },
		{ "X-Auth-Token with the scheme", NULL, NULL, "Bearer abc", "abc", NULL },
		{ "X-Auth-Token without the scheme", NULL, NULL, "abc", "abc", NULL },
		{ "the first of all three", "Bearer a", "Bearer b", "Bearer c", "a", NULL },
		{ "the second of all three", NULL, "Bearer b", "Bearer c", "b", NULL },
		{ "an Authorization that the server emptied", "", NULL, "abc", "abc", NULL },
		{ "the scheme in small letters (RFC 9110 section 11.1)", "bearer abc", NULL, NULL,
		    "abc", NULL },
		{ "several spaces", "Bearer   abc", NULL, NULL, "abc", NULL },
		{ "no header", NULL, NULL, NULL, NULL, NULL },
		{ "empty headers", "", "", "", NULL, NULL },
		{ "only the scheme", "Bearer", NULL, NULL, NULL, "no token behind" },
		{ "the scheme and a space", "Bearer ", NULL, NULL, NULL, "no token behind" },
		{ "another scheme", "Basic dTpw", NULL, NULL, NULL, "the scheme Basic" },
		{ "a scheme with the same beginning", "Bearers abc", NULL, NULL, NULL,
		    "another scheme" },
		{ "Authorization without a scheme", "abc", NULL, NULL, NULL, "without a scheme" },
		{ "a JWT without a scheme", "eyJ.eyJ.abc", NULL, NULL, NULL, "without a scheme" },
		{ "the scheme JWT", "JWT eyJ.eyJ.abc", NULL, NULL, NULL, "the scheme JWT" },
		{ "the scheme jwt in small letters", "jwt eyJ.eyJ.abc", NULL, NULL, NULL,
		    "the scheme JWT" },
		{ "the scheme Token", "Token abc", NULL, NULL, NULL, "the scheme Token" },
		{ "a colon behind the scheme", "Bearer: abc", NULL, NULL, NULL, "no token behind" },
		{ "a JWT without a scheme, after a redirect", NULL, "eyJ.eyJ.abc", NULL, NULL,
		    "without a scheme" },
		{ "the name of the header in its value", "Authorization: Bearer abc", NULL, NULL,
		    NULL, "another scheme" },
		{ "Basic authentication of the web server and X-Auth-Token", "Basic dTpw", NULL,
		    "abc", "abc", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct variable variables[] = { { "REQUEST_METHOD", "GET" },
			{ "QUERY_STRING", "access_token=q&bearer=q" },
			{ "HTTP_AUTHORIZATION", table[i].authorization },
			{ "REDIRECT_HTTP_AUTHORIZATION", table[i].redirected },
			{ "HTTP_X_AUTH_TOKEN", table[i].token }, { NULL, NULL } };
		struct memory_server server = { .variables = variables };
		struct gateway gw = memory_gateway(&server);
		const char *reason = table[i].reason;
		const char *token;
		struct request req;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		assert_true(request_read(&ctx, &gw, METHOD_GET, &req));
		same_text(table[i].label, req.bearer, table[i].expected);
		ok = request_bearer(&ctx, &req, &token);
		same_fault(table[i].label, &ctx, ok,
		    table[i].expected == NULL ? FAULT_TOKEN_MISSING : FAULT_NONE);
		has_text(table[i].label, ctx.reason,
		    ok                   ? ""
			: reason != NULL ? reason
					 : "no bearer token was sent");
		has_no_text(table[i].label, ctx.reason, "eyJ");
		ctx_close(&ctx);
	}
}

static void
distinguishes_forms_from_json(void **state)
{
	static const struct {
		const char *label, *type;
		enum media expected;
	} table[] = {
		{ "a form", "application/x-www-form-urlencoded", MEDIA_FORM },
		{ "JSON", "application/json", MEDIA_JSON },
		{ "JSON in another case", "Application/JSON", MEDIA_JSON },
		{ "a parameter", "application/json; charset=utf-8", MEDIA_JSON },
		{ "a parameter without a space", "application/json;charset=utf-8", MEDIA_JSON },
		{ "a space before the semicolon", "application/json ; charset=utf-8", MEDIA_JSON },
		{ "a longer subtype", "application/json-seq", MEDIA_OTHER },
		{ "a suffix", "application/problem+json", MEDIA_OTHER },
		{ "a shorter subtype", "application/jso", MEDIA_OTHER },
		{ "another type", "text/json", MEDIA_OTHER },
		{ "a form with files", "multipart/form-data; boundary=x", MEDIA_OTHER },
		{ "JSON in a parameter", "text/plain; application/json", MEDIA_OTHER },
		{ "an empty Content-Type", "", MEDIA_OTHER },
		{ "no Content-Type", NULL, MEDIA_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct variable variables[] = { { "CONTENT_TYPE", table[i].type },
			{ NULL, NULL } };
		struct memory_server server = { .variables = variables };
		struct gateway gw = memory_gateway(&server);
		struct request req = { .gw = &gw };

		same_number(table[i].label, request_media(&req), table[i].expected);
	}
}

#define MAX 8 /* bytes of a body */

static void
reads_a_body(void **state)
{
	static const struct {
		const char *label, *content_length, *body;
		enum fault_kind expected;
	} table[] = {
		{ "a body of Content-Length bytes", "5", "abcde", FAULT_NONE },
		{ "Content-Length at the limit", "8", "abcdefgh", FAULT_NONE },
		{ "Content-Length 0 and no body", "0", "", FAULT_NONE },
		{ "leading zeros", "005", "abcde", FAULT_NONE },
		{ "no Content-Length", NULL, "abcde", FAULT_NONE },
		{ "an empty Content-Length", "", "abcde", FAULT_NONE },
		{ "no Content-Length, a body at the limit", NULL, "abcdefgh", FAULT_NONE },
		{ "no Content-Length and no body", NULL, "", FAULT_NONE },

		{ "Content-Length over the limit", "9", "abcdefghi", FAULT_TOO_LARGE },
		{ "Content-Length over the limit, and a short body", "9", "a", FAULT_TOO_LARGE },
		{ "a Content-Length that overflows", "184467440737095516210", "a",
		    FAULT_TOO_LARGE },
		{ "no Content-Length, a body over the limit", NULL, "abcdefghi", FAULT_TOO_LARGE },
		{ "a body shorter than Content-Length", "5", "abcd", FAULT_REQUEST },
		{ "Content-Length without a body", "5", "", FAULT_REQUEST },
		{ "a body longer than Content-Length", "5", "abcdef", FAULT_REQUEST },
		{ "Content-Length 0 and a body", "0", "a", FAULT_REQUEST },
		{ "a minus", "-1", "a", FAULT_REQUEST },
		{ "a plus", "+5", "abcde", FAULT_REQUEST },
		{ "a space before the number", " 5", "abcde", FAULT_REQUEST },
		{ "a letter after the number", "5x", "abcde", FAULT_REQUEST },
		{ "a hexadecimal number", "0x5", "abcde", FAULT_REQUEST },
		{ "two lengths", "5, 5", "abcde", FAULT_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		for (size_t piece = 0; piece <= 3; piece++) {
			const struct variable variables[] = {
				{ "CONTENT_LENGTH", table[i].content_length }, { NULL, NULL }
			};
			struct memory_server server = { .variables = variables,
				.body = table[i].body,
				.body_len = strlen(table[i].body),
				.piece_max = piece };
			struct gateway gw = memory_gateway(&server);
			struct request req = { .gw = &gw };
			struct ctx ctx;
			const char *body;
			size_t len;
			bool ok;

			open_ctx(&ctx);
			ok = request_body(&ctx, &req, MAX, &body, &len);
			same_fault(table[i].label, &ctx, ok, table[i].expected);
			if (ok) {
				same_text(table[i].label, body, table[i].body);
				same_number(table[i].label, (long long)len,
				    (long long)strlen(table[i].body));
			}
			ctx_close(&ctx);
		}
}

static void
keeps_a_nul_in_a_body(void **state)
{
	struct memory_server server = { .body = "a\0b", .body_len = 3 };
	struct gateway gw = memory_gateway(&server);
	struct request req = { .gw = &gw };
	struct ctx ctx;
	const char *body;
	size_t len;

	(void)state;
	open_ctx(&ctx);
	assert_true(request_body(&ctx, &req, MAX, &body, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(body, "a\0b", 4);
	ctx_close(&ctx);
}

static void
reports_a_body_that_breaks_off(void **state)
{
	static const struct {
		const char *label, *content_length;
	} table[] = {
		{ "Content-Length", "5" },
		{ "no Content-Length", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct variable variables[] = { { "CONTENT_LENGTH", table[i].content_length },
			{ NULL, NULL } };
		struct memory_server server = {
			.variables = variables, .body = "abc", .body_len = 3, .body_broken = true
		};
		struct gateway gw = memory_gateway(&server);
		struct request req = { .gw = &gw };
		struct ctx ctx;
		const char *body;
		size_t len;
		bool ok;

		open_ctx(&ctx);
		ok = request_body(&ctx, &req, MAX, &body, &len);
		same_fault(table[i].label, &ctx, ok, FAULT_REQUEST);
		ctx_close(&ctx);
	}
}

static bool
read_in_arena(struct ctx *ctx, void *arg)
{
	static const struct variable variables[] = { { "REQUEST_METHOD", "POST" },
		{ "QUERY_STRING", "key=k" }, { "HTTP_USER_AGENT", "amoCRM-Webhooks/3.0" },
		{ "HTTP_AUTHORIZATION", "Bearer abc" }, { "CONTENT_LENGTH", "5" }, { NULL, NULL } };
	struct memory_server server = { .variables = variables, .body = "abcde", .body_len = 5 };
	struct gateway gw = memory_gateway(&server);
	struct request req;
	const char *body;
	const char *methods;
	size_t len;

	(void)arg;
	if (!request_read(ctx, &gw, METHOD_POST, &req) || !request_body(ctx, &req, MAX, &body, &len)
	    || !request_methods(ctx, METHOD_POST, &methods))
		return false;
	assert_string_equal(req.query, "key=k");
	assert_string_equal(req.bearer, "abc");
	assert_string_equal(body, "abcde");
	assert_string_equal(methods, "POST");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a request with a body", read_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_only_supported_methods),
		cmocka_unit_test(lists_methods_for_allow),
		cmocka_unit_test(copies_the_variables_of_the_server),
		cmocka_unit_test(reads_a_request_without_optional_variables),
		cmocka_unit_test(limits_query_and_headers),
		cmocka_unit_test(finds_the_bearer_token),
		cmocka_unit_test(distinguishes_forms_from_json),
		cmocka_unit_test(reads_a_body),
		cmocka_unit_test(keeps_a_nul_in_a_body),
		cmocka_unit_test(reports_a_body_that_breaks_off),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
