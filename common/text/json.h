/* json.h - JSON text (RFC 8259) in, by json-c, and out.
 */
#ifndef JSON_H
#define JSON_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <json-c/json_object.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32 /* levels; what we read is never deeper than 5 */

/* The document that is exactly the len bytes at text, to be given back with json_object_put.
 * NULL: it is not one JSON text, is deeper than JSON_DEPTH_MAX, or there is no memory. */
struct json_object *json_read(const char *text, size_t len);

/* The same for a text that must mean the same to whoever reads it, as a signed one.  NULL also when
 * an object holds a name twice, however it is escaped (json-c keeps the last; RFC 7515 and RFC 7519
 * want names unique); when a string holds a NUL (json-c cuts names there);
 * and for what json-c reads beyond RFC 8259: 'a', NaN, Infinity, "1.", control characters in
 * strings, UTF-8 that is overlong or of surrogates. */
struct json_object *json_read_strict(const char *text, size_t len);

/* A string member without NUL, owned by the document.  NULL: absent, not a string, or doc is not an
 * object. */
const char *json_string(const struct json_object *doc, const char *name);

/* An integer member within int64_t.  False: absent or anything else. */
bool json_integer(const struct json_object *doc, const char *name, int64_t *out);

/* Appends s as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD.  NULL: null. */
void json_add_string(struct strbuf *sb, const char *s);

/* Appends a string member, with the ',' before it where it is not the object's first. */
void json_add_member(struct strbuf *sb, const char *name, const char *value);

#endif
