/* json_compact.h - JSON as one line: checked and made compact.
 *
 * Numbers and the order of members stay as they were spelt, and nothing is built in memory: json-c
 * rounds numbers that do not fit its types, and needs 266 MB for one megabyte of "{},".
 * Escapes stay too, but those of printable ASCII other than quote and backslash:
 * whoever compares names byte by byte must not be passed by "\u0061ccount".
 */
#ifndef JSON_COMPACT_H
#define JSON_COMPACT_H

#include "base/ctx.h"
#include "text/json.h"

/* Levels of objects and arrays in a text that comes from outside.  A line that holds it as a member
 * is one that json_read still reads. */
#define JSON_COMPACT_DEPTH_MAX (JSON_DEPTH_MAX - 2)

/* The len bytes at text, which are one JSON object (RFC 8259) and nothing else, without the white
 * space between their tokens.
 * Fault: FAULT_REQUEST when they are not that, or deeper than JSON_COMPACT_DEPTH_MAX. */
bool json_compact(struct ctx *ctx, const char *text, size_t len, const char **line);

/* True for what json_compact makes, and for such an object one level deeper; false for any text of
 * which its end, or something inside, is missing. */
bool json_compact_complete(const char *line, size_t len);

#endif
