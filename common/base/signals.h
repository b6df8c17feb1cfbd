/* signals.h - steps that must not be cut short.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>

/* Holds TERM, HUP, INT, QUIT, PIPE and XFSZ back until signals_restore,
 * when one of the first four that came is obeyed.  Writing to a closed pipe, or past a file size
 * limit, is an error meanwhile, and no more than that. */
void signals_block(sigset_t *before);
void signals_restore(const sigset_t *before);

/* Which those are. */
void signals_fill(sigset_t *held);

#endif
