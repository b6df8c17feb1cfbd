/* serve.c - handles one request, whichever gateway it comes through. */
#include "web/serve.h"

#include "base/harden.h"
#include "base/log.h"
#include "web/cgi.h"
#include "web/fastcgi.h"

#include <stdlib.h>
#include <string.h>

static void
respond_error(struct ctx *ctx, const struct program *program, const struct config *cfg,
    const struct request *req, struct response *res)
{
	enum fault_kind kind = ctx->kind;
	const char *allow;

	if (kind != FAULT_METHOD && program->on_error != NULL
	    && program->on_error(ctx, cfg, req, kind, res))
		return;
	memset(res, 0, sizeof *res);
	respond_fault(ctx, kind, res);
	if (kind == FAULT_METHOD && request_methods(ctx, program->methods, &allow))
		response_header(ctx, res, "Allow", allow);
}

static void
write_log(const struct ctx *ctx, const struct gateway *gw, const struct program *program)
{
	char line[LOG_LINE_MAX];

	log_line(ctx, program->name, fault_response(ctx->kind)->code, line);
	if (line[0] != '\0')
		gw->log(gw, line);
}

static bool
handle(struct ctx *ctx, const struct gateway *gw, const void *arg)
{
	const struct program *program = arg;
	struct config cfg;
	struct request req;
	struct response res = { 0 };
	bool config_ok =
	    config_read(ctx, config_path(), &cfg) && config_check_store(ctx, &cfg.store);
	bool request_ok = request_read(ctx, gw, program->methods, &req);
	bool sent;

	if (!config_ok || !request_ok || !program->handle(ctx, &cfg, &req, &res))
		respond_error(ctx, program, &cfg, &req, &res);
	res.omit_body = req.method == METHOD_HEAD;
	sent = response_send(ctx, gw, &res);
	write_log(ctx, gw, program);
	return sent;
}

/* Without an arena there is only the constant response. */
static bool
refuse(struct ctx *ctx, const struct gateway *gw, const void *arg)
{
	struct response res;
	bool sent;

	respond_fault(ctx, ctx->kind, &res);
	sent = response_send(ctx, gw, &res);
	write_log(ctx, gw, arg);
	return sent;
}

int
serve(const struct program *program)
{
	struct ctx ctx;
	int status;

	harden_process();
	if (!ctx_open(&ctx, SERVE_ARENA_SIZE)) {
		/* a FastCGI process has no connection yet, so only its log says why it exits */
		if (!fastcgi_asked())
			return cgi_serve(&ctx, refuse, program);
		write_log(&ctx, &cgi_gateway, program);
		return EXIT_FAILURE;
	}
	status = fastcgi_asked() ? fastcgi_serve(&ctx, handle, program)
				 : cgi_serve(&ctx, handle, program);
	ctx_close(&ctx);
	return status;
}
