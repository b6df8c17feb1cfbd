/* serve.h - one program's life: as CGI it answers once, as FastCGI until it is stopped.
 */
#ifndef SERVE_H
#define SERVE_H

#include "base/ctx.h"
#include "config/config.h"
#include "web/request.h"
#include "web/response.h"

/* Address space, not memory: pages are taken as they are used.  A body of the largest max_body, its
 * parts and its JSON fit. */
#define SERVE_ARENA_SIZE (64u << 20) /* bytes */

struct program {
	const char *name; /* as it stands in the log */
	unsigned methods; /* ORed enum method */

	/* The protocol.  False: ctx holds a fault. */
	bool (*handle)(struct ctx *ctx, const struct config *cfg, const struct request *req,
	    struct response *res);

	/* How a fault is told, also one of the configuration or the request; NULL: as JSON.  False:
	 * that failed too, then it is told as JSON. */
	bool (*on_error)(struct ctx *ctx, const struct config *cfg, const struct request *req,
	    enum fault_kind kind, struct response *res);
};

/* Returns main's exit status.  argv is not looked at: Apache makes arguments of a query without
 * '='. */
int serve(const struct program *program);

#endif
