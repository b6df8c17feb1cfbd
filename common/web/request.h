/* request.h - what was asked, as the web server says it (RFC 3875).
 *
 * Only this module looks at meta-variables.  Nothing here is trusted;
 * Host and X-Forwarded-* are not even read.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "base/ctx.h"
#include "web/gateway.h"

#define REQUEST_QUERY_MAX 16384 /* bytes; servers cut at about 8 KB */

#define REQUEST_HEADER_MAX 16384 /* bytes of one header that is copied; servers allow 8 KB */

enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_DELETE = 8 };

enum media { MEDIA_OTHER, MEDIA_FORM, MEDIA_JSON };

/* What was not sent is NULL. */
struct request {
	const struct gateway *gw;
	enum method method;
	const char *query; /* as sent; "" when there is none */
	const char *accept_language;
	const char *user_agent;
	const char *bearer;     /* RFC 6750 section 2.1, not verified; never of the query */
	const char *request_id; /* amoCRM's X-Amocrm-Requestid */
};

/* methods are those the URL answers to, ORed.  One that it does not answer to is told all the same:
 * the answer to a HEAD has no body, whatever it says.
 * Fault: FAULT_METHOD for any other, FAULT_REQUEST for a query or header over its limit. */
bool request_read(struct ctx *ctx, const struct gateway *gw, unsigned methods, struct request *req);

/* application/x-www-form-urlencoded or application/json, whatever parameters follow (RFC 9110
 * section 8.3.1); a request without a Content-Type is MEDIA_OTHER. */
enum media request_media(const struct request *req);

/* The body, with a NUL behind it: as many bytes as Content-Length says, or all up to the end where
 * it says nothing, as for a chunked body.  Read once.
 * Fault: FAULT_TOO_LARGE for more than max bytes, announced or not; FAULT_REQUEST when
 * Content-Length is no number, or not what arrives. */
bool request_body(
    struct ctx *ctx, const struct request *req, size_t max, const char **body, size_t *len);

/* "GET, HEAD" for those that are set; for Allow (RFC 9110 section 10.2.1). */
bool request_methods(struct ctx *ctx, unsigned methods, const char **list);

#endif
