/* fastcgi.c - see fastcgi.h. */
#include "web/fastcgi.h"

#include "base/filecache.h"
#include "base/log.h"
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

/* Does not block: the web server has ended the stream, or is about to. */
static bool
has_more(const struct gateway *gw)
{
	const FCGX_Request *request = gw->arg;

	return FCGX_GetChar(request->in) != EOF;
}

static bool
put_response(const struct gateway *gw, const void *bytes, size_t len)
{
	const FCGX_Request *request = gw->arg;

	return FCGX_PutStr(bytes, (int)len, request->out) == (int)len;
}

/* Writes to the web server's log, to which the server adds the time, or to our own stderr when the
 * web server's configuration sets AMO_CRM_LOG.  nginx would log the request's query beside the
 * line, and with it a code, a signature or the webhook's key. */
static void
put_log(const struct gateway *gw, const char *line)
{
	const FCGX_Request *request = gw->arg;
	const char *where = FCGX_GetParam("AMO_CRM_LOG", request->envp);

	if (where != NULL && strcmp(where, "stderr") == 0)
		log_to_stderr(line);
	else
		FCGX_PutStr(line, (int)strlen(line), request->err);
}

/* libfcgi must not block in accept, nor in read on a connection that it keeps open: a signal that
 * arrives just before would be missed (a race).  So it is given a connection that has data, as one
 * that it has kept open.  libfcgi has no function for this, but the two members have had this
 * meaning since its version 2.4.0.  False: the data was no request; the connection is closed. */
static bool
accept_request(FCGX_Request *request, int connection)
{
	request->ipcFd = connection;
	request->keepConnection = 1;
	return FCGX_Accept_r(request) == 0;
}

/* On a connection that is kept open, the unread rest of a body would precede the next request. */
static void
drain_body(FCGX_Request *request)
{
	char rest[4096];

	if (!request->keepConnection)
		return;
	FCGX_FFlush(request->out);
	while (FCGX_GetStr(rest, sizeof rest, request->in) > 0)
		;
	explicit_bzero(rest, sizeof rest);
}

/* Erases what functions that have returned, libfcgi's among them, left on the stack.  None of ours
 * uses more of it than helper_request, 16 KB. */
static void
wipe_stack(void)
{
	char below[65536];

	explicit_bzero(below, sizeof below);
}

static void
handle_request(struct ctx *ctx, FCGX_Request *request, gateway_handler *handle, const void *arg)
{
	const struct gateway gw = { request, get_variable, get_body, has_more, put_response,
		put_log };

	(void)handle(ctx, &gw, arg);
	drain_body(request);
	FCGX_Finish_r(request);
	wipe_stack();
	ctx_wipe(ctx);
	filecache_revalidate(ctx);
}

static int
handle_requests(struct ctx *ctx, struct fcgi_listener *l, gateway_handler *handle, const void *arg)
{
	FCGX_Request request;
	int handled = 0;

	/* -1: there is no listening socket, since libfcgi never accepts. */
	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, -1, 0) != 0)
		return EXIT_FAILURE;
	while (handled < FASTCGI_REQUESTS_MAX && !l->ending) {
		int connection = request.ipcFd;

		if (!fcgi_listener_wait(l, ctx, &connection))
			break;
		if (accept_request(&request, connection)) {
			handle_request(ctx, &request, handle, arg);
			handled++;
		}
	}
	if (request.ipcFd >= 0)
		close(request.ipcFd); /* idle; libfcgi would wait until the peer closes it */
	return l->ending || handled == FASTCGI_REQUESTS_MAX ? EXIT_SUCCESS : EXIT_FAILURE;
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
	(void)filecache_open(ctx, &filecache); /* without it each request reads the files */
	ctx_wipe(ctx);
	status = handle_requests(ctx, &listener, handle, arg);
	filecache_close(ctx);
	fcgi_listener_close(&listener);
	if (status == EXIT_SUCCESS && !listener.ending)
		fcgi_restart();
	return status;
}
