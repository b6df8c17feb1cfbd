/* json.h - parsing JSON text (RFC 8259) by json-c, and writing it.
 */
#ifndef JSON_H
#define JSON_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <json-c/json_object.h>
#include <stdint.h>

#define JSON_DEPTH_MAX         32  /* levels; real input has at most 5 */
#define JSON_STRICT_VALUES_MAX 768 /* a token with a hundred roles has under 150 */

/* Parses the len bytes at text, all of which must be one JSON text.  The caller releases the
 * document with json_object_put.
 * NULL: not a JSON text, deeper than JSON_DEPTH_MAX, or out of memory. */
struct json_object *json_parse(const char *text, size_t len);

/* Parses a text, such as a signed one, that every parser must understand in the same way.  NULL
 * also when an object has a name twice, however it is escaped (json-c keeps the last; RFC 7515 and
 * RFC 7519 require unique names); when a string contains a NUL (json-c truncates names there); and
 * for the extensions of json-c to RFC 8259: 'a', NaN, Infinity, "1.", control characters in
 * strings, overlong UTF-8 and surrogates.  It has at most JSON_STRICT_VALUES_MAX values: each costs
 * json-c as much as twenty letters or more, and anybody can send a token. */
struct json_object *json_parse_strict(const char *text, size_t len);

/* Gives a string member, which belongs to the document.  NULL: absent, not a string, with a NUL, or
 * doc is not an object. */
const char *json_get_string(const struct json_object *doc, const char *name);

/* Copies a string member to the arena of ctx.  *out is NULL where json_get_string gives NULL. */
bool json_copy_string(
    struct ctx *ctx, const struct json_object *doc, const char *name, const char **out);

/* Gives an integer member within int64_t.  False: absent or anything else. */
bool json_get_integer(const struct json_object *doc, const char *name, int64_t *out);

/* Gives an integer member that is 0 or 1, as messages between our programs have them. */
bool json_get_flag(const struct json_object *doc, const char *name, bool *flag);

/* Gives a boolean member.  False: absent or anything else; *out is unchanged then. */
bool json_get_boolean(const struct json_object *doc, const char *name, bool *out);

/* Appends s as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.  NULL appends
 * null. */
void json_add_string(struct strbuf *sb, const char *s);

/* The same of len bytes, which need no NUL and may contain one. */
void json_add_string_len(struct strbuf *sb, const char *s, size_t len);

/* The same with a colon after it. */
void json_add_name(struct strbuf *sb, const char *s, size_t len);

/* Appends a string member, after a ',' unless it is the first of the object. */
void json_add_member(struct strbuf *sb, const char *name, const char *value);

#endif
