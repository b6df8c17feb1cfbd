/* test_serve.c - a program from start to exit, as CGI and as FastCGI, with the descriptors that a
 * web server passes. */
#include "../../child.h"
#include "../../folder.h"

#include "base/log.h"
#include "web/serve.h"

#include <sys/socket.h>
#include <sys/un.h>

#define CONFIG_TEXT                                                                                \
	"[amocrm]\nclient_id = an-id\nclient_secret = hunter2\n"                                   \
	"redirect_uri = https://crm.example/cb\naccount = a.amocrm.ru\n"                           \
	"[jwt]\nsecret = hunter2-hunter2-hunter2-hunter2-\n[store]\nkeys = /keys\n"

/* Responds with the request that it received; the query `fault` makes it fail. */
static bool
echo(struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	const char *body = "";
	const char *text;
	size_t len = 0;

	if (strcmp(req->query, "fault") == 0) {
		log_note(ctx, "k", "v");
		return fault(ctx, FAULT_REFUSED, "as asked");
	}
	if (req->method == METHOD_POST && !request_body(ctx, req, 16, &body, &len))
		return false;
	if (!ctx_printf(ctx, &text, "%s|%s|%s|%zu\n", cfg->amocrm.client_id, req->query, body, len))
		return false;
	respond(res, 200, "text/plain", text);
	return response_header(ctx, res, "X-Echo", "1");
}

static bool
report_kind(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum fault_kind kind, struct response *res)
{
	const char *text;

	(void)req;
	if (!ctx_printf(
		ctx, &text, "told %s, %s\n", fault_response(kind)->code, cfg->app.deep_link))
		return false;
	respond(res, 200, "text/plain", text);
	return true;
}

static bool
fail_to_report(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum fault_kind kind, struct response *res)
{
	(void)ctx;
	(void)cfg;
	(void)req;
	(void)kind;
	respond(res, 200, "text/plain", "half an answer");
	return response_header(ctx, res, "X-Half", "1") && false;
}

#define METHODS (METHOD_GET | METHOD_HEAD | METHOD_POST)

static const struct program plain = { "plain", METHODS, echo, NULL };
static const struct program telling = { "telling", METHODS, echo, report_kind };
static const struct program posting = { "posting", METHOD_POST, echo, NULL };
static const struct program silent = { "silent", METHODS, echo, fail_to_report };

#define HEADERS      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
#define TEXT         "Status: 200 OK\r\nContent-Type: text/plain\r\n" HEADERS
#define JSON(status) "Status: " status "\r\nContent-Type: application/json\r\n" HEADERS
#define FAILED(code, message)                                                                      \
	"{\"success\":false,\"error\":\"" code "\",\"message\":\"" message "\"}\n"

#define REFUSED                                                                                    \
	JSON("400 Bad Request"), FAILED("auth_failed", "amoCRM did not accept the authorization.")
#define MALFORMED JSON("400 Bad Request"), FAILED("invalid_request", "The request is malformed.")
#define TOO_LARGE JSON("413 Content Too Large"), FAILED("too_large", "The body is too large.")
#define NOT_SET_UP                                                                                 \
	JSON("500 Internal Server Error"),                                                         \
	    FAILED("server_error", "The server is not set up correctly.")
#define NO_METHOD                                                                                  \
	JSON("405 Method Not Allowed")                                                             \
	"Allow: GET, HEAD, POST\r\n",                                                              \
	    FAILED("method_not_allowed", "This address does not answer that method.")

