/* response.h - a response: composed completely, then sent at once.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "base/ctx.h"

#define RESPONSE_HEADERS_MAX 12 /* beside those that every response has */

struct response {
	int status;
	const char *content_type;
	const char *body;
	size_t body_len;
	bool omit_body; /* in a response to HEAD: only the header is sent */
	size_t header_count;
	struct {
		const char *name;
		const char *value;
	} headers[RESPONSE_HEADERS_MAX];
};

/* How a fault of each kind is reported: the one table from faults to responses. */
struct fault_response {
	int status;
	const char *code;    /* stable API: the "error" of JSON responses and deep links */
	const char *message; /* a fixed English sentence */
};
const struct fault_response *fault_response(enum fault_kind kind);

/* Adds a header field; name and value are not copied.
 * Fault: FAULT_SERVER for a value with a control character, which could end the field. */
bool response_header(struct ctx *ctx, struct response *res, const char *name, const char *value);

/* Begins a response, in place of what res held, with status and body; content_type and body are not
 * copied. */
void respond(struct response *res, int status, const char *content_type, const char *body);

/* {"success":true,"message":…,"data":…} with status 200.  message is a sentence and data a JSON
 * text; a NULL one is omitted.  Fault: FAULT_SERVER, the arena is full. */
bool respond_success(struct ctx *ctx, const char *message, const char *data, struct response *res);

/* {"success":false,"error":…,"message":…} with the status of that kind of fault, WWW-Authenticate
 * with 401 and Retry-After with 503.  Cannot fail: if the arena is full, response_send sends a
 * constant 500. */
void respond_fault(struct ctx *ctx, enum fault_kind kind, struct response *res);

struct gateway;

/* False: the connection is closed. */
bool response_send(struct ctx *ctx, const struct gateway *gw, const struct response *res);

#endif
