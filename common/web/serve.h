/* serve.h - runs a program: as CGI for one request, as FastCGI until it is terminated.
 */
#ifndef SERVE_H
#define SERVE_H

#include "base/ctx.h"
#include "config/config.h"
#include "web/request.h"
#include "web/response.h"

/* The most that a request may use, allocated as it is used.  A body of the largest [webhook]
 * max_body fits, whatever it contains: control characters become six times as long, in the payload
 * and again in the event's line, so that takes 14 times max_body. */
#define SERVE_ARENA_SIZE (128u << 20) /* bytes */

struct program {
	const char *name; /* in the log */
	unsigned methods; /* ORed enum method */

	/* Handles the request.  False: ctx has a fault. */
	bool (*handle)(struct ctx *ctx, const struct config *cfg, const struct request *req,
	    struct response *res);

	/* Composes the response to a fault, which may also be one of the configuration or of
	 * request_read.  NULL, or if it fails: respond_fault. */
	bool (*on_error)(struct ctx *ctx, const struct config *cfg, const struct request *req,
	    enum fault_kind kind, struct response *res);
};

/* Returns main's exit status.  argv is ignored: from a query without '=' Apache makes command-line
 * arguments (RFC 3875 section 4.4). */
int serve(const struct program *program);

#endif
