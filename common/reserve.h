/* reserve.h - room on the disk that is kept for one authorization: a code works once, and when its
 * tokens come it is too late to find the disk full.
 *
 *   <directory>/0.room … 3.room    as many files as an authorization writes
 */
#ifndef RESERVE_H
#define RESERVE_H

#include "work.h"

/* The room is there, or is made now, and the directory can be written to.
 * Fault: FAULT_STORAGE: no space, no permission. */
bool reserve_keep(struct work *w, const char *directory);

/* Gives it up, for whoever finds no other.  Who keeps it next makes it anew. */
void reserve_give(struct work *w, const char *directory);

#endif
