/* request.h - what was asked, as the web server says it (RFC 3875).
 *
 * Only this module looks at meta-variables.  Nothing here is trusted; Host and X-Forwarded-* are not
 * even read.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "gateway.h"
#include "work.h"

#define REQUEST_QUERY_MAX 16384 /* bytes; servers cut at about 8 KB */

enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_DELETE = 8 };

struct request {
	enum method method;
	const char *query;           /* as sent; "" when there is none */
	const char *accept_language; /* NULL: not sent */
	const char *user_agent;      /* NULL: not sent */
};

/* methods are those the URL answers to, ORed.
 * Fault: FAULT_METHOD for any other, FAULT_REQUEST for a query over its limit. */
bool request_read(struct work *w, const struct gateway *gw, unsigned methods, struct request *req);

/* "GET, HEAD" for those that are set; for Allow (RFC 9110 section 10.2.1). */
bool request_methods(struct work *w, unsigned methods, const char **list);

#endif
