/* form.c - see form.h. */
#include "text/form.h"

#include "base/encode.h"

#include <string.h>

#define ESCAPE_LEN 3 /* bytes of %41 */

static inline bool
decode(const char **s, const char *end, char separator, char **to)
{
	const char *at = *s;
	char *out = *to;

	for (; at < end && *at != '&' && *at != separator; at++) {
		uint8_t byte = (uint8_t)*at;

		if (byte == '+')
			byte = ' ';
		else if (byte == '%') {
			if (end - at < 3 || !hex_byte(at + 1, &byte))
				return false;
			at += 2;
		}
		if (byte == '\0')
			return false;
		*out++ = (char)byte;
	}
	*out++ = '\0';
	*s = at;
	*to = out;
	return true;
}

bool
form_decode_name(const char **s, const char *end, char **to)
{
	return decode(s, end, '=', to);
}

bool
form_decode_value(const char **s, const char *end, char **to)
{
	return decode(s, end, '&', to);
}

/* Finds the field of that name, of which brackets are no part. */
static struct form_field *
field_named(const char *name, struct form_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len;

		if (*fields[i].name != *name)
			continue; /* the most frequent case, at no call */
		len = strlen(fields[i].name);
		if (strncmp(fields[i].name, name, len) == 0
		    && (name[len] == '\0' || name[len] == '['))
			return &fields[i];
	}
	return NULL;
}

static bool
set(struct ctx *ctx, struct form_field *field, const char *name, const char *value)
{
	field->value = NULL;
	if (field->seen)
		return fault(ctx, FAULT_REQUEST, "%s is given twice", field->name);
	field->seen = true;
	if (strchr(name, '[') != NULL)
		return fault(ctx, FAULT_REQUEST, "%s is given with brackets", field->name);
	if (strlen(value) > field->max)
		return fault(ctx, FAULT_REQUEST, "%s is over %zu bytes", field->name, field->max);
	field->value = value;
	return true;
}

/* Decodes the pair at *text into to.  False: a bad escape or a NUL, and *text is within the pair.
 * nested_form.c has another: this one need not count bytes, so that a query of the shortest pairs
 * keeps the bound of its cost. */
static bool
decode_pair(const char **text, const char *end, char **to, const char **name, const char **value)
{
	*name = *to;
	if (!form_decode_name(text, end, to))
		return false;
	if (*text == end || **text == '&') {
		*value = "";
		return true;
	}
	++*text;
	*value = *to;
	return form_decode_value(text, end, to);
}

bool
form_parse(struct ctx *ctx, const char *text, struct form_field *fields, size_t count)
{
	const char *end = text + strlen(text);
	char *room; /* for each name and value, with a NUL for the separator after it */
	bool ok = true;

	if (!ctx_alloc(ctx, (size_t)(end - text) + 1, &room))
		return false;
	while (text < end) {
		const char *name;
		const char *value;
		struct form_field *field;
		char *to = room;

		if (*text == '&') {
			text++;
			continue;
		}
		if (!decode_pair(&text, end, &to, &name, &value)) {
			ok = fault(
			    ctx, FAULT_REQUEST, "an invalid escape or NUL in the query or form");
			text += strcspn(text, "&");
			continue;
		}
		field = field_named(name, fields, count);
		if (field == NULL)
			continue; /* its room is used again */
		ok = set(ctx, field, name, value) && ok;
		room = to;
	}
	return ok;
}

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	    || c == '-' || c == '.' || c == '_' || c == '~';
}

static size_t
encoded_len(const char *s)
{
	size_t len = 0;

	for (; *s != '\0'; s++)
		len += is_unreserved(*s) ? 1 : ESCAPE_LEN;
	return len;
}

void
form_add_encoded(struct strbuf *sb, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *to = strbuf_extend(sb, encoded_len(s));

	if (to == NULL)
		return;
	for (; *s != '\0'; s++)
		if (is_unreserved(*s))
			*to++ = *s;
		else {
			*to++ = '%';
			*to++ = digits[(unsigned char)*s >> 4];
			*to++ = digits[*s & 15];
		}
}
