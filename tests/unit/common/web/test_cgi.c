/* test_cgi.c - one request, with the descriptors and variables that a web server passes. */
#include "../../child.h"

#include "base/ctx.h"
#include "web/cgi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_MAX 4 /* bytes of the body that the handler reads */

/* Responds with the request that it received. */
static bool
echo(struct ctx *ctx, const struct gateway *gw, const void *arg)
{
	char body[READ_MAX + 1] = "";
	char text[128];
	long n = gw->read(gw, body, READ_MAX);
	const char *query = gw->variable(gw, "QUERY_STRING");
	int len = snprintf(text, sizeof text, "%s|%s|%ld|%s|%s", (const char *)arg,
	    query == NULL ? "(none)" : query, n, body, gw->more(gw) ? "more" : "no more");

	(void)ctx;
	gw->log(gw, "a line\n");
	return gw->write(gw, text, (size_t)len);
}

struct run {
	int fd[3];
	const char *query; /* NULL: not set */
	bool sent;         /* whether cgi_serve is to report success */
};

static bool
run_as_cgi(void *arg)
{
	const struct run *run = arg;
	struct ctx ctx;

	signal(SIGPIPE, SIG_IGN);
	unsetenv("QUERY_STRING");
	for (int i = 0; i < 3; i++)
		if (dup2(run->fd[i], i) != i)
			return false;
	return ctx_open(&ctx, ARENA_SIZE)
	    && (run->query == NULL || setenv("QUERY_STRING", run->query, 1) == 0)
	    && (cgi_serve(&ctx, echo, "arg") == EXIT_SUCCESS) == run->sent;
}

static void
receive_all(const char *label, int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		fail_msg("%s: %s", label, strerror(errno));
	text[len] = '\0';
}

/* Like Apache's mod_cgid: the body and the response use one socket. */
static void
handles_one_request(void **state)
{
	static const struct {
		const char *label, *query, *body, *response;
	} table[] = {
		{ "a query", "x=1", "", "arg|x=1|0||no more" },
		{ "no query", NULL, "", "arg|(none)|0||no more" },
		{ "a body", "", "abc", "arg||3|abc|no more" },
		{ "a body that is read to the end", "", "abcd", "arg||4|abcd|no more" },
		{ "a body that is not read to the end", "", "abcdefghij", "arg||4|abcd|more" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		char text[256];
		int server[2];
		int log[2];
		pid_t pid;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, server), 0);
		assert_int_equal(pipe(log), 0);
		assert_int_equal(
		    write(server[0], table[i].body, strlen(table[i].body)), strlen(table[i].body));
		assert_int_equal(shutdown(server[0], SHUT_WR), 0);
		struct run run = { { server[1], server[1], log[1] }, table[i].query, true };
		pid = child_start(run_as_cgi, &run);
		close(server[1]);
		close(log[1]);
		child_says_true(table[i].label, child_status(pid));
		receive_all(table[i].label, server[0], text, sizeof text);
		same_text(table[i].label, text, table[i].response);
		receive_all(table[i].label, log[0], text, sizeof text);
		same_text(table[i].label, behind_time(table[i].label, text), "a line\n");
		close(server[0]);
		close(log[0]);
	}
}

static void
reports_a_closed_connection(void **state)
{
	int out[2];
	int in[2];

	(void)state;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	close(in[1]);
	close(out[0]);
	struct run run = { { in[0], out[1], out[1] }, "", false };
	in_child("the exit status is not 0", run_as_cgi, &run);
	close(in[0]);
	close(out[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handles_one_request),
		cmocka_unit_test(reports_a_closed_connection),
	};

	return cmocka_run_group_tests_name("CGI", tests, NULL, NULL);
}
