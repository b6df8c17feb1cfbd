/* signals.c - see signals.h. */
#include "base/signals.h"

#include <stddef.h>
#include <time.h>

void
signals_fill(sigset_t *held)
{
	sigemptyset(held);
	sigaddset(held, SIGTERM);
	sigaddset(held, SIGHUP);
	sigaddset(held, SIGINT);
	sigaddset(held, SIGQUIT);
	sigaddset(held, SIGPIPE);
	sigaddset(held, SIGXFSZ);
}

void
signals_block(sigset_t *before)
{
	sigset_t held;

	signals_fill(&held);
	sigprocmask(SIG_BLOCK, &held, before);
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
