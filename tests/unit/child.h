/* child.h - runs a part of a test in a process of its own, because it may be killed or must run as
 * another user.
 *
 * A part that runs in a child returns a bool: a failure of cmocka would jump back into a second
 * copy of the test runner.
 */
#ifndef CHILD_H
#define CHILD_H

#include "table.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#define CHILD_LIMIT_S 120 /* SIGALRM kills a child that hangs; long, for a busy machine */

enum { CHILD_TRUE = 40, CHILD_FALSE }; /* no library exits with these */

typedef bool child_part(void *arg);

/* nohup, and shells that start a job in the background, leave these signals ignored. */
static inline void
child_default_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT };

	for (size_t i = 0; i < ROWS(ignored); i++)
		signal(ignored[i], SIG_DFL);
}

static inline pid_t
child_start(child_part *part, void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		child_default_signals();
		alarm(CHILD_LIMIT_S);
		_exit(part(arg) ? CHILD_TRUE : CHILD_FALSE);
	}
	assert_true(pid > 0);
	return pid;
}

/* Waits for the child; returns the status of waitpid. */
static inline int
child_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline void
child_says_true(const char *label, int status)
{
	if (WIFSIGNALED(status))
		fail_msg("%s: killed by %s", label, strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != CHILD_TRUE)
		fail_msg("%s: the child exited with status %d", label, WEXITSTATUS(status));
}

/* Waits until a child has counted so far, in memory that it shares, and then for so long. */
static inline void
child_counts(const char *label, const volatile long *count, long at_least, long then_us)
{
	struct timespec pause = { .tv_nsec = 100000 };
	long left = CHILD_LIMIT_S * 10000L;

	while (*count < at_least && left-- > 0)
		nanosleep(&pause, NULL);
	DEMAND(label, *count >= at_least);
	pause.tv_nsec = then_us * 1000;
	nanosleep(&pause, NULL);
}

/* Runs part in a child and waits for it. */
static inline void
in_child(const char *label, child_part *part, void *arg)
{
	child_says_true(label, child_status(child_start(part, arg)));
}

#endif
