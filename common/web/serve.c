/* serve.c - CGI, and the frame every request is answered in. */
#include "web/serve.h"

#include "base/file.h"
#include "base/log.h"
#include "web/fastcgi.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static bool
handle(struct ctx *ctx, const struct program *program, const struct gateway *gw)
{
	struct config cfg;
	struct request req;
	struct response res = { 0 };
	char line[LOG_LINE_MAX];
	bool config_ok = config_read(ctx, config_path(), &cfg);
	bool request_ok = request_read(ctx, gw, program->methods, &req);
	bool sent;

	if (!config_ok || !request_ok || !program->handle(ctx, &cfg, &req, &res))
		respond_error(ctx, program, &cfg, &req, &res);
	res.body_left_out = req.method == METHOD_HEAD;
	sent = response_send(ctx, gw, &res);
	log_line(ctx, program->name, fault_response(ctx->kind)->code, line);
	if (line[0] != '\0')
		gw->log(gw, line);
	return sent;
}

static const char *
cgi_variable(const struct gateway *gw, const char *name)
{
	(void)gw;
	return getenv(name);
}

static long
cgi_read(const struct gateway *gw, void *buffer, size_t size)
{
	ssize_t n;

	(void)gw;
	do
		n = read(STDIN_FILENO, buffer, size);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool
cgi_more(const struct gateway *gw)
{
	struct pollfd body = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	(void)gw;
	return poll(&body, 1, 0) == 1 && (body.revents & POLLIN) != 0
	    && read(STDIN_FILENO, &byte, 1) == 1;
}

static bool
cgi_write(const struct gateway *gw, const void *bytes, size_t len)
{
	(void)gw;
	return file_write_all(STDOUT_FILENO, bytes, len);
}

static void
cgi_log(const struct gateway *gw, const char *line)
{
	(void)gw;
	(void)file_write_all(STDERR_FILENO, line, strlen(line));
}

/* Apache's mod_cgid hands us one socket for body and answer.  Were it closed with a part of the
 * body unread, Apache would get a reset in place of the answer's end. */
static void
leave_body(void)
{
	char rest[4096];

	if (shutdown(STDIN_FILENO, SHUT_RD) == 0)
		while (read(STDIN_FILENO, rest, sizeof rest) > 0)
			;
}

static int
serve_cgi(struct ctx *ctx, const struct program *program)
{
	const struct gateway gw = { NULL, cgi_variable, cgi_read, cgi_more, cgi_write, cgi_log };
	bool sent = handle(ctx, program, &gw);

	leave_body();
	return sent ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void
handle_next(struct ctx *ctx, const struct gateway *gw, const void *program)
{
	(void)handle(ctx, program, gw);
}

int
serve(const struct program *program)
{
	struct ctx ctx;
	int status;

	if (!ctx_open(&ctx, SERVE_ARENA_SIZE)) {
		struct gateway gw = { NULL, cgi_variable, cgi_read, cgi_more, cgi_write, cgi_log };
		struct response res = { 0 };

		respond_fault(&ctx, FAULT_SERVER, &res);
		response_send(&ctx, &gw, &res);
		return EXIT_FAILURE;
	}
	status =
	    fastcgi_asked() ? fastcgi_serve(&ctx, handle_next, program) : serve_cgi(&ctx, program);
	ctx_close(&ctx);
	return status;
}
