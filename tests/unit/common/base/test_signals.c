/* test_signals.c - steps that must not be cut short. */
#include "../../child.h"
#include "../../folder.h"

#include "base/signals.h"

#include <errno.h>
#include <sys/resource.h>

static const struct {
	const char *label;
	int number;
} held_signals[] = {
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
	for (size_t i = 0; i < ROWS(held_signals); i++) {
		sigset_t outer;
		sigset_t before;
		sigset_t now;

		(void)state;
		sigemptyset(&outer);
		sigaddset(&outer, held_signals[i].number);
		sigaddset(&outer, SIGUSR1);
		sigprocmask(SIG_SETMASK, &outer, NULL);

		signals_block(&before);
		sigprocmask(SIG_BLOCK, NULL, &now);
		for (size_t j = 0; j < ROWS(held_signals); j++)
			DEMAND(held_signals[j].label, sigismember(&now, held_signals[j].number));
		DEMAND("what was held before stays so", sigismember(&now, SIGUSR1));
		DEMAND("ALRM is not held", !sigismember(&now, SIGALRM));

		signals_restore(&before);
		sigprocmask(SIG_BLOCK, NULL, &now);
		for (int number = 1; number < SIGRTMIN; number++)
			if (sigismember(&now, number) != sigismember(&outer, number))
				fail_msg("%s is not as it was", strsignal(number));
		sigemptyset(&outer);
		sigprocmask(SIG_SETMASK, &outer, NULL);
	}
}

struct attempt {
	int number;
	bool release;
};

static bool
signal_inside(void *arg)
{
	const struct attempt *attempt = arg;
	sigset_t before;

	signals_block(&before);
	raise(attempt->number);
	if (attempt->release)
		signals_restore(&before);
	return true;
}

static void
holds_signals_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(held_signals); i++) {
		struct attempt attempt = { held_signals[i].number, false };

		in_child(held_signals[i].label, signal_inside, &attempt);
	}
}

static void
lets_a_stop_through_afterwards(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct attempt attempt = { held_signals[i].number, true };
		int status = child_status(child_start(signal_inside, &attempt));

		DEMAND(held_signals[i].label,
		    WIFSIGNALED(status) && WTERMSIG(status) == attempt.number);
	}
}

/* Whoever writes too much or to nobody is told by an error, and still there to answer for it. */
static bool
write_to_nobody(void *arg)
{
	sigset_t before;
	int ends[2];
	bool told;

	(void)arg;
	if (pipe(ends) != 0)
		return false;
	close(ends[0]);
	signals_block(&before);
	told = write(ends[1], "x", 1) < 0 && errno == EPIPE;
	signals_restore(&before);
	return told;
}

static bool
write_too_much(void *arg)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	sigset_t before;
	int fd = open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool told;

	if (fd < 0 || setrlimit(RLIMIT_FSIZE, &none) != 0)
		return false;
	signals_block(&before);
	told = write(fd, "x", 1) < 0 && errno == EFBIG;
	signals_restore(&before);
	return told;
}

static void
turns_a_failed_write_into_an_error(void **state)
{
	char path[PATH_SIZE];

	path_in(*state, "file", path);
	in_child("a pipe that nobody reads", write_to_nobody, NULL);
	in_child("a file over the limit", write_too_much, path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restores_the_mask),
		cmocka_unit_test(holds_signals_back),
		cmocka_unit_test(lets_a_stop_through_afterwards),
		IN_FOLDER(turns_a_failed_write_into_an_error),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
