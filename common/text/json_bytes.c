/* json_bytes.c - see json_bytes.h. */
#include "text/json_bytes.h"

#include "base/encode.h"

#include <string.h>

void
json_add_bytes_value(struct strbuf *sb, const void *bytes, size_t len)
{
	if (bytes == NULL) {
		strbuf_addstr(sb, "null");
		return;
	}
	strbuf_addch(sb, '"');
	base64url_encode(sb, bytes, len);
	strbuf_addch(sb, '"');
}

void
json_add_bytes(struct strbuf *sb, const char *name, const void *bytes, size_t len)
{
	if (sb->len > 0 && sb->start[sb->len - 1] != '{')
		strbuf_addch(sb, ',');
	json_add_string(sb, name);
	strbuf_addch(sb, ':');
	json_add_bytes_value(sb, bytes, len);
}

bool
json_bytes_value(struct ctx *ctx, struct json_object *value, const uint8_t **bytes, size_t *len)
{
	*bytes = NULL;
	*len = 0;
	if (value == NULL)
		return true;
	return json_object_is_type(value, json_type_string)
	    && base64url_decode(ctx, json_object_get_string(value),
		(size_t)json_object_get_string_len(value), bytes, len);
}

bool
json_get_bytes(struct ctx *ctx, const struct json_object *doc, const char *name,
    const uint8_t **bytes, size_t *len)
{
	struct json_object *value;

	return json_object_object_get_ex(doc, name, &value)
	    && json_bytes_value(ctx, value, bytes, len);
}

bool
json_get_bytes_text(
    struct ctx *ctx, const struct json_object *doc, const char *name, const char **text)
{
	const uint8_t *bytes;
	size_t len;

	if (!json_get_bytes(ctx, doc, name, &bytes, &len))
		return false;
	*text = (const char *)bytes;
	return bytes == NULL || strlen(*text) == len;
}
