/* child.h - what is tried in a process of its own,
 * because it may be killed or must be another user.
 *
 * A part of a test that runs in a child answers by bool: cmocka's failures would leap back into a
 * second copy of the test runner.
 */
#ifndef CHILD_H
#define CHILD_H

#include "table.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#define CHILD_LIMIT_S 20 /* a child that hangs is ended by SIGALRM */

enum { CHILD_TRUE = 40, CHILD_FALSE }; /* not what a library would end a process with */

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

/* As waitpid tells it. */
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
		fail_msg("%s: ended by %s", label, strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != CHILD_TRUE)
		fail_msg("%s: the child ended with %d", label, WEXITSTATUS(status));
}

/* Runs part in a child to its end. */
static inline void
in_child(const char *label, child_part *part, void *arg)
{
	child_says_true(label, child_status(child_start(part, arg)));
}

#endif
