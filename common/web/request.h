/* request.h - a request as the web server passes it (RFC 3875).
 *
 * Only this module reads meta-variables.  Nothing here is trusted, and Host and X-Forwarded-* are
 * not read at all.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "base/ctx.h"

#define REQUEST_QUERY_MAX 16384 /* bytes; web servers limit a URL to about 8 KB */

#define REQUEST_HEADER_MAX 16384 /* bytes of one header field; web servers allow 8 KB */

enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_DELETE = 8 };

enum media { MEDIA_OTHER, MEDIA_FORM, MEDIA_JSON };

struct gateway;

/* A field that was not sent is NULL. */
struct request {
	const struct gateway *gw;
	enum method method;
	const char *query; /* not decoded; "" if there is none */
	const char *accept_language;
	const char *user_agent;
	const char *bearer;         /* RFC 6750 section 2.1, not verified; never from the query */
	const char *bearer_problem; /* why bearer is NULL, for the log; a constant */
	const char *request_id;     /* amoCRM's X-Amocrm-Requestid */
};

/* methods are those that the program supports, ORed.  req->method is set even if it is not among
 * them, since a response to HEAD never has a body.
 * Fault: FAULT_METHOD for an unsupported method, FAULT_REQUEST for a query or header field over its
 * limit.  Even then the other members of req are set as far as they were read. */
bool request_read(struct ctx *ctx, const struct gateway *gw, unsigned methods, struct request *req);

/* The bearer token.  Fault: FAULT_TOKEN_MISSING, with the reason in the log. */
bool request_bearer(struct ctx *ctx, const struct request *req, const char **token);

/* The Content-Type without its parameters (RFC 9110 section 8.3.1): MEDIA_FORM is
 * application/x-www-form-urlencoded, MEDIA_JSON application/json.  Without one: MEDIA_OTHER. */
enum media request_media(const struct request *req);

/* Reads the body, to be called once; a NUL follows it.  It has as many bytes as Content-Length
 * says, or ends with the stream if there is no Content-Length, as in a chunked body.
 * Fault: FAULT_TOO_LARGE for more than max bytes, whether Content-Length says so or not;
 * FAULT_REQUEST if Content-Length is not a number, or not the length of what arrives. */
bool request_body(
    struct ctx *ctx, const struct request *req, size_t max, const char **body, size_t *len);

/* The value of an Allow header (RFC 9110 section 10.2.1): "GET, HEAD" for these two. */
bool request_methods(struct ctx *ctx, unsigned methods, const char **list);

#endif
