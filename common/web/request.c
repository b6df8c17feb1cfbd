/* request.c - see request.h. */
#include "web/request.h"

#include "base/strbuf.h"
#include "web/gateway.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	enum method method;
} known_methods[] = {
	{ "GET", METHOD_GET },
	{ "HEAD", METHOD_HEAD },
	{ "POST", METHOD_POST },
	{ "DELETE", METHOD_DELETE },
};
#define KNOWN_METHODS (sizeof known_methods / sizeof *known_methods)

static bool
read_method(struct ctx *ctx, const struct gateway *gw, unsigned methods, struct request *req)
{
	const char *name = gw->variable(gw, "REQUEST_METHOD");

	for (size_t i = 0; name != NULL && i < KNOWN_METHODS; i++)
		if (strcmp(known_methods[i].name, name) == 0)
			req->method = known_methods[i].method;
	if ((req->method & methods) != 0)
		return true;
	return fault(ctx, FAULT_METHOD, "method %.20s", name == NULL ? "missing" : name);
}

/* A copy, since the gateway's variables may not outlive the request.  NULL: not sent. */
static bool
read_variable(
    struct ctx *ctx, const struct gateway *gw, const char *name, size_t max, const char **value)
{
	const char *v = gw->variable(gw, name);

	*value = NULL;
	if (v != NULL && strlen(v) > max)
		return fault(ctx, FAULT_REQUEST, "%s is over %zu bytes", name, max);
	return v == NULL || ctx_strndup(ctx, v, strlen(v), value);
}

/* The token behind "Bearer "; NULL: another scheme, or no token. */
static const char *
bearer_token(const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
		return NULL;
	authorization += sizeof scheme - 1;
	authorization += strspn(authorization, " ");
	return *authorization == '\0' ? NULL : authorization;
}

/* Why there is no bearer token in a header field.  The field is not quoted: it may be a secret. */
static const char *
bearer_problem(const char *authorization)
{
	static const struct {
		const char *scheme, *problem;
	} known[] = {
		{ "Bearer",
		    "Authorization has the scheme Bearer, but no token behind \"Bearer \"" },
		{ "JWT", "Authorization has the scheme JWT: it must be \"Bearer <token>\"" },
		{ "Token", "Authorization has the scheme Token: it must be \"Bearer <token>\"" },
		{ "Basic", "Authorization has the scheme Basic: it must be \"Bearer <token>\"" },
	};
	size_t len = strspn(authorization, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].scheme) == len
		    && strncasecmp(authorization, known[i].scheme, len) == 0)
			return known[i].problem;
	return strchr(authorization, ' ') == NULL
	    ? "Authorization is a token without a scheme: it must be \"Bearer <token>\""
	    : "Authorization has another scheme than Bearer: it must be \"Bearer <token>\"";
}

/* By default Apache hides Authorization from CGI programs, and it renames the variable after a
 * rewrite.  Where this cannot be configured, the app may send X-Auth-Token instead, with or without
 * the scheme. */
static bool
read_bearer(struct ctx *ctx, const struct gateway *gw, struct request *req)
{
	static const char *const names[] = { "HTTP_AUTHORIZATION", "REDIRECT_HTTP_AUTHORIZATION",
		"HTTP_X_AUTH_TOKEN" };
	const char *value = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names && req->bearer == NULL; i++) {
		if (!read_variable(ctx, gw, names[i], REQUEST_HEADER_MAX, &value))
			return false;
		if (value == NULL || *value == '\0')
			continue;
		req->bearer = bearer_token(value);
		if (req->bearer_problem == NULL)
			req->bearer_problem = bearer_problem(value);
	}
	if (req->bearer == NULL && value != NULL && *value != '\0')
		req->bearer = value; /* X-Auth-Token, the last of names */
	return true;
}

