/* signals.h - steps that must not be cut short.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>

/* Holds TERM, HUP, PIPE and XFSZ back until signals_release.  What they say in time is not lost:
 * writing to a closed pipe, or past a file size limit, fails with an error instead. */
void signals_hold(sigset_t *before);
void signals_release(const sigset_t *before);

#endif
