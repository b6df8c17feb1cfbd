/* test_https.c - the messages between a program and amo-crm-https, encoded and decoded. */
#include "../../table.h"

#include "helper/https.h"
#include "text/json.h"

#include <stdio.h>

#define FULL                                                                                       \
	"{\"deadline_ms\":1,\"plain_allowed\":0,\"public_only\":0,\"discard_body\":0,"             \
	"\"method\":\"GET\",\"url\":\"https://a/\",\"host\":\"a\",\"headers\":[],\"body\":null,"   \
	"\"ca_file\":null,\"connect_to\":null,\"proxy\":null}"

static struct json_object *
parse(const char *label, const char *text)
{
	struct json_object *doc = json_parse(text, strlen(text));

	DEMAND(label, doc != NULL);
	return doc;
}

static void
same_request(const char *label, const struct https_request *got, const struct https_request *sent)
{
	same_text(label, got->method, sent->method);
	same_text(label, got->url, sent->url);
	same_text(label, got->host, sent->host);
	for (size_t i = 0; i < HTTPS_HEADERS_MAX; i++)
		same_text(label, got->headers[i], sent->headers[i]);
	same_text(label, got->body, sent->body);
	same_number(label, got->deadline_ms, sent->deadline_ms);
	same_number(label, got->plain_allowed, sent->plain_allowed);
	same_number(label, got->public_only, sent->public_only);
	same_number(label, got->discard_body, sent->discard_body);
	same_text(label, got->ca_file, sent->ca_file);
	same_text(label, got->connect_to, sent->connect_to);
	same_text(label, got->proxy, sent->proxy);
}