static const struct row {
	const char *label;
	const struct program *program;
	const char *method, *query, *length, *body;
	bool configured; /* the configuration exists */
	const char *head,
	    *response_body; /* without Content-Length; response_body NULL: only the headers */
	const char *log;    /* its beginning; "": nothing is logged */
} rows[] = {
	{ "a response", &plain, "GET", "x=1", NULL, "", true, TEXT "X-Echo: 1\r\n",
	    "an-id|x=1||0\n", "" },
	{ "no query", &plain, "GET", NULL, NULL, "", true, TEXT "X-Echo: 1\r\n", "an-id|||0\n",
	    "" },
	{ "only the headers", &plain, "HEAD", "x=1", NULL, "", true, TEXT "X-Echo: 1\r\n", NULL,
	    "" },
	{ "a body", &plain, "POST", "", "3", "abc", true, TEXT "X-Echo: 1\r\n", "an-id||abc|3\n",
	    "" },
	{ "a body at the limit", &plain, "POST", "", "16", "0123456789abcdef", true,
	    TEXT "X-Echo: 1\r\n", "an-id||0123456789abcdef|16\n", "" },
	{ "a body over the limit", &plain, "POST", "", "17", "0123456789abcdefg", true, TOO_LARGE,
	    "amo-crm plain: fault=too_large " },
	{ "a body shorter than Content-Length", &plain, "POST", "", "4", "abc", true, MALFORMED,
	    "amo-crm plain: fault=invalid_request " },
	{ "a body longer than Content-Length", &plain, "POST", "", "2", "abc", true, MALFORMED,
	    "amo-crm plain: fault=invalid_request " },

	{ "a fault", &plain, "GET", "fault", NULL, "", true, REFUSED,
	    "amo-crm plain: fault=auth_failed reason=\"as asked\" k=v\n" },
	{ "a fault that the program reports itself", &telling, "GET", "fault", NULL, "", true, TEXT,
	    "told auth_failed, foryoure://amo-crm/callback\n",
	    "amo-crm telling: fault=auth_failed " },
	{ "a fault that the program fails to report", &silent, "GET", "fault", NULL, "", true,
	    REFUSED, "amo-crm silent: fault=auth_failed " },
	{ "an unsupported method", &plain, "DELETE", "", NULL, "", true, NO_METHOD,
	    "amo-crm plain: fault=method_not_allowed " },
	{ "an unsupported method is reported as JSON", &telling, "DELETE", "", NULL, "", true,
	    NO_METHOD, "amo-crm telling: fault=method_not_allowed " },
	{ "no method", &plain, NULL, "", NULL, "", true, NO_METHOD,
	    "amo-crm plain: fault=method_not_allowed reason=\"method missing\"" },
	{ "HEAD when only POST is supported", &posting, "HEAD", "", NULL, "", true,
	    JSON("405 Method Not Allowed") "Allow: POST\r\n", NULL,
	    "amo-crm posting: fault=method_not_allowed " },
	{ "no configuration", &plain, "GET", "x=1", NULL, "", false, NOT_SET_UP,
	    "amo-crm plain: fault=server_error " },
	{ "no configuration, reported by the program itself", &telling, "GET", "x=1", NULL, "",
	    false, TEXT, "told server_error, foryoure://amo-crm/callback\n",
	    "amo-crm telling: fault=server_error " },
};

static void
same_response(const struct row *row, const char *got)
{
	char expected[1024];
	int len = row->response_body == NULL
	    ? snprintf(expected, sizeof expected, "%s\r\n", row->head)
	    : snprintf(expected, sizeof expected, "%sContent-Length: %zu\r\n\r\n%s", row->head,
		strlen(row->response_body), row->response_body);

	assert_in_range(len, 1, sizeof expected - 1);
	same_text(row->label, got, expected);
}

static void
make_config(const char *folder, bool configured)
{
	char path[PATH_SIZE];

	path_in(folder, "amo-crm.conf", path);
	if (configured)
		file_write_text(path, CONFIG_TEXT);
	else
		unlink(path);
	setenv("AMO_CRM_CONFIG", path, 1);
}

struct run {
	const struct row *row;
	const char *in, *out, *log; /* paths */
};

static bool
redirect(const char *path, int flags, int to)
{
	int fd = open(path, flags, 0600);

	return fd >= 0 && dup2(fd, to) == to && close(fd) == 0;
}

static bool
set(const char *name, const char *value)
{
	return value == NULL || setenv(name, value, 1) == 0;
}

static bool
run_as_cgi(void *arg)
{
	const struct run *run = arg;

	return redirect(run->in, O_RDONLY, STDIN_FILENO)
	    && redirect(run->out, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO)
	    && redirect(run->log, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO)
	    && set("REQUEST_METHOD", run->row->method) && set("QUERY_STRING", run->row->query)
	    && set("CONTENT_LENGTH", run->row->length) && serve(run->row->program) == 0;
}

static char *
text_of(const char *path)
{
	size_t len;
	char *text = (char *)file_read(path, &len);

	text[len] = '\0';
	return text;
}

static void
begins(const char *label, const char *s, const char *start)
{
	if (strncmp(s, start, strlen(start)) != 0 || (*start == '\0' && *s != '\0'))
		fail_msg("%s: \"%s\" does not begin with \"%s\"", label, s, start);
}

static void
responds_as_cgi(void **state)
{
	char in[PATH_SIZE];
	char out[PATH_SIZE];
	char log[PATH_SIZE];

	path_in(*state, "in", in);
	path_in(*state, "out", out);
	path_in(*state, "log", log);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct run run = { &rows[i], in, out, log };
		char *text;

		make_config(*state, rows[i].configured);
		file_write_text(in, rows[i].body);
		in_child(rows[i].label, run_as_cgi, &run);
		text = text_of(out);
		same_response(&rows[i], text);
		free(text);
		text = text_of(log);
		begins(rows[i].label, behind_time(rows[i].label, text), rows[i].log);
		has_no_text(rows[i].label, text, "hunter2");
		free(text);
	}
}

