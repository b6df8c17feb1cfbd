/* json.c - see json.h. */
#include "json.h"

#include "utf8.h"

#include <json-c/json_tokener.h>
#include <limits.h>
#include <string.h>

struct json_object *
json_read(const char *text, size_t len)
{
	struct json_tokener *tokener;
	struct json_object *doc = NULL;

	if (len == 0 || len > INT_MAX || (tokener = json_tokener_new_ex(JSON_DEPTH_MAX)) == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	doc = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener)
	    == json_tokener_continue) /* a bare number needs an end */
		doc = json_tokener_parse_ex(tokener, "", 1);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(doc);
		doc = NULL;
	}
	json_tokener_free(tokener);
	return doc;
}

const char *
json_string(const struct json_object *doc, const char *name)
{
	struct json_object *member;

	if (!json_object_is_type(doc, json_type_object)
	    || !json_object_object_get_ex(doc, name, &member)
	    || !json_object_is_type(member, json_type_string)
	    || strlen(json_object_get_string(member)) != (size_t)json_object_get_string_len(member))
		return NULL;
	return json_object_get_string(member);
}

bool
json_integer(const struct json_object *doc, const char *name, int64_t *out)
{
	struct json_object *member;

	if (!json_object_is_type(doc, json_type_object)
	    || !json_object_object_get_ex(doc, name, &member)
	    || !json_object_is_type(member, json_type_int)
	    || json_object_get_uint64(member) > INT64_MAX) {
		return false;
	}
	*out = json_object_get_int64(member);
	return true;
}

void
json_add_string(struct text *t, const char *s)
{
	size_t left;

	if (s == NULL) {
		text_add(t, "null");
		return;
	}
	text_add_char(t, '"');
	for (left = strlen(s); left > 0;) {
		size_t len = utf8_next(s, left);
		unsigned char c = (unsigned char)*s;

		if (len == 0) {
			text_add(t, "\xef\xbf\xbd");
			len = 1;
		} else if (c == '"' || c == '\\') {
			text_add_char(t, '\\');
			text_add_char(t, *s);
		} else if (c < 0x20 || c == 0x7f)
			text_print(t, "\\u%04x", c);
		else
			text_add_bytes(t, s, len);
		s += len;
		left -= len;
	}
	text_add_char(t, '"');
}
