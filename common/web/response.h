/* response.h - what is answered: composed whole, then sent at once.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "base/ctx.h"
#include "web/gateway.h"

#define RESPONSE_HEADERS_MAX 12 /* of our own, beside those every response carries */

struct response {
	int status;
	const char *content_type;
	const char *body;
	size_t body_len;
	bool body_left_out; /* the answer to HEAD: the headers alone */
	size_t header_count;
	struct {
		const char *name;
		const char *value;
	} headers[RESPONSE_HEADERS_MAX];
};

/* What is told of each kind of fault: the one place where a fault becomes an answer. */
struct fault_response {
	int status;
	const char *code;    /* contract: the "error" of JSON answers and deep links */
	const char *message; /* a fixed English sentence */
};
const struct fault_response *fault_response(enum fault_kind kind);

/* name and value must live as long as the response.
 * Fault: FAULT_SERVER for a value with a control character, which could end the header. */
bool response_header(struct ctx *ctx, struct response *res, const char *name, const char *value);

/* Text of that type; the body must live as long as the response. */
void respond(struct response *res, int status, const char *content_type, const char *body);

/* {"success":true,"message":…,"data":…} with status 200; message is a sentence,
 * data a JSON text, and NULL leaves either out.  Fault: FAULT_SERVER, the arena is full. */
bool respond_success(struct ctx *ctx, const char *message, const char *data, struct response *res);

/* {"success":false,"error":…,"message":…} and what the kind of fault asks for beside it.  Cannot
 * fail: with a full arena it is a plain 500. */
void respond_fault(struct ctx *ctx, enum fault_kind kind, struct response *res);

/* Sends it.  False: the server no longer listens. */
bool response_send(struct ctx *ctx, const struct gateway *gw, const struct response *res);

#endif