static bool
read_headers(struct ctx *ctx, const struct gateway *gw, struct request *req)
{
	return read_variable(
		   ctx, gw, "HTTP_ACCEPT_LANGUAGE", REQUEST_HEADER_MAX, &req->accept_language)
	    && read_variable(ctx, gw, "HTTP_USER_AGENT", REQUEST_HEADER_MAX, &req->user_agent)
	    && read_variable(
		ctx, gw, "HTTP_X_AMOCRM_REQUESTID", REQUEST_HEADER_MAX, &req->request_id)
	    && read_bearer(ctx, gw, req);
}

bool
request_bearer(struct ctx *ctx, const struct request *req, const char **token)
{
	*token = req->bearer;
	return req->bearer != NULL
	    || fault(ctx, FAULT_TOKEN_MISSING, "%s",
		req->bearer_problem != NULL ? req->bearer_problem : "no bearer token was sent");
}

bool
request_read(struct ctx *ctx, const struct gateway *gw, unsigned methods, struct request *req)
{
	const char *query = NULL;
	bool ok;

	memset(req, 0, sizeof *req);
	req->gw = gw;
	ok = read_headers(ctx, gw, req) && read_method(ctx, gw, methods, req)
	    && read_variable(ctx, gw, "QUERY_STRING", REQUEST_QUERY_MAX, &query);
	req->query = query == NULL ? "" : query;
	return ok;
}

enum media
request_media(const struct request *req)
{
	static const struct {
		const char *type;
		enum media media;
	} types[] = {
		{ "application/x-www-form-urlencoded", MEDIA_FORM },
		{ "application/json", MEDIA_JSON },
	};
	const char *type = req->gw->variable(req->gw, "CONTENT_TYPE");
	size_t len = type == NULL ? 0 : strcspn(type, "; \t");

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strlen(types[i].type) == len && strncasecmp(types[i].type, type, len) == 0)
			return types[i].media;
	return MEDIA_OTHER;
}

/* Content-Length; *given is false if there is none, and *len then 0. */
static bool
content_length(struct ctx *ctx, const struct request *req, size_t max, bool *given, size_t *len)
{
	const char *digits = req->gw->variable(req->gw, "CONTENT_LENGTH");

	*len = 0;
	*given = digits != NULL && digits[0] != '\0';
	if (!*given)
		return true;
	for (; *digits != '\0'; digits++) {
		if (*digits < '0' || *digits > '9')
			return fault(ctx, FAULT_REQUEST, "Content-Length is not a number");
		*len = *len * 10 + (size_t)(*digits - '0');
		if (*len > max)
			return fault(ctx, FAULT_TOO_LARGE, "Content-Length is over %zu bytes", max);
	}
	return true;
}

static bool
read_up_to(struct ctx *ctx, const struct request *req, char *to, size_t size, size_t *len)
{
	long n = 1;

	for (*len = 0; *len < size && n > 0; *len += n > 0 ? (size_t)n : 0)
		n = req->gw->read(req->gw, to + *len, size - *len);
	return n >= 0 || fault(ctx, FAULT_REQUEST, "the body cannot be read");
}

bool
request_body(struct ctx *ctx, const struct request *req, size_t max, const char **body, size_t *len)
{
	size_t expected;
	bool given;
	char *buffer;

	if (!content_length(ctx, req, max, &given, &expected))
		return false;
	if (!given)
		expected = max + 1; /* one byte more shows that the body is too large */
	if (!ctx_alloc(ctx, expected + 1, &buffer) || !read_up_to(ctx, req, buffer, expected, len))
		return false;
	if (!given && *len > max)
		return fault(ctx, FAULT_TOO_LARGE, "the body is over %zu bytes", max);
	if (given && (*len < expected || req->gw->more(req->gw)))
		return fault(ctx, FAULT_REQUEST, "Content-Length is %zu, but %s bytes arrived",
		    expected, *len < expected ? "fewer" : "more");
	*body = buffer;
	return true;
}

bool
request_methods(struct ctx *ctx, unsigned methods, const char **list)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	for (size_t i = 0; i < KNOWN_METHODS; i++)
		if ((known_methods[i].method & methods) != 0) {
			strbuf_addstr(&sb, sb.len > 0 ? ", " : "");
			strbuf_addstr(&sb, known_methods[i].name);
		}
	return strbuf_finish(&sb, list);
}
