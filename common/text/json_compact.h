/* json_compact.h - validates JSON and makes it one line, without whitespace.
 *
 * Numbers and the order of members are kept as they are written, and no document is built in
 * memory: json-c rounds numbers that do not fit its types, and needs 266 MB for one megabyte of
 * "{},".  Escapes are kept, except those of printable ASCII other than quote and backslash, which
 * are decoded: a reader that compares names byte by byte must not miss "\u0061ccount".
 */
#ifndef JSON_COMPACT_H
#define JSON_COMPACT_H

#include "base/ctx.h"
#include "text/json.h"

/* Levels of objects and arrays in a text from outside.  json_parse can still parse a line that has
 * such a text as a member. */
#define JSON_COMPACT_DEPTH_MAX (JSON_DEPTH_MAX - 2)

/* Removes the whitespace between the tokens of the len bytes at text, which must be exactly one
 * JSON object (RFC 8259). Fault: FAULT_REQUEST when they are not, or are deeper than
 * JSON_COMPACT_DEPTH_MAX. */
bool json_compact(struct ctx *ctx, const char *text, size_t len, const char **line);

/* Whether a line is complete: true for a result of json_compact, and for such an object one level
 * deeper; false if the end of the line or a part of it is missing. */
bool json_compact_complete(const char *line, size_t len);

#endif
