/* terminal.h - output to a terminal, which must not obey what amoCRM or a stranger has sent us: a
 * webhook may hold sequences that rename the window, move the cursor, or type for the user.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* From here on, standard output and standard error escape control characters where they are
 * terminals: C0 except newline and tab, DEL, and C1 as \u001b, which means the same in JSON; bytes
 * that are not UTF-8, which some terminals take for C1, as \x9b.  Files and pipes get what is
 * written.  False: no memory. */
bool terminal_protect(void);

/* The length of the UTF-8 sequence at the start of the len bytes at s, if a terminal only shows it.
 * 0: it is a control character, or not well-formed UTF-8. */
size_t terminal_shown_len(const char *s, size_t len);

#endif
