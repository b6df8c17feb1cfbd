/* signals.c - see signals.h. */
#include "signals.h"

#include <stddef.h>

void
signals_hold(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGPIPE);
	sigaddset(&held, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &held, before);
}

void
signals_release(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}
