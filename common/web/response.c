/* response.c - see response.h. */
#include "web/response.h"

#include "base/strbuf.h"
#include "text/json.h"
#include "web/gateway.h"

#include <string.h>

/* Seconds, with 503: unless it is known when the cause will have passed.  A full disk or an
 * overloaded amoCRM lasts a while. */
#define RETRY_AFTER_S     60
#define RETRY_AFTER_MAX_S 3600

static const struct fault_response fault_responses[FAULT_KINDS] = {
	[FAULT_NONE] = { 500, "server_error", "The server made a mistake." },
	[FAULT_REQUEST] = { 400, "invalid_request", "The request is malformed." },
	[FAULT_MISSING_CODE] = { 400, "missing_code", "The authorization code is missing." },
	[FAULT_METHOD] = { 405, "method_not_allowed", "This address does not answer that method." },
	[FAULT_MEDIA] = { 415, "unsupported_media_type", "The body's type is not one read here." },
	[FAULT_TOO_LARGE] = { 413, "too_large", "The body is too large." },
	[FAULT_TOKEN_MISSING] = { 401, "missing_token", "A bearer token is required." },
	[FAULT_TOKEN] = { 401, "invalid_token", "The bearer token is not valid." },
	[FAULT_SIGNATURE] = { 403, "invalid_signature", "The signature is not valid." },
	[FAULT_FORBIDDEN] = { 403, "forbidden", "This is not allowed." },
	[FAULT_CLAIMED] = { 409, "already_claimed", "The code belongs to another user." },
	[FAULT_REFUSED] = { 400, "auth_failed", "amoCRM did not accept the authorization." },
	[FAULT_CLIENT] = { 400, "auth_failed", "amoCRM did not accept the authorization." },
	[FAULT_OTHER_ACCOUNT] = { 400, "wrong_account",
	    "Another amoCRM account was chosen than the one this app works with." },
	[FAULT_MOVED] = { 503, "temporarily_unavailable",
	    "The account's address cannot be reached now." },
	[FAULT_REPLY_LOST] = { 503, "temporarily_unavailable", "amoCRM's reply did not arrive." },
	[FAULT_UNAVAILABLE] = { 503, "temporarily_unavailable",
	    "amoCRM or this server is not available now." },
	[FAULT_BLOCKED] = { 503, "temporarily_unavailable",
	    "amoCRM does not serve this account or this server now." },
	[FAULT_STORAGE] = { 503, "server_error", "The server cannot store this now." },
	[FAULT_CORRUPT] = { 503, "server_error",
	    "The stored data is damaged and must be repaired." },
	[FAULT_CONFIG] = { 500, "server_error", "The server is not set up correctly." },
	[FAULT_SERVER] = { 500, "server_error", "The server made a mistake." },
};

const struct fault_response *
fault_response(enum fault_kind kind)
{
	return &fault_responses[kind];
}

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 302, "Found" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

bool
response_header(struct ctx *ctx, struct response *res, const char *name, const char *value)
{
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return fault(ctx, FAULT_SERVER, "a control character in header %s", name);
	if (res->header_count == RESPONSE_HEADERS_MAX)
		return fault(ctx, FAULT_SERVER, "more than %d headers", RESPONSE_HEADERS_MAX);
	res->headers[res->header_count].name = name;
	res->headers[res->header_count].value = value;
	res->header_count++;
	return true;
}

void
respond(struct response *res, int status, const char *content_type, const char *body)
{
	*res = (struct response){ .status = status,
		.content_type = content_type,
		.body = body,
		.body_len = strlen(body) };
}

bool
respond_success(struct ctx *ctx, const char *message, const char *data, struct response *res)
{
	struct strbuf sb;
	const char *body;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"success\":true");
	if (message != NULL) {
		strbuf_addstr(&sb, ",\"message\":");
		json_add_string(&sb, message);
	}
	if (data != NULL) {
		strbuf_addstr(&sb, ",\"data\":");
		strbuf_addstr(&sb, data);
	}
	strbuf_addstr(&sb, "}\n");
	if (!strbuf_finish(&sb, &body))
		return false;
	respond(res, 200, "application/json", body);
	return true;
}

static void
retry_after(struct ctx *ctx, struct response *res)
{
	long seconds = ctx->retry_after_s > 0 ? ctx->retry_after_s : RETRY_AFTER_S;
	const char *digits;

	if (ctx_printf(
		ctx, &digits, "%ld", seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S))
		response_header(ctx, res, "Retry-After", digits);
}

void
respond_fault(struct ctx *ctx, enum fault_kind kind, struct response *res)
{
	const struct fault_response *error = fault_response(kind);
	struct strbuf sb;
	const char *body;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"success\":false,\"error\":");
	json_add_string(&sb, error->code);
	strbuf_addstr(&sb, ",\"message\":");
	json_add_string(&sb, error->message);
	strbuf_addstr(&sb, "}\n");
	respond(res, error->status, "application/json", strbuf_finish(&sb, &body) ? body : "");
	if (error->status == 401)
		response_header(ctx, res, "WWW-Authenticate", "Bearer");
	if (error->status == 503)
		retry_after(ctx, res);
}

bool
response_send(struct ctx *ctx, const struct gateway *gw, const struct response *res)
{
	static const char constant_500[] = "Status: 500 Internal Server Error\r\n"
					   "Content-Type: application/json\r\n"
					   "Cache-Control: no-store\r\n"
					   "X-Content-Type-Options: nosniff\r\n\r\n"
					   "{\"success\":false,\"error\":\"server_error\","
					   "\"message\":\"The server made a mistake.\"}\n";
	struct strbuf sb;
	const char *whole;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "Status: %d %s\r\n", res->status, reason_phrase(res->status));
	strbuf_addf(&sb, "Content-Type: %s\r\n", res->content_type);
	strbuf_addstr(&sb, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
	for (size_t i = 0; i < res->header_count; i++)
		strbuf_addf(&sb, "%s: %s\r\n", res->headers[i].name, res->headers[i].value);
	if (!res->omit_body)
		strbuf_addf(&sb, "Content-Length: %zu\r\n", res->body_len);
	strbuf_addstr(&sb, "\r\n");
	if (!res->omit_body)
		strbuf_add(&sb, res->body, res->body_len);
	if (!strbuf_finish(&sb, &whole))
		return gw->write(gw, constant_500, sizeof constant_500 - 1);
	return gw->write(gw, whole, sb.len - 1);
}
