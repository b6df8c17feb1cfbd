/* json_slice.h - a JSON line (json_compact.h) taken apart where it stands.
 *
 * What is given must be whole: jsonline_make made it, or jsonline_whole has looked.
 */
#ifndef JSON_SLICE_H
#define JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/* A value is as it stands in the line, a string with its quotes; a name is without its quotes, and
 * still escaped. */
struct jsonpart {
	const char *at;
	size_t len;
};

/* The whole line. */
struct jsonpart jsonpart_of(const char *line);

/* Takes the next member of an object, or element of an array, whose name is empty.
 * rest is at first the object or array itself.  False: there is no more, or it is neither. */
bool jsonpart_next(struct jsonpart *rest, struct jsonpart *name, struct jsonpart *value);

/* The member of that name; of several the last, as most readers of JSON have it. */
bool jsonpart_member(struct jsonpart object, const char *name, struct jsonpart *value);

bool jsonpart_equal(struct jsonpart part, const char *s);

#endif
