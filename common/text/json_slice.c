/* json_slice.c - see json_slice.h. */
#include "text/json_slice.h"

#include <stddef.h>
#include <string.h>

struct json_slice
json_slice_of(const char *line)
{
	return (struct json_slice){ line, strlen(line) };
}

/* Removes the first len bytes of a slice and returns them. */
static struct json_slice
cut(struct json_slice *rest, size_t len)
{
	struct json_slice first = { rest->at, len };

	rest->at += len;
	rest->len -= len;
	return first;
}

/* Most strings have no quote within, and some are empty. */
static size_t
string_len(const char *s, size_t left)
{
	const char *quote;
	size_t len = 1;

	if (left < 2 || s[1] == '"')
		return left < 2 ? left : 2;
	quote = memchr(s + 1, '"', left - 1);
	if (quote != NULL && quote[-1] != '\\')
		return (size_t)(quote - s) + 1;
	while (len < left && s[len] != '"')
		len += s[len] == '\\' ? 2 : 1;
	return len < left ? len + 1 : left;
}

static size_t
container_len(const char *s, size_t left)
{
	size_t len = 0;
	int depth = 0;

	while (len < left) {
		char c = s[len];

		if (c < '[' && c != '"') { /* numbers and commas */
			len++;
			continue;
		}
		if (c == '"') {
			len += string_len(s + len, left - len);
			continue;
		}
		len++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return len;
}

static size_t
value_len(const char *s, size_t left)
{
	size_t len = 0;

	if (*s == '"')
		return string_len(s, left);
	if (*s == '{' || *s == '[')
		return container_len(s, left);
	while (len < left && s[len] != ',' && s[len] != '}' && s[len] != ']')
		len++;
	return len;
}

struct json_slice
json_slice_cut(struct json_slice *rest)
{
	return cut(rest, value_len(rest->at, rest->len));
}

bool
json_slice_next(struct json_slice *rest, struct json_slice *name, struct json_slice *value)
{
	char separator = rest->len < 2 ? ']' : *rest->at;

	if ((separator != '{' && separator != '[' && separator != ',') || rest->at[1] == '}'
	    || rest->at[1] == ']')
		return false;
	cut(rest, 1);
	*name = (struct json_slice){ rest->at, 0 };
	*value = json_slice_cut(rest);
	if (rest->len == 0 || *rest->at != ':')
		return true;
	*name = (struct json_slice){ value->at + 1, value->len - 2 };
	cut(rest, 1);
	*value = json_slice_cut(rest);
	return true;
}

bool
json_slice_get(struct json_slice object, const char *name, struct json_slice *value)
{
	struct json_slice found;
	struct json_slice each;
	bool there = false;

	while (json_slice_next(&object, &found, &each))
		if (json_slice_equal(found, name)) {
			*value = each;
			there = true;
		}
	return there;
}
