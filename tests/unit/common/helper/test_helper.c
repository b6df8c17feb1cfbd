/* test_helper.c - requests to a helper, and whatever a helper may do with them.
 *
 * A program looks for its helpers beside itself.  Therefore the requests are made by a copy of this
 * program in a separate folder, and the helpers beside it are shell scripts.
 */
#include "../../child.h"
#include "../../folder.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "helper/helper.h"
#include "text/json.h"

#define TIMEOUT_MS  "400"   /* of a reply that does not come */
#define PATIENCE_MS "60000" /* of any other reply, on a busy machine */
#define REQUEST     "{\"do\":\"this\"}\n"

static void
wait_for_end(pid_t pid)
{
	siginfo_t ended;

	waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT);
}

static const char *
text_or_fault(const struct ctx *ctx, const struct json_object *reply)
{
	return ctx->kind == FAULT_NONE ? json_get_string(reply, "text") : fault_name(ctx->kind);
}

/* main of the copy: makes that many requests, and prints the text or the fault of each reply. */
static int
request_and_print(int times, int timeout_ms)
{
	struct ctx ctx;

	if (!ctx_open(&ctx, ARENA_SIZE))
		return EXIT_FAILURE;
	for (int i = 0; i < times; i++) {
		struct json_object *doc =
		    helper_request(&ctx, HELPER_CRYPTO, REQUEST, clock_ms() + timeout_ms);

		printf("%s;", text_or_fault(&ctx, doc));
		json_object_put(doc);
		ctx_wipe(&ctx);
		if (i + 1 < times && getenv("UNTIL_IT_ENDS") != NULL)
			wait_for_end(ctx.helpers[HELPER_CRYPTO].pid);
	}
	ctx_close(&ctx);
	return EXIT_SUCCESS;
}

struct caller {
	const char *program, *out, *timeout_ms;
	char times[4];
	bool until_it_ends; /* waits for the helper's end before the next request */
};

static bool
run_caller(void *arg)
{
	const struct caller *caller = arg;
	int fd = open(caller->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0
	    || (caller->until_it_ends && setenv("UNTIL_IT_ENDS", "1", 1) != 0))
		return false;
	execl(caller->program, caller->program, "ask", caller->times, caller->timeout_ms, NULL);
	return false;
}