static void
decodes_the_request_that_was_encoded(void **state)
{
	static const struct {
		const char *label;
		struct https_request request;
	} table[] = {
		{ "only the required members",
		    { .method = "GET", .url = "https://a/", .host = "a" } },
		{ "a body with tokens",
		    { .method = "POST",
			.url = "https://a.amocrm.ru/oauth2/access_token",
			.host = "a.amocrm.ru",
			.headers = { "Content-Type: application/json", "Accept: */*" },
			.body = "{\"code\":\"def\\u0041\\n\"}\r\n",
			.deadline_ms = INT64_MAX } },
		{ "an empty body", { .method = "PATCH", .url = "u", .host = "h", .body = "" } },
		{ "the maximum number of headers",
		    { .method = "GET",
			.url = "u",
			.host = "h",
			.headers = { "A: 1", "B: 2", "C: 3", "D: 4", "E: 5", "F: 6", "G: 7",
			    "H: \"8\"" } } },
		{ "plain http", { .method = "G", .url = "u", .host = "h", .plain_allowed = true } },
		{ "public hosts only",
		    { .method = "G", .url = "u", .host = "h", .public_only = true } },
		{ "the status only",
		    { .method = "G", .url = "u", .host = "h", .discard_body = true } },
		{ "all options of the configuration",
		    { .method = "G",
			.url = "u",
			.host = "h",
			.ca_file = "/etc/ca \xd0\xaf.pem",
			.connect_to = "a:443:127.0.0.1:8443 b:443:127.0.0.1:8443",
			.proxy = "http://user:\"pass\"@proxy:3128" } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct https_request got;
		struct json_object *doc;
		const char *line;
		bool ok;

		open_ctx(&ctx);
		assert_true(https_request_encode(&ctx, &table[i].request, &line));
		DEMAND(table[i].label, strchr(line, '\n') == line + strlen(line) - 1);
		doc = parse(table[i].label, line);
		ok = https_request_decode(&ctx, doc, &got);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		same_request(table[i].label, &got, &table[i].request);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static void
decodes_the_reply_that_was_encoded(void **state)
{
	static const struct {
		const char *label;
		struct https_reply reply;
		const char *body;
	} table[] = {
		{ "JSON", { 200, "{\"a\":\"\\n\"}\n", true, 0 }, "{\"a\":\"\\n\"}\n" },
		{ "no body", { 204, "", false, 0 }, "" },
		{ "a reply that asks for a retry", { 429, "slow down", false, 3600 }, "slow down" },
		{ "bytes that are not UTF-8", { 502, "\xff\x01", false, 0 }, "\xef\xbf\xbd\x01" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		struct ctx ctx;
		struct https_reply got;
		struct json_object *doc;
		struct strbuf sb;
		const char *text;
		bool ok;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		https_reply_encode(&sb, &table[i].reply);
		assert_true(strbuf_finish(&sb, &text));
		DEMAND(label, strchr(text, '\n') == NULL);
		doc = parse(label, text);
		ok = https_reply_decode(&ctx, doc, &got);
		json_object_put(doc); /* the reply does not point into it */
		same_fault(label, &ctx, ok, FAULT_NONE);
		same_number(label, got.status, table[i].reply.status);
		same_text(label, got.body, table[i].body);
		same_number(label, got.is_json, table[i].reply.is_json);
		same_number(label, got.retry_after_s, table[i].reply.retry_after_s);
		ctx_close(&ctx);
	}
}

/* Parses the text with its first `from` changed to `to`. */
static struct json_object *
changed(const char *label, const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char line[1024];

	DEMAND(label, at != NULL);
	snprintf(line, sizeof line, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return parse(label, line);
}

static void
refuses_malformed_requests(void **state)
{
	static const struct {
		const char *label, *from, *to;
		enum fault_kind expected;
	} table[] = {
		{ "a valid request", "1", "1", FAULT_NONE },
		{ "a member of a later version", "{", "{\"other\":1,", FAULT_NONE },
		{ "an array", FULL, "[]", FAULT_SERVER },
		{ "a string", FULL, "\"GET\"", FAULT_SERVER },
		{ "no member", FULL, "{}", FAULT_SERVER },
		{ "no method", "\"method\"", "\"m\"", FAULT_SERVER },
		{ "a method that is a number", "\"GET\"", "1", FAULT_SERVER },
		{ "no URL", "\"url\"", "\"u\"", FAULT_SERVER },
		{ "a URL that is null", "\"https://a/\"", "null", FAULT_SERVER },
		{ "a URL with a NUL", "https://a/", "https://a/\\u0000", FAULT_SERVER },
		{ "no host", "\"host\"", "\"h\"", FAULT_SERVER },
		{ "no deadline", "\"deadline_ms\"", "\"d\"", FAULT_SERVER },
		{ "a deadline that is a string", ":1,", ":\"1\",", FAULT_SERVER },
		{ "no plain_allowed", "\"plain_allowed\"", "\"p\"", FAULT_SERVER },
		{ "plain_allowed as a boolean", "allowed\":0", "allowed\":false", FAULT_SERVER },
		{ "no public_only", "\"public_only\"", "\"p\"", FAULT_SERVER },
		{ "no discard_body, as from an older program", "\"discard_body\"", "\"a\"",
		    FAULT_NONE },
		{ "no headers", "\"headers\"", "\"h\"", FAULT_SERVER },
		{ "headers that are an object", "[]", "{}", FAULT_SERVER },
		{ "headers that are null", "[]", "null", FAULT_SERVER },
		{ "a header that is a number", "[]", "[\"A: 1\",2]", FAULT_SERVER },
		{ "a header that is null", "[]", "[null]", FAULT_SERVER },
		{ "a header with a NUL", "[]", "[\"A: \\u0000\"]", FAULT_SERVER },
		{ "eight headers", "[]", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]",
		    FAULT_NONE },
		{ "nine headers", "[]", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]",
		    FAULT_SERVER },
		{ "no body", "\"body\"", "\"b\"", FAULT_SERVER },
		{ "a body that is a number", "body\":null", "body\":1", FAULT_SERVER },
		{ "no ca_file", "\"ca_file\"", "\"c\"", FAULT_SERVER },
		{ "a ca_file with a NUL", "ca_file\":null", "ca_file\":\"/\\u0000\"",
		    FAULT_SERVER },
		{ "no connect_to", "\"connect_to\"", "\"c\"", FAULT_SERVER },
		{ "no proxy", "\"proxy\"", "\"p\"", FAULT_SERVER },
		{ "a proxy that is a list", "proxy\":null", "proxy\":[]", FAULT_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct https_request request;
		struct json_object *doc = changed(table[i].label, FULL, table[i].from, table[i].to);
		bool ok;

		open_ctx(&ctx);
		ok = https_request_decode(&ctx, doc, &request);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static void
refuses_malformed_replies(void **state)
{
	static const char full[] =
	    "{\"status\":200,\"is_json\":1,\"retry_after_s\":0,\"body\":\"\"}";
	static const struct {
		const char *label, *from, *to;
		enum fault_kind expected;
	} table[] = {
		{ "a valid reply", "200", "200", FAULT_NONE },
		{ "an array", full, "[]", FAULT_SERVER },
		{ "no member", full, "{}", FAULT_SERVER },
		{ "no status", "\"status\"", "\"s\"", FAULT_SERVER },
		{ "a status that is a string", "200", "\"200\"", FAULT_SERVER },
		{ "a status beyond 64 bits", "200", "99999999999999999999", FAULT_SERVER },
		{ "no is_json", "\"is_json\"", "\"i\"", FAULT_SERVER },
		{ "is_json as a boolean", ":1,", ":true,", FAULT_SERVER },
		{ "no retry_after_s", "\"retry_after_s\"", "\"r\"", FAULT_SERVER },
		{ "no body", "\"body\"", "\"b\"", FAULT_SERVER },
		{ "a body that is null", "\"\"", "null", FAULT_SERVER },
		{ "a body with a NUL", "\"\"", "\"a\\u0000b\"", FAULT_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct https_reply reply;
		struct json_object *doc = changed(table[i].label, full, table[i].from, table[i].to);
		bool ok;

		open_ctx(&ctx);
		ok = https_reply_decode(&ctx, doc, &reply);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static bool
encode_and_decode(struct ctx *ctx, void *arg)
{
	static const char text[] =
	    "{\"status\":200,\"is_json\":1,\"retry_after_s\":0,\"body\":\"b\"}";
	const struct https_request request = { .method = "GET", .url = "u", .host = "h" };
	struct json_object *doc = json_parse(text, sizeof text - 1);
	struct https_reply reply;
	const char *line;
	bool ok =
	    https_request_encode(ctx, &request, &line) && https_reply_decode(ctx, doc, &reply);

	(void)arg;
	json_object_put(doc);
	if (ok)
		same_text("the reply", reply.body, "b");
	return ok;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a request and its reply", encode_and_decode, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_the_request_that_was_encoded),
		cmocka_unit_test(decodes_the_reply_that_was_encoded),
		cmocka_unit_test(refuses_malformed_requests),
		cmocka_unit_test(refuses_malformed_replies),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("https", tests, NULL, NULL);
}
