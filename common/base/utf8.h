/* utf8.h - which bytes are well-formed UTF-8: RFC 3629 section 4, and table 3-7 of the Unicode
 * Standard.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/* The length, 1 to 4, of the well-formed sequence that the len bytes at s begin with; 0 when they
 * begin with none: overlong, a surrogate, above U+10FFFF, cut short, or len is 0.  NUL is
 * well-formed. */
size_t utf8_next(const char *s, size_t len);

#endif