static bool
respond_to_a_closed_pipe(void *arg)
{
	int ends[2];

	(void)arg;
	signal(SIGPIPE, SIG_IGN);
	return pipe(ends) == 0 && close(ends[0]) == 0
	    && dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO
	    && redirect("/dev/null", O_RDONLY, STDIN_FILENO) && set("REQUEST_METHOD", "GET")
	    && serve(&plain) != 0;
}

static void
reports_a_closed_connection(void **state)
{
	make_config(*state, true);
	in_child("the exit status is not 0", respond_to_a_closed_pipe, NULL);
}

/* --- FastCGI 1.0, the side of the web server */

enum { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7 };

struct stream {
	char text[65536];
	size_t len;
};

static void
send_record(int fd, int type, const void *bytes, size_t len)
{
	const uint8_t header[8] = { 1, (uint8_t)type, 0, 1, (uint8_t)(len >> 8), (uint8_t)len, 0,
		0 };

	assert_int_equal(send(fd, header, sizeof header, MSG_NOSIGNAL), sizeof header);
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void
send_param(int fd, const char *name, const char *value)
{
	char pair[2 + 254];
	size_t name_len = strlen(name);
	size_t value_len = value == NULL ? 0 : strlen(value);

	if (value == NULL)
		return;
	assert_true(name_len < 128 && value_len < 127);
	pair[0] = (char)name_len;
	pair[1] = (char)value_len;
	memcpy(pair + 2, name, name_len);
	memcpy(pair + 2 + name_len, value, value_len);
	send_record(fd, PARAMS, pair, 2 + name_len + value_len);
}

static void
receive(int fd, void *to, size_t len)
{
	assert_int_equal(recv(fd, to, len, MSG_WAITALL), len);
}

/* Reads records to the end of the request. */
static void
receive_response(int fd, struct stream *out, struct stream *log)
{
	static struct stream end;
	uint8_t header[8];

	out->len = log->len = end.len = 0;
	do {
		struct stream *to;
		size_t len;
		size_t padding;

		receive(fd, header, sizeof header);
		len = (size_t)header[4] << 8 | header[5];
		padding = header[6];
		to = header[1] == STDOUT ? out : header[1] == STDERR ? log : &end;
		assert_true(to->len + len + padding < sizeof to->text);
		receive(fd, to->text + to->len, len + padding);
		to->len += len;
	} while (header[1] != END);
	out->text[out->len] = '\0';
	log->text[log->len] = '\0';
}

struct listening {
	int fd;
	const struct program *program;
};

static bool
run_as_fastcgi(void *arg)
{
	const struct listening *listening = arg;

	/* As if the program had restarted with the tunables; a restart would execute this test. */
	return set("GLIBC_TUNABLES", CTX_TUNABLE)
	    && dup2(listening->fd, STDIN_FILENO) == STDIN_FILENO && serve(listening->program) == 0;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof address.sun_path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int
connect_to(const char *path)
{
	const struct timeval timeout = { .tv_sec = CHILD_LIMIT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void
send_request(const char *path, const struct row *row)
{
	static const uint8_t responder[8] = { 0, 1 };
	static struct stream out;
	static struct stream log;
	int fd = connect_to(path);

	send_record(fd, BEGIN, responder, sizeof responder);
	send_param(fd, "REQUEST_METHOD", row->method);
	send_param(fd, "QUERY_STRING", row->query);
	send_param(fd, "CONTENT_LENGTH", row->length);
	send_record(fd, PARAMS, "", 0);
	if (row->body[0] != '\0')
		send_record(fd, STDIN, row->body, strlen(row->body));
	send_record(fd, STDIN, "", 0);
	receive_response(fd, &out, &log);
	same_response(row, out.text);
	begins(row->label, log.text, row->log);
	close(fd);
}

/* One process handles all rows, forwards and then backwards: nothing of a request is in the
 * response to the next. */
static void
responds_as_fastcgi(void **state)
{
	static const struct program *const programs[] = { &plain, &telling, &silent, &posting };
	char path[PATH_SIZE];

	make_config(*state, true);
	path_in(*state, "socket", path);
	for (size_t p = 0; p < ROWS(programs); p++) {
		struct listening listening = { listen_at(path), programs[p] };
		pid_t pid = child_start(run_as_fastcgi, &listening);
		int status;

		for (size_t i = 0; i < 2 * ROWS(rows); i++) {
			const struct row *row = &rows[i < ROWS(rows) ? i : 2 * ROWS(rows) - 1 - i];

			if (row->program != programs[p])
				continue;
			make_config(*state, row->configured);
			send_request(path, row);
		}
		kill(pid, SIGKILL);
		status = child_status(pid);
		DEMAND(programs[p]->name, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		close(listening.fd);
		assert_int_equal(unlink(path), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(responds_as_cgi),
		IN_FOLDER(reports_a_closed_connection),
		IN_FOLDER(responds_as_fastcgi),
	};

	return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
