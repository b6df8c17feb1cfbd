/* test_helper.c - asking a program of ours, whatever becomes of it.
 *
 * Helpers are looked for beside the program that asks.  So the asking is done by a copy of this
 * program in a folder of its own, beside helpers that are shell scripts.
 */
#include "../../child.h"
#include "../../folder.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "helper/helper.h"
#include "text/json.h"

#define PATIENCE_MS 400
#define QUESTION    "{\"do\":\"this\"}\n"

static void
wait_for_end(pid_t pid)
{
	siginfo_t ended;

	waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT);
}

static const char *
said(const struct ctx *ctx, const struct json_object *answer)
{
	return ctx->kind == FAULT_NONE ? json_get_string(answer, "text") : fault_name(ctx->kind);
}

/* The program in its folder: asks so many times, and tells what came of each. */
static int
ask_and_tell(int times)
{
	struct ctx ctx;

	if (!ctx_open(&ctx, ARENA_SIZE))
		return EXIT_FAILURE;
	for (int i = 0; i < times; i++) {
		struct json_object *doc =
		    helper_request(&ctx, HELPER_CRYPTO, QUESTION, clock_ms() + PATIENCE_MS);

		printf("%s;", said(&ctx, doc));
		json_object_put(doc);
		ctx_wipe(&ctx);
		if (i + 1 < times && getenv("UNTIL_IT_ENDS") != NULL)
			wait_for_end(ctx.helpers[HELPER_CRYPTO].pid);
	}
	ctx_close(&ctx);
	return EXIT_SUCCESS;
}

struct asker {
	const char *program, *out;
	char times[4];
	bool until_it_ends; /* before the next question is asked */
};

static bool
run_asker(void *arg)
{
	const struct asker *asker = arg;
	int fd = open(asker->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0
	    || (asker->until_it_ends && setenv("UNTIL_IT_ENDS", "1", 1) != 0))
		return false;
	execl(asker->program, asker->program, "ask", asker->times, NULL);
	return false;
}

