/* fastcgi.c - see fastcgi.h. */
#include "web/fastcgi.h"

#include "base/filecache.h"
#include "web/fcgi_listener.h"
#include "web/fcgi_restart.h"

#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
get_variable(const struct gateway *gw, const char *name)
{
	const FCGX_Request *request = gw->arg;

	return FCGX_GetParam(name, request->envp);
}

static long
get_body(const struct gateway *gw, void *buffer, size_t size)
{
	const FCGX_Request *request = gw->arg;
	int n = FCGX_GetStr(buffer, size > 65536 ? 65536 : (int)size, request->in);

	return n == 0 && FCGX_GetError(request->in) != 0 ? -1 : n;
}

/* The web server has ended the stream, or will at once. */
static bool
has_more(const struct gateway *gw)
{
	const FCGX_Request *request = gw->arg;

	return FCGX_GetChar(request->in) != EOF;
}

static bool
put_answer(const struct gateway *gw, const void *bytes, size_t len)
{
	const FCGX_Request *request = gw->arg;

	return FCGX_PutStr(bytes, (int)len, request->out) == (int)len;
}

/* The web server's log, unless the web server itself says otherwise: nginx repeats the request's
 * query beside what it is given for its log, and with it a code, a signature or the webhook's
 * key. */
static void
put_log(const struct gateway *gw, const char *line)
{
	const FCGX_Request *request = gw->arg;
	const char *where = FCGX_GetParam("AMO_CRM_LOG", request->envp);

	if (where != NULL && strcmp(where, "stderr") == 0)
		(void)dprintf(STDERR_FILENO, "%s", line);
	else
		FCGX_PutStr(line, (int)strlen(line), request->err);
}

/* libfcgi would wait in accept, or for a request on a connection it has kept, where no signal can
 * be told from one that came a moment too early.  So it is handed a connection that has something
 * to read, as one that it has kept; for that it has no function, but these two members have meant
 * the same since its version 2.4.0.  False: it held no request, and is closed. */
static bool
take_request(FCGX_Request *request, int connection)
{
	request->ipcFd = connection;
	request->keepConnection = 1;
	return FCGX_Accept_r(request) == 0;
}

/* A connection is kept only if nothing of a body that was not read stands before the next
 * request. */
static void
leave_body(FCGX_Request *request)
{
	char rest[4096];

	if (!request->keepConnection)
		return;
	FCGX_FFlush(request->out);
	while (FCGX_GetStr(rest, sizeof rest, request->in) > 0)
		;
	explicit_bzero(rest, sizeof rest);
}

/* Functions that have returned leave what they had on the stack, libfcgi's among them.  None of
 * ours has more there than helper_request: 16 KB. */
static void
wipe_stack(void)
{
	char below[65536];

	explicit_bzero(below, sizeof below);
}

static void
handle_one(struct ctx *ctx, FCGX_Request *request, gateway_handler *handle, const void *arg)
{
	const struct gateway gw = { request, get_variable, get_body, has_more, put_answer,
		put_log };

	(void)handle(ctx, &gw, arg);
	leave_body(request);
	FCGX_Finish_r(request);
	wipe_stack();
	ctx_wipe(ctx);
	filecache_revalidate(ctx);
}

static int
handle_all(struct ctx *ctx, struct fcgi_listener *l, gateway_handler *handle, const void *arg)
{
	FCGX_Request request;
	int answered = 0;

	/* Without a socket to listen at: libfcgi never accepts. */
	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, -1, 0) != 0)
		return EXIT_FAILURE;
	while (answered < FASTCGI_REQUESTS_MAX && !l->ending) {
		int connection = request.ipcFd;

		if (!fcgi_listener_wait(l, ctx, &connection))
			break;
		if (take_request(&request, connection)) {
			handle_one(ctx, &request, handle, arg);
			answered++;
		}
	}
	if (request.ipcFd >= 0)
		close(request.ipcFd); /* idle: libfcgi would wait for the other end to close it */
	return l->ending || answered == FASTCGI_REQUESTS_MAX ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool
fastcgi_asked(void)
{
	return !FCGX_IsCGI();
}

int
fastcgi_serve(struct ctx *ctx, gateway_handler *handle, const void *arg)
{
	struct fcgi_listener listener;
	struct filecache filecache;
	int status;

	fcgi_restart_with_tunables();
	if (!fcgi_listener_open(ctx, &listener, STDIN_FILENO))
		return EXIT_FAILURE;
	(void)filecache_open(ctx, &filecache); /* or it reads its files each time */
	ctx_wipe(ctx);
	status = handle_all(ctx, &listener, handle, arg);
	filecache_close(ctx);
	fcgi_listener_close(&listener);
	if (status == EXIT_SUCCESS && !listener.ending)
		fcgi_restart();
	return status;
}
