/* cgi.c - see cgi.h. */
#include "web/cgi.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *
get_variable(const struct gateway *gw, const char *name)
{
	(void)gw;
	return getenv(name);
}

static long
get_body(const struct gateway *gw, void *buffer, size_t size)
{
	ssize_t n;

	(void)gw;
	do
		n = read(STDIN_FILENO, buffer, size);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool
has_more(const struct gateway *gw)
{
	struct pollfd body = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	(void)gw;
	return poll(&body, 1, 0) == 1 && (body.revents & POLLIN) != 0
	    && read(STDIN_FILENO, &byte, 1) == 1;
}

static bool
put_response(const struct gateway *gw, const void *bytes, size_t len)
{
	(void)gw;
	return file_write_all(STDOUT_FILENO, bytes, len);
}

static void
put_log(const struct gateway *gw, const char *line)
{
	(void)gw;
	log_to_stderr(line);
}

const struct gateway cgi_gateway = { NULL, get_variable, get_body, has_more, put_response,
	put_log };

/* Apache's mod_cgid passes one socket as stdin and stdout.  If the process ended with part of the
 * body unread, the kernel would reset the connection and Apache would lose the end of the
 * response. */
static void
drain_body(void)
{
	char rest[4096];

	if (shutdown(STDIN_FILENO, SHUT_RD) == 0)
		while (read(STDIN_FILENO, rest, sizeof rest) > 0)
			;
}

int
cgi_serve(struct ctx *ctx, gateway_handler *handle, const void *arg)
{
	bool sent = handle(ctx, &cgi_gateway, arg);

	drain_body();
	return sent ? EXIT_SUCCESS : EXIT_FAILURE;
}
