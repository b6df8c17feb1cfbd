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

bool
form_decode(struct ctx *ctx, const char *s, size_t len, const char **out)
{
	char *to;

	if (!ctx_alloc(ctx, len + 1, &to))
		return false;
	*out = to;
	return form_decode_value(&s, s + len, &to);
}

/* Finds the field of that name, of which brackets are no part. */
static struct form_field *
field_named(const char *name, struct form_field *fields, size_t count)
{
	size_t len = strcspn(name, "[");

	for (size_t i = 0; i < count; i++)
		if (strncmp(fields[i].name, name, len) == 0 && fields[i].name[len] == '\0')
			return &fields[i];
	return NULL;
}

static bool
read_pair(struct ctx *ctx, const char *pair, size_t len, struct form_field *fields, size_t count)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals == NULL ? len : (size_t)(equals - pair);
	const char *name;
	const char *value = "";
	struct form_field *field;

	if (!form_decode(ctx, pair, name_len, &name)
	    || (equals != NULL && !form_decode(ctx, equals + 1, len - name_len - 1, &value)))
		return fault(ctx, FAULT_REQUEST, "an invalid escape or NUL in the query or form");
	field = field_named(name, fields, count);
	if (field == NULL)
		return true;
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

bool
form_parse(struct ctx *ctx, const char *text, struct form_field *fields, size_t count)
{
	bool ok = true;

	while (*text != '\0') {
		size_t len = strcspn(text, "&");

		ok = read_pair(ctx, text, len, fields, count) && ok;
		text += len;
		text += *text == '&';
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
