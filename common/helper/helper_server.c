/* helper_server.c - the main loop of the helper programs; see helper.h. */
#include "helper/helper.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "helper/helper_fault.h"
#include "text/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE      4096      /* bytes at first; most requests are shorter */
#define LINE_SIZE_KEPT (1 << 20) /* more is freed after the request */
#define GRACE_S        (HELPER_GRACE_MS / 1000)

#define WRITE_ERRORS_MAX 8 /* of one reply; more do not pass */

/* Reads standard input; stdio would leave secrets in its buffer. */
struct line_reader {
	char *line; /* NUL-terminated, with its newline */
	size_t len;
	size_t size;
};

static bool
grow(struct line_reader *in)
{
	size_t size = in->size == 0 ? LINE_SIZE : 2 * in->size;
	char *larger;

	if (in->size - in->len > 1)
		return true;
	larger = realloc(in->line, size);
	if (larger == NULL)
		return false;
	in->line = larger;
	in->size = size;
	return true;
}

/* A caller sends its next request only after the reply to this one, so nothing follows the newline.
 * False: the input ended. */
static bool
read_line(struct line_reader *in)
{
	do {
		ssize_t n;

		if (!grow(in))
			return false;
		n = read(STDIN_FILENO, in->line + in->len, in->size - in->len - 1);
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		in->len += n < 0 ? 0 : (size_t)n;
	} while (in->len == 0 || in->line[in->len - 1] != '\n');
	in->line[in->len] = '\0';
	return true;
}

static void
wipe_line(struct line_reader *in)
{
	explicit_bzero(in->line, in->len);
	in->len = 0;
	if (in->size > LINE_SIZE_KEPT) {
		free(in->line);
		*in = (struct line_reader){ .line = NULL };
	}
}

/* A library may miss the deadline: libcurl waits for a resolver that does not reply.  The caller
 * then kills this process, but the caller may itself have been killed meanwhile, so an alarm ends
 * this process too. */
static void
set_alarm(const struct json_object *request)
{
	int64_t deadline_ms;
	int64_t left_s;

	if (!json_get_integer(request, HELPER_DEADLINE, &deadline_ms))
		return;
	left_s = (deadline_ms - clock_ms()) / 1000 + 1 + GRACE_S;
	alarm(left_s > GRACE_S ? (unsigned)left_s : GRACE_S);
}

/* After an error other than that the caller has gone, the socket still takes the reply, which may
 * hold tokens that amoCRM gives out once. */
static bool
send_reply(const char *reply, size_t len)
{
	for (int errors = 0; len > 0;) {
		ssize_t n = write(STDOUT_FILENO, reply, len);

		if (n < 0 && (errno == EPIPE || ++errors > WRITE_ERRORS_MAX))
			return false;
		reply += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

/* False: the caller closed the connection, or there is no memory for the reply. */
static bool
handle_line(struct ctx *ctx, const char *line, helper_handler *handle, void *arg)
{
	struct json_object *request = json_parse(line, strcspn(line, "\n"));
	struct strbuf sb;
	const char *reply;
	bool ok;

	set_alarm(request);
	strbuf_init(ctx, &sb);
	ok = request != NULL ? handle(ctx, arg, request, &sb)
			     : fault(ctx, FAULT_SERVER, "a request that is not JSON");
	alarm(0);
	json_object_put(request);
	if (!ok) {
		strbuf_init(ctx, &sb);
		helper_fault_encode(&sb, ctx);
	}
	strbuf_addch(&sb, '\n');
	return strbuf_finish(&sb, &reply) && send_reply(reply, sb.len - 1);
}

int
helper_serve(const char *name, size_t arena_size, helper_handler *handle, void *arg)
{
	struct line_reader in = { 0 };
	struct ctx ctx;

	/* In a folder of CGI programs a helper could be requested by its URL. */
	if (getenv("GATEWAY_INTERFACE") != NULL || getenv("REQUEST_METHOD") != NULL
	    || isatty(STDIN_FILENO)) {
		fprintf(stderr,
		    "%s is started by the other programs, not by hand or by a web server.\n", name);
		return EXIT_FAILURE;
	}
	if (!ctx_open(&ctx, arena_size))
		return HELPER_NO_MEMORY;
	while (read_line(&in) && handle_line(&ctx, in.line, handle, arg)) {
		wipe_line(&in);
		ctx_wipe(&ctx);
	}
	free(in.line);
	ctx_close(&ctx);
	return EXIT_SUCCESS;
}
