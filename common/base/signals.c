/* signals.c - see signals.h. */
#include "base/signals.h"

#include <stddef.h>
#include <time.h>

void
signals_blocked_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGPIPE);
	sigaddset(set, SIGXFSZ);
}

void
signals_block(sigset_t *before)
{
	sigset_t set;

	signals_blocked_set(&set);
	sigprocmask(SIG_BLOCK, &set, before);
}

/* Discards pending PIPE and XFSZ: the failed write has returned an error already. */
static void
discard_write_signals(void)
{
	const struct timespec at_once = { 0, 0 };
	sigset_t writing;

	sigemptyset(&writing);
	sigaddset(&writing, SIGPIPE);
	sigaddset(&writing, SIGXFSZ);
	while (sigtimedwait(&writing, NULL, &at_once) > 0)
		;
}

void
signals_restore(const sigset_t *before)
{
	discard_write_signals();
	sigprocmask(SIG_SETMASK, before, NULL);
}
