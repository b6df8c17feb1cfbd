/* form.h - application/x-www-form-urlencoded text in: queries and small bodies.
 *
 * The format is the URL Standard's (https://url.spec.whatwg.org/#urlencoded-parsing),
 * read strictly: what that standard would guess at is refused here.
 */
#ifndef FORM_H
#define FORM_H

#include "base/ctx.h"

/* A name that is looked for, and what was found. */
struct form_field {
	const char *name;
	size_t max;        /* bytes of the decoded value */
	const char *value; /* NULL: not given, or not usable */
	bool seen;
};

/* Fills in the values of the fields, whose count is given; names not among them are ignored.
 * A name followed by '[' is the same name, so that code[]=1 cannot pass beside code=1.
 * Fault: FAULT_REQUEST for a bad escape anywhere, a NUL, a name given twice, a value over its
 * limit.  Fields that are sound by themselves are filled in even then: an error can be reported to
 * the state it belongs to. */
bool form_read(struct ctx *ctx, const char *text, struct form_field *fields, size_t count);

/* Decodes one name or value: '+' is a space, %XX a byte.
 * False without a fault: a bad escape or a NUL; or the arena is full, with FAULT_SERVER. */
bool form_decode(struct ctx *ctx, const char *s, size_t len, const char **out);

#endif
