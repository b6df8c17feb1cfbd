/* utf8.h - well-formed UTF-8: RFC 3629 section 4, and table 3-7 of the Unicode Standard.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/* The length, 1 to 4, of the well-formed sequence at the start of the len bytes at s.  0: there is
 * none, because it is overlong, a surrogate, above U+10FFFF or truncated, or because len is 0.  NUL
 * is well-formed. */
size_t utf8_sequence_len(const char *s, size_t len);

#endif
