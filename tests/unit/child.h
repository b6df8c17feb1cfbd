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

#define CHILD_LIMIT_S 20 /* SIGALRM kills a child that hangs */

enum { CHILD_TRUE = 40, CHILD_FALSE }; /* no library exits with these */

typedef bool child_part(void *arg);

static inline pid_t
child_start(child_part *part, void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
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

/* Runs part in a child and waits for it. */
static inline void
in_child(const char *label, child_part *part, void *arg)
{
	child_says_true(label, child_status(child_start(part, arg)));
}

#endif
