/* signals.h - blocking signals around a critical section.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>

/* Blocks TERM, HUP, INT, QUIT, PIPE and XFSZ until signals_restore, which delivers the first four
 * if they are pending and discards the last two.  Writing to a closed pipe or past the file size
 * limit fails with an error meanwhile. */
void signals_block(sigset_t *before);
void signals_restore(const sigset_t *before);

/* The set of these signals. */
void signals_blocked_set(sigset_t *set);

#endif
