/* test_signals.c - signals are blocked during a critical section. */
#include "../../child.h"
#include "../../folder.h"

#include "base/signals.h"

#include <errno.h>
#include <sys/resource.h>

static const struct {
	const char *label;
	int number;
} blocked_signals[] = {
	{ "TERM", SIGTERM },
	{ "HUP", SIGHUP },
	{ "INT", SIGINT },
	{ "QUIT", SIGQUIT },
	{ "PIPE", SIGPIPE },
	{ "XFSZ", SIGXFSZ },
};

static void
restores_the_mask(void **state)
{
	for (size_t i = 0; i < ROWS(blocked_signals); i++) {
		sigset_t outer;
		sigset_t before;
		sigset_t now;

		(void)state;
		sigemptyset(&outer);
		sigaddset(&outer, blocked_signals[i].number);
		sigaddset(&outer, SIGUSR1);
		sigprocmask(SIG_SETMASK, &outer, NULL);

		signals_block(&before);
		sigprocmask(SIG_BLOCK, NULL, &now);
		for (size_t j = 0; j < ROWS(blocked_signals); j++)
			DEMAND(
			    blocked_signals[j].label, sigismember(&now, blocked_signals[j].number));
		DEMAND("a signal blocked before stays blocked", sigismember(&now, SIGUSR1));
		DEMAND("ALRM is not blocked", !sigismember(&now, SIGALRM));

		signals_restore(&before);
		sigprocmask(SIG_BLOCK, NULL, &now);
		for (int number = 1; number < SIGRTMIN; number++)
			if (sigismember(&now, number) != sigismember(&outer, number))
				fail_msg("%s is not restored", strsignal(number));
		sigemptyset(&outer);
		sigprocmask(SIG_SETMASK, &outer, NULL);
	}
}

struct attempt {
	int number;
	bool restore;
};

static bool
raise_while_blocked(void *arg)
{
	const struct attempt *attempt = arg;
	sigset_t before;

	signals_block(&before);
	raise(attempt->number);
	if (attempt->restore)
		signals_restore(&before);
	return true;
}

static void
blocks_each_signal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(blocked_signals); i++) {
		struct attempt attempt = { blocked_signals[i].number, false };

		in_child(blocked_signals[i].label, raise_while_blocked, &attempt);
	}
}

static void
delivers_a_pending_signal_afterwards(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct attempt attempt = { blocked_signals[i].number, true };
		int status = child_status(child_start(raise_while_blocked, &attempt));

		DEMAND(blocked_signals[i].label,
		    WIFSIGNALED(status) && WTERMSIG(status) == attempt.number);
	}
}

/* Writing to a closed pipe or past the file size limit fails with an error and does not kill the
 * process. */
static bool
write_to_closed_pipe(void *arg)
{
	sigset_t before;
	int ends[2];
	bool failed;

	(void)arg;
	if (pipe(ends) != 0)
		return false;
	close(ends[0]);
	signals_block(&before);
	failed = write(ends[1], "x", 1) < 0 && errno == EPIPE;
	signals_restore(&before);
	return failed;
}

static bool
write_past_limit(void *arg)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	sigset_t before;
	int fd = open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool failed;

	if (fd < 0 || setrlimit(RLIMIT_FSIZE, &none) != 0)
		return false;
	signals_block(&before);
	failed = write(fd, "x", 1) < 0 && errno == EFBIG;
	signals_restore(&before);
	return failed;
}

static void
turns_a_failed_write_into_an_error(void **state)
{
	char path[PATH_SIZE];

	path_in(*state, "file", path);
	in_child("a closed pipe", write_to_closed_pipe, NULL);
	in_child("a file past the size limit", write_past_limit, path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restores_the_mask),
		cmocka_unit_test(blocks_each_signal),
		cmocka_unit_test(delivers_a_pending_signal_afterwards),
		IN_FOLDER(turns_a_failed_write_into_an_error),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