static void
make_asker(const char *folder, char program[PATH_SIZE])
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
bears_any_helper(void **state)
{
	static const struct {
		const char *label, *script; /* NULL: there is none */
		mode_t mode;
		int times;
		bool until_it_ends;
		const char *expected; /* each answer's text, or fault */
	} table[] = {
		{ "an answer", "read q; echo '{\"text\":\"a\"}'; read q", 0700, 1, false, "a;" },
		{ "one process for several questions",
		    "n=0; while read q; do n=$((n+1)); echo \"{\\\"text\\\":\\\"$n\\\"}\"; done",
		    0700, 3, false, "1;2;3;" },
		{ "it is sent the question",
		    "read -r q; [ \"$q\" = '{\"do\":\"this\"}' ] && echo '{\"text\":\"yes\"}'; "
		    "read q",
		    0700, 1, false, "yes;" },
		{ "it gets no environment",
		    "read q; [ -z \"$AMO_CRM_TEST\" ] && echo '{\"text\":\"none\"}'; read q", 0700,
		    1, false, "none;" },
		{ "it hears no signal that is the asker's",
		    "read q; kill -TERM $$; kill -HUP $$; kill -INT $$; kill -QUIT $$; "
		    "kill -PIPE $$; echo '{\"text\":\"alive\"}'; read q",
		    0700, 1, false, "alive;" },
		{ "an answer in pieces",
		    "read q; printf '{\"te'; printf 'xt\":\"a\"'; printf '}\\n'; read q", 0700, 1,
		    false, "a;" },
		{ "the fault it met",
		    "read q; echo '{\"fault\":\"method\",\"reason\":\"r\"}'; read q", 0700, 1,
		    false, "method;" },
		{ "a fault without a reason", "read q; echo '{\"fault\":\"method\"}'; read q", 0700,
		    1, false, "method;" },
		{ "a fault of an unknown name",
		    "read q; echo '{\"fault\":\"other\",\"reason\":\"r\"}'; read q", 0700, 1, false,
		    "server;" },
		{ "a fault by its number", "read q; echo '{\"fault\":3,\"reason\":\"r\"}'; read q",
		    0700, 1, false, "server;" },
		{ "no fault, but a fault's form",
		    "read q; echo '{\"fault\":\"none\",\"reason\":\"r\"}'; read q", 0700, 1, false,
		    "server;" },
		{ "no JSON", "read q; echo hello; read q", 0700, 1, false, "server;" },
		{ "an end without an answer", "read q", 0700, 1, false, "reply_lost;" },
		{ "half an answer", "read q; printf '{\"text\":'", 0700, 1, false, "reply_lost;" },
		{ "no answer in time", "while :; do read q; done", 0700, 2, false,
		    "reply_lost;reply_lost;" },
		{ "an answer without end",
		    "read q; while printf '%01024d' 0; do :; done 2>/dev/null", 0700, 1, false,
		    "reply_lost;" },
		{ "gone between two questions, and started again",
		    "read q; echo '{\"text\":\"a\"}'", 0700, 2, true, "a;a;" },
		{ "no helper", NULL, 0, 1, false, "config;" },
		{ "one that cannot be run", "", 0600, 1, false, "config;" },
	};
	char program[PATH_SIZE];
	char helper[PATH_SIZE];
	char out[PATH_SIZE];
	bool installed;

	make_asker(*state, program);
	/* where none is beside the program, one that is installed would be taken */
	installed = access(LIBEXEC_PATH "/amo-crm-crypto", X_OK) == 0;
	path_in(*state, "libexec/amo-crm-crypto", helper);
	path_in(*state, "out", out);
	setenv("AMO_CRM_TEST", "1", 1);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct asker asker = {
			.program = program, .out = out, .until_it_ends = table[i].until_it_ends
		};
		char script[1024];
		char *told;
		size_t len;
		int status;

		if (installed && table[i].mode != 0700)
			continue;
		if (table[i].script != NULL) {
			snprintf(script, sizeof script, "#!/bin/sh\n%s\n", table[i].script);
			unlink(helper); /* a shell may still read the one before */
			file_write(helper, script, strlen(script), table[i].mode);
		} else
			unlink(helper);
		snprintf(asker.times, sizeof asker.times, "%d", table[i].times);
		status = child_status(child_start(run_asker, &asker));
		DEMAND(table[i].label, WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);

		told = (char *)file_read(out, &len);
		told[len] = '\0';
		same_text(table[i].label, told, table[i].expected);
		free(told);
	}
}

static bool
never_answer(struct ctx *ctx, void *arg, const struct json_object *question, struct strbuf *answer)
{
	(void)ctx;
	(void)arg;
	(void)question;
	(void)answer;
	while (pause() < 0)
		;
	return false;
}

static bool
serve_a_question(void *arg)
{
	static const char question[] = "{\"deadline_ms\":1}\n";
	int ends[2];

	(void)arg;
	return pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO
	    && write(ends[1], question, sizeof question - 1) > 0
	    && helper_serve("test", ARENA_SIZE, never_answer, NULL) != EXIT_SUCCESS;
}

/* libcurl may wait for a resolver that does not answer, and who asked may be gone. */
static void
ends_when_the_time_for_its_answer_is_over(void **state)
{
	int status = child_status(child_start(serve_a_question, NULL));

	(void)state;
	DEMAND("by its alarm, and not the child's", WIFSIGNALED(status));
	same_number("the signal", WTERMSIG(status), SIGALRM);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(bears_any_helper),
		cmocka_unit_test(ends_when_the_time_for_its_answer_is_over),
	};

	if (argc == 3 && strcmp(argv[1], "ask") == 0)
		return ask_and_tell((int)strtol(argv[2], NULL, 10));
	return cmocka_run_group_tests_name("helper", tests, NULL, NULL);
}
