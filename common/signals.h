/* signals.h - steps that must not be cut short.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>

/* Holds TERM, HUP, PIPE and XFSZ back until signals_release, when a TERM or HUP that came is obeyed.
 * Writing to a closed pipe, or past a file size limit, is an error meanwhile, and no more than that. */
void signals_hold(sigset_t *before);
void signals_release(const sigset_t *before);

#endif
