/* json.c - see json.h.
 *
 * json-c is made strict here, because the alternative, jansson, is strict but more expensive: it
 * takes 3.6 times the instructions to parse a token reply, and opens /dev/urandom in each process.
 */
#include "text/json.h"

#include "base/utf8.h"

#include <json-c/json_tokener.h>
#include <json-c/json_visit.h>
#include <limits.h>
#include <string.h>

#define ESCAPE_MAX 6  /* bytes of an escape in a string: \u001f */
#define ESCAPE_RUN 64 /* that are appended at once */

struct json_object *
json_parse(const char *text, size_t len)
{
	struct json_tokener *tokener;
	struct json_object *doc = NULL;

	if (len == 0 || len > INT_MAX
	    || memchr(text, '\0', len) != NULL /* json-c would take it for the end */
	    || (tokener = json_tokener_new_ex(JSON_DEPTH_MAX)) == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	doc = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener)
	    == json_tokener_continue) /* a number at the top level ends only at another byte */
		doc = json_tokener_parse_ex(tokener, "", 1);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(doc);
		doc = NULL;
	}
	json_tokener_free(tokener);
	return doc;
}

static bool
begins_with(const char *text, size_t len, const char *start)
{
	return len >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

/* Whether json-c accepts an invalid character here, outside a string.  strchr finds a NUL, too. */
static bool
lax_outside(const char *text, size_t len)
{
	bool digit_follows = len > 1 && text[1] >= '0' && text[1] <= '9';

	return strchr("'NI", *text) != NULL || (*text == '.' && !digit_follows);
}

/* The same inside a string, of which json-c also accepts an escaped NUL. */
static bool
lax_inside(const char *text, size_t len)
{
	return (unsigned char)*text < ' ' || begins_with(text, len, "\\u0000");
}

/* Counts the members in the text, which are the colons outside strings.  False: the text uses an
 * extension of json-c, or is not UTF-8, of which json-c accepts overlong forms and surrogates; or
 * it has too many values, of which each but the first of a container follows a comma. */
static bool
count_written(const char *text, size_t len, size_t *members)
{
	bool in_string = false;
	size_t values = 1;
	size_t step;

	*members = 0;
	for (size_t i = 0; i < len; i += step) {
		if ((step = utf8_sequence_len(text + i, len - i)) == 0)
			return false;
		if (in_string ? lax_inside(text + i, len - i) : lax_outside(text + i, len - i))
			return false;
		if (in_string && text[i] == '\\')
			step = 2;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (text[i] == ':' && !in_string)
			++*members;
		else if ((text[i] == ',' || text[i] == '{' || text[i] == '[') && !in_string)
			values++;
	}
	return values <= JSON_STRICT_VALUES_MAX;
}

static int
count_kept(struct json_object *value, int flags, struct json_object *parent, const char *name,
    size_t *index, void *members)
{
	(void)value;
	(void)parent;
	(void)index;
	if (name != NULL && flags != JSON_C_VISIT_SECOND)
		++*(size_t *)members;
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* json-c does not report a duplicate name, but the document then has fewer members than the text.
 * Counting both takes linear time, and names are compared as json-c has unescaped them. */
struct json_object *
json_parse_strict(const char *text, size_t len)
{
	struct json_object *doc;
	size_t written;
	size_t kept = 0;

	if (!count_written(text, len, &written) || (doc = json_parse(text, len)) == NULL)
		return NULL;
	if (json_c_visit(doc, 0, count_kept, &kept) == 0 && kept == written)
		return doc;
	json_object_put(doc);
	return NULL;
}

const char *
json_get_string(const struct json_object *doc, const char *name)
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
json_copy_string(struct ctx *ctx, const struct json_object *doc, const char *name, const char **out)
{
	const char *s = json_get_string(doc, name);

	*out = NULL;
	return s == NULL || ctx_strndup(ctx, s, strlen(s), out);
}

bool
json_get_integer(const struct json_object *doc, const char *name, int64_t *out)
{
	struct json_object *member;

	if (!json_object_is_type(doc, json_type_object)
	    || !json_object_object_get_ex(doc, name, &member)
	    || !json_object_is_type(member, json_type_int)
	    || json_object_get_uint64(member) > INT64_MAX
	    || json_object_get_int64(member) == INT64_MIN) /* json-c clamps lower numbers to it */
		return false;
	*out = json_object_get_int64(member);
	return true;
}

bool
json_get_flag(const struct json_object *doc, const char *name, bool *flag)
{
	int64_t number;

	if (!json_get_integer(doc, name, &number) || number < 0 || number > 1)
		return false;
	*flag = number == 1;
	return true;
}

bool
json_get_boolean(const struct json_object *doc, const char *name, bool *out)
{
	struct json_object *member;

	if (!json_object_is_type(doc, json_type_object)
	    || !json_object_object_get_ex(doc, name, &member)
	    || !json_object_is_type(member, json_type_boolean))
		return false;
	*out = json_object_get_boolean(member);
	return true;
}

/* The length of the next character if it needs no escape in a JSON string, else 0. */
static size_t
plain_character_len(const char *s, size_t left)
{
	unsigned char c = (unsigned char)*s;

	return c < 0x80 ? c >= ' ' && c != '"' && c != '\\' && c != 0x7f
			: utf8_sequence_len(s, left);
}

static size_t
plain_len(const char *s, size_t left)
{
	size_t len = 0;
	size_t character;

	while (len < left && (character = plain_character_len(s + len, left - len)) > 0)
		len += character;
	return len;
}

/* Writes the byte at s escaped; the length. */
static size_t
escape(const char *s, char out[ESCAPE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*s;

	if (c >= 0x80) {
		memcpy(out, "\xef\xbf\xbd", 3);
		return 3;
	}
	out[0] = '\\';
	out[1] = *s;
	if (c == '"' || c == '\\')
		return 2;
	memcpy(out + 1, "u00", 3);
	out[4] = digits[c >> 4];
	out[5] = digits[c & 15];
	return ESCAPE_MAX;
}

/* Appends the bytes at s that need an escape, up to the first that does not; their number. */
static size_t
add_escaped(struct strbuf *sb, const char *s, size_t left)
{
	char run[ESCAPE_RUN * ESCAPE_MAX];
	size_t len = 0;
	size_t count = 0;

	do
		len += escape(s + count++, run + len);
	while (count < left && count < ESCAPE_RUN
	    && plain_character_len(s + count, left - count) == 0);
	strbuf_add(sb, run, len);
	return count;
}

static void
add_plain_string(struct strbuf *sb, const char *s, size_t len, const char *end)
{
	size_t end_len = strlen(end);
	char *to = strbuf_extend(sb, 1 + len + end_len);

	if (to == NULL)
		return;
	to[0] = '"';
	memcpy(to + 1, s, len);
	memcpy(to + 1 + len, end, end_len);
}

void
json_add_string(struct strbuf *sb, const char *s)
{
	if (s == NULL)
		strbuf_addstr(sb, "null");
	else
		json_add_string_len(sb, s, strlen(s));
}

static inline void
add_string(struct strbuf *sb, const char *s, size_t left, const char *end)
{
	size_t len = plain_len(s, left);

	if (len == left) {
		add_plain_string(sb, s, len, end);
		return;
	}
	strbuf_addch(sb, '"');
	for (;;) {
		strbuf_add(sb, s, len);
		s += len;
		left -= len;
		if (left == 0)
			break;
		len = add_escaped(sb, s, left);
		s += len;
		left -= len;
		len = plain_len(s, left);
	}
	strbuf_addstr(sb, end);
}

void
json_add_string_len(struct strbuf *sb, const char *s, size_t len)
{
	add_string(sb, s, len, "\"");
}

void
json_add_name(struct strbuf *sb, const char *s, size_t len)
{
	add_string(sb, s, len, "\":");
}

void
json_add_member(struct strbuf *sb, const char *name, const char *value)
{
	if (sb->len > 0 && sb->start[sb->len - 1] != '{')
		strbuf_addch(sb, ',');
	json_add_string(sb, name);
	strbuf_addch(sb, ':');
	json_add_string(sb, value);
}
