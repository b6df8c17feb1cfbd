/* json_slice.h - a JSON line (json_compact.h) taken apart where it stands.
 *
 * What is given must be whole: json_compact made it, or json_compact_complete has looked.
 */
#ifndef JSON_SLICE_H
#define JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/* A value is as it stands in the line, a string with its quotes; a name is without its quotes, and
 * still escaped. */
struct json_slice {
	const char *at;
	size_t len;
};

/* The whole line. */
struct json_slice json_slice_of(const char *line);

/* Takes the next member of an object, or element of an array, whose name is empty.
 * rest is at first the object or array itself.  False: there is no more, or it is neither. */
bool json_slice_next(struct json_slice *rest, struct json_slice *name, struct json_slice *value);

/* The member of that name; of several the last, as most readers of JSON have it. */
bool json_slice_get(struct json_slice object, const char *name, struct json_slice *value);

bool json_slice_equal(struct json_slice part, const char *s);

#endif
