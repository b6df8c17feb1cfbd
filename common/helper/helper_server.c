/* helper_server.c - the loop of amo-crm-https and amo-crm-crypto; see helper.h. */
#include "helper/helper.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "helper/helper_fault.h"
#include "text/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 4096 /* bytes at first; most questions are shorter */
#define LATE_S    1    /* what an answer may take beyond its deadline, as in https.c */

/* Standard input's lines.  stdio would keep them in its buffer. */
struct lines {
	char *line; /* NUL-terminated, with its newline */
	size_t len;
	size_t size;
};

static bool
make_space(struct lines *in)
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

/* The next question comes only after the answer to this one.  False: there is none. */
static bool
next_line(struct lines *in)
{
	do {
		ssize_t n;

		if (!make_space(in))
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
forget_line(struct lines *in)
{
	explicit_bzero(in->line, in->len);
	in->len = 0;
}

/* A library may not keep a question's deadline: libcurl waits for a resolver that does not answer.
 * Whoever asked kills it then, but may itself have been killed meanwhile, so it is ended by an
 * alarm too. */
static void
end_after(const struct json_object *request)
{
	int64_t deadline_ms;
	int64_t left_s;

	if (!json_integer(request, "deadline_ms", &deadline_ms))
		return;
	left_s = (deadline_ms - clock_ms()) / 1000 + 1 + LATE_S;
	alarm(left_s > LATE_S ? (unsigned)left_s : LATE_S);
}

/* False: nobody listens any more. */
static bool
reply_line(struct ctx *ctx, const char *line, helper_handler *reply, void *arg)
{
	struct json_object *request = json_parse(line, strcspn(line, "\n"));
	struct strbuf sb;
	const char *text;
	bool ok;

	end_after(request);
	strbuf_init(ctx, &sb);
	strbuf_addch(&sb, '{');
	ok = request != NULL ? reply(ctx, arg, request, &sb)
			     : fault(ctx, FAULT_SERVER, "a question that is no JSON");
	alarm(0);
	json_object_put(request);
	if (!ok) {
		strbuf_init(ctx, &sb);
		helper_fault_encode(&sb, ctx);
	} else
		strbuf_addstr(&sb, "}\n");
	return strbuf_finish(&sb, &text) && file_write_all(STDOUT_FILENO, text, sb.len - 1);
}

int
helper_serve(const char *name, size_t arena_size, helper_handler *reply, void *arg)
{
	struct lines in = { 0 };
	struct ctx ctx;

	/* In a folder of CGI programs it could be called by its URL. */
	if (getenv("GATEWAY_INTERFACE") != NULL || getenv("REQUEST_METHOD") != NULL
	    || isatty(STDIN_FILENO)) {
		fprintf(stderr,
		    "%s is started by the other programs, not by hand or a web server.\n", name);
		return EXIT_FAILURE;
	}
	if (!ctx_open(&ctx, arena_size))
		return EXIT_FAILURE;
	while (next_line(&in) && reply_line(&ctx, in.line, reply, arg)) {
		forget_line(&in);
		ctx_wipe(&ctx);
	}
	free(in.line);
	ctx_close(&ctx);
	return EXIT_SUCCESS;
}