static void
make_caller(const char *folder, char program[PATH_SIZE])
{
	char path[PATH_SIZE];
	uint8_t *bytes;
	size_t len;

	bytes = file_read("/proc/self/exe", &len);
	path_in(folder, "bin", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(folder, "libexec", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(folder, "bin/asker", program);
	file_write(program, bytes, len, 0700);
	free(bytes);
}

static void
handles_any_behavior_of_a_helper(void **state)
{
	static const struct {
		const char *label, *script; /* NULL: no helper */
		mode_t mode;
		int times;
		bool until_it_ends;
		const char *expected; /* the text or the fault of each reply */
	} table[] = {
		{ "a reply", "read q; echo '{\"text\":\"a\"}'; read q", 0700, 1, false, "a;" },
		{ "one process for several requests",
		    "n=0; while read q; do n=$((n+1)); echo \"{\\\"text\\\":\\\"$n\\\"}\"; done",
		    0700, 3, false, "1;2;3;" },
		{ "the request is sent",
		    "read -r q; [ \"$q\" = '{\"do\":\"this\"}' ] && echo '{\"text\":\"yes\"}'; "
		    "read q",
		    0700, 1, false, "yes;" },
		{ "the helper gets no environment",
		    "read q; [ -z \"$AMO_CRM_TEST\" ] && echo '{\"text\":\"none\"}'; read q", 0700,
		    1, false, "none;" },
		{ "the helper does not receive the signals of its caller",
		    "read q; kill -TERM $$; kill -HUP $$; kill -INT $$; kill -QUIT $$; "
		    "kill -PIPE $$; echo '{\"text\":\"alive\"}'; read q",
		    0700, 1, false, "alive;" },
		{ "a reply in pieces",
		    "read q; printf '{\"te'; printf 'xt\":\"a\"'; printf '}\\n'; read q", 0700, 1,
		    false, "a;" },
		{ "a fault of the helper",
		    "read q; echo '{\"fault\":\"method\",\"reason\":\"r\"}'; read q", 0700, 1,
		    false, "method;" },
		{ "a fault without a reason", "read q; echo '{\"fault\":\"method\"}'; read q", 0700,
		    1, false, "method;" },
		{ "a fault with an unknown name",
		    "read q; echo '{\"fault\":\"other\",\"reason\":\"r\"}'; read q", 0700, 1, false,
		    "server;" },
		{ "a fault that is a number",
		    "read q; echo '{\"fault\":3,\"reason\":\"r\"}'; read q", 0700, 1, false,
		    "server;" },
		{ "the name of FAULT_NONE",
		    "read q; echo '{\"fault\":\"none\",\"reason\":\"r\"}'; read q", 0700, 1, false,
		    "server;" },
		{ "a reply that is not JSON", "read q; echo hello; read q", 0700, 1, false,
		    "server;" },
		{ "the helper exits without a reply", "read q", 0700, 1, false, "reply_lost;" },
		{ "half a reply", "read q; printf '{\"text\":'", 0700, 1, false, "reply_lost;" },
		{ "no reply in time", "while :; do read q; done", 0700, 2, false,
		    "reply_lost;reply_lost;" },
		{ "an endless reply", "read q; while printf '%01024d' 0; do :; done 2>/dev/null",
		    0700, 1, false, "reply_lost;" },
		{ "the helper exits between two requests, and is started again",
		    "read q; echo '{\"text\":\"a\"}'", 0700, 2, true, "a;a;" },
		{ "no helper", NULL, 0, 1, false, "config;" },
		{ "a helper that cannot be executed", "", 0600, 1, false, "config;" },
	};
	char program[PATH_SIZE];
	char helper[PATH_SIZE];
	char out[PATH_SIZE];
	bool installed;

	make_caller(*state, program);
	/* without a helper beside the program, an installed one would be used */
	installed = access(LIBEXEC_PATH "/amo-crm-crypto", X_OK) == 0;
	path_in(*state, "libexec/amo-crm-crypto", helper);
	path_in(*state, "out", out);
	setenv("AMO_CRM_TEST", "1", 1);
	for (size_t i = 0; i < ROWS(table); i++) {
		bool lost = strncmp(table[i].expected, "reply_lost", 10) == 0;
		struct caller caller = { .program = program,
			.out = out,
			.timeout_ms = lost ? TIMEOUT_MS : PATIENCE_MS,
			.until_it_ends = table[i].until_it_ends };
		char script[1024];
		char *printed;
		size_t len;
		int status;

		if (installed && table[i].mode != 0700)
			continue;
		if (table[i].script != NULL) {
			snprintf(script, sizeof script, "#!/bin/sh\n%s\n", table[i].script);
			unlink(helper); /* a shell may still read the previous script */
			file_write(helper, script, strlen(script), table[i].mode);
		} else
			unlink(helper);
		snprintf(caller.times, sizeof caller.times, "%d", table[i].times);
		status = child_status(child_start(run_caller, &caller));
		DEMAND(table[i].label, WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);

		printed = (char *)file_read(out, &len);
		printed[len] = '\0';
		same_text(table[i].label, printed, table[i].expected);
		free(printed);
	}
}

static bool
never_reply(struct ctx *ctx, void *arg, const struct json_object *request, struct strbuf *reply)
{
	(void)ctx;
	(void)arg;
	(void)request;
	(void)reply;
	while (pause() < 0)
		;
	return false;
}

static bool
serve_a_request(void *arg)
{
	static const char request[] = "{\"deadline_ms\":1}\n";
	int ends[2];

	(void)arg;
	return pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO
	    && write(ends[1], request, sizeof request - 1) > 0
	    && helper_serve("test", ARENA_SIZE, never_reply, NULL) != EXIT_SUCCESS;
}

/* libcurl may wait for a resolver that does not reply, when the caller has already exited. */
static void
ends_soon_after_the_deadline_of_a_request(void **state)
{
	int status = child_status(child_start(serve_a_request, NULL));

	(void)state;
	DEMAND("the helper is killed by a signal", WIFSIGNALED(status));
	same_number("the signal", WTERMSIG(status), SIGALRM);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(handles_any_behavior_of_a_helper),
		cmocka_unit_test(ends_soon_after_the_deadline_of_a_request),
	};

	if (argc == 4 && strcmp(argv[1], "ask") == 0)
		return request_and_print(
		    (int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
	return cmocka_run_group_tests_name("helper", tests, NULL, NULL);
}
