/* json_bytes.h - bytes in JSON, which holds only UTF-8: as base64url.
 */
#ifndef JSON_BYTES_H
#define JSON_BYTES_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "text/json.h"

/* Appends a string; null if bytes is NULL. */
void json_add_bytes_value(struct strbuf *sb, const void *bytes, size_t len);

/* Appends a member, as json_add_member. */
void json_add_bytes(struct strbuf *sb, const char *name, const void *bytes, size_t len);

/* Decodes a string or null into the arena, with a NUL behind the bytes.
 * False without a fault: it is something else.  Fault: FAULT_SERVER when the arena is full. */
bool json_bytes_value(
    struct ctx *ctx, struct json_object *value, const uint8_t **bytes, size_t *len);

/* The same of a member. */
bool json_get_bytes(struct ctx *ctx, const struct json_object *doc, const char *name,
    const uint8_t **bytes, size_t *len);

/* As json_get_bytes, of bytes that must not contain a NUL. */
bool json_get_bytes_text(
    struct ctx *ctx, const struct json_object *doc, const char *name, const char **text);

#endif
