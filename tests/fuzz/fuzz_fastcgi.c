/* fuzz_fastcgi.c - what a web server sends by FastCGI: records, parameters, and the body.
 *
 * Input: R on a line, then raw records; or anything else, then the content of the parameters'
 * stream, an empty line, and the body, which are put into well-formed records.
 */
#include "web_server.h"

#define main fastcgi_main
#include "../../common/web/fastcgi.c"
#undef main
#include "web/request.h"
#include "web/response.h"

#include <sys/socket.h>

#define BODY_MAX   4096
#define RECORD_MAX 65528
#define LENGTH_MAX (16u << 20)

/* libfcgi loses a block for each malformed management record. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libfcgi";
}

/* A program that reads all of the request. */
static bool
respond_to(struct ctx *ctx, const struct gateway *gw, const void *arg)
{
	struct request req;
	struct response res = { 0 };
	const char *body;
	size_t len;

	(void)arg;
	if (request_read(ctx, gw, METHOD_GET | METHOD_POST, &req)
	    && request_body(ctx, &req, BODY_MAX, &body, &len)) {
		MUST(
		    len <= BODY_MAX && body[len] == '\0' && strlen(req.query) <= REQUEST_QUERY_MAX);
		(void)request_media(&req);
		respond(&res, 200, "text/plain", "ok");
	} else
		respond_fault(ctx, ctx->kind, &res);
	res.omit_body = req.method == METHOD_HEAD;
	gw->log(gw, "amo-crm fuzz: a line\n");
	return response_send(ctx, gw, &res);
}

static void
send_all(int to, const void *bytes, size_t len)
{
	MUST(len == 0 || send(to, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* libfcgi allocates what a name-value pair says it has (section 3.4), up to 2 GiB each: it trusts
 * the web server.  So pairs that say more than LENGTH_MAX are left out, in raw records roughly. */
static size_t
pair_length(const uint8_t *at, size_t left, size_t *used)
{
	*used = left > 0 && at[0] >= 0x80 ? 4 : 1;
	if (left < *used)
		return 0;
	return *used == 1
	    ? at[0]
	    : (size_t)(at[0] & 0x7f) << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static bool
lengths_fit(const uint8_t *at, size_t left)
{
	while (left > 0) {
		size_t used[2];
		size_t name = pair_length(at, left, &used[0]);
		size_t value =
		    used[0] >= left ? 0 : pair_length(at + used[0], left - used[0], &used[1]);
		size_t all = used[0] >= left ? left : used[0] + used[1] + name + value;

		if (name > LENGTH_MAX || value > LENGTH_MAX)
			return false;
		all = all > left ? left : all;
		at += all;
		left -= all;
	}
	return true;
}

static bool
is_ascii(const uint8_t *at, size_t left)
{
	while (left > 0 && *at <= 0x80) {
		at++;
		left--;
	}
	return left == 0;
}

/* FastCGI 1.0 section 3.3; the request's id is 1. */
static void
send_record(int to, uint8_t type, const void *content, size_t len)
{
	const uint8_t head[8] = { 1, type, 0, 1, (uint8_t)(len >> 8), (uint8_t)len, 0, 0 };

	send_all(to, head, sizeof head);
	send_all(to, content, len);
}

static void
send_request(int to, const uint8_t *data, size_t size)
{
	enum { BEGIN = 1, PARAMS = 4, STDIN = 5 };
	static const uint8_t responder[8] = { 0, 1 };
	const uint8_t *end = memmem(data, size, "\n\n", 2);
	size_t params = end == NULL ? size : (size_t)(end - data);

	send_record(to, BEGIN, responder, sizeof responder);
	if (params > 0)
		send_record(to, PARAMS, data, params);
	send_record(to, PARAMS, NULL, 0);
	if (end != NULL && size > params + 2)
		send_record(to, STDIN, end + 2, size - params - 2);
	send_record(to, STDIN, NULL, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ctx ctx;
	const uint8_t *rest = size == 0 ? NULL : memchr(data, '\n', size);
	size_t left = rest == NULL ? 0 : size - (size_t)(rest + 1 - data);
	FCGX_Request request;
	int ends[2];

	if (ctx.arena == NULL)
		MUST(ctx_open(&ctx, 1 << 20) && FCGX_Init() == 0);
	if (rest == NULL || left > RECORD_MAX
	    || !(data[0] == 'R' ? is_ascii(rest + 1, left) : lengths_fit(rest + 1, left)))
		return 0;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	if (data[0] == 'R')
		send_all(ends[0], rest + 1, left);
	else
		send_request(ends[0], rest + 1, left);
	MUST(shutdown(ends[0], SHUT_WR) == 0);
	MUST(FCGX_InitRequest(&request, -1, 0) == 0);
	if (accept_request(&request, ends[1]))
		handle_request(&ctx, &request, respond_to, NULL);
	FCGX_Free(&request, 1); /* a resident process reuses it */
	close(ends[0]);
	return 0;
}
