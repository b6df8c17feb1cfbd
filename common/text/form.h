/* form.h - parses application/x-www-form-urlencoded text (queries and small bodies), and encodes
 * values for it.
 *
 * The format is defined by the URL Standard (https://url.spec.whatwg.org/#urlencoded-parsing).  It
 * is parsed strictly: malformed input that the standard repairs is refused here.
 */
#ifndef FORM_H
#define FORM_H

#include "base/ctx.h"
#include "base/strbuf.h"

/* A field to look for, and its value. */
struct form_field {
	const char *name;
	size_t max;        /* bytes of the decoded value */
	const char *value; /* NULL: absent or invalid */
	bool seen;
};

/* Sets the values of the count fields; other names are ignored.  A name followed by '[' counts as
 * the same name, so that code[]=1 cannot be passed along with code=1.
 * Fault: FAULT_REQUEST for a bad escape anywhere, a NUL, a repeated name, a value over its limit.
 * Valid fields are set even then, so that the caller can report the error to the state that was
 * given. */
bool form_parse(struct ctx *ctx, const char *text, struct form_field *fields, size_t count);

/* Decode up to the separator after a name, '=' or '&', or after a value, '&', or up to the end:
 * '+' is a space, %XX a byte.
 * *s is moved there, and *to, which has room for what is decoded and a NUL, behind the NUL.
 * False: a bad escape or a NUL. */
bool form_decode_name(const char **s, const char *end, char **to);
bool form_decode_value(const char **s, const char *end, char **to);

/* Appends s percent-encoded, byte by byte: only the unreserved characters of RFC 3986 section 2.3
 * stay as they are, so a space becomes %20, not '+'. */
void form_add_encoded(struct strbuf *sb, const char *s);

#endif
