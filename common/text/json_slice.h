/* json_slice.h - walks a line of JSON (json_compact.h) without copying it.
 *
 * The line must be valid: a result of json_compact, or checked by json_compact_complete.
 */
#ifndef JSON_SLICE_H
#define JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A part of the line.  A value that is a string includes its quotes; a name does not.  Both are
 * still escaped. */
struct json_slice {
	const char *at;
	size_t len;
};

/* The whole line. */
struct json_slice json_slice_of(const char *line);

/* Takes the next member of an object, or the next element of an array, whose name is empty.
 * Initialise rest to the object or array.  False: there are no more, or rest is neither. */
bool json_slice_next(struct json_slice *rest, struct json_slice *name, struct json_slice *value);

/* Takes the value that rest begins with. */
struct json_slice json_slice_cut(struct json_slice *rest);

/* Gives the member of that name; of duplicates the last, as most parsers of JSON do. */
bool json_slice_get(struct json_slice object, const char *name, struct json_slice *value);

static inline bool
json_slice_equal(struct json_slice part, const char *s)
{
	return strlen(s) == part.len && memcmp(part.at, s, part.len) == 0;
}

#endif
