/* json_slice.c - see json_slice.h. */
#include "text/json_slice.h"

#include <string.h>

struct jsonpart
jsonpart_of(const char *line)
{
	return (struct jsonpart){ line, strlen(line) };
}

/* Takes the first len bytes off a text. */
static struct jsonpart
cut(struct jsonpart *rest, size_t len)
{
	struct jsonpart first = { rest->at, len };

	rest->at += len;
	rest->len -= len;
	return first;
}

/* The line ends with a NUL, where any search of strcspn does. */
static size_t
string_len(const char *s, size_t left)
{
	size_t len = 1;

	while (len < left && s[len += strcspn(s + len, "\"\\")] == '\\')
		len += 2;
	return len + 1;
}

static size_t
container_len(const char *s, size_t left)
{
	size_t len = 0;
	int depth = 0;

	do {
		depth += s[len] == '{' || s[len] == '[';
		depth -= s[len] == '}' || s[len] == ']';
		len += s[len] == '"' ? string_len(s + len, left - len) : 1;
		len += depth > 0 ? strcspn(s + len, "\"{}[]") : 0;
	} while (depth > 0 && len < left);
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

static struct jsonpart
cut_value(struct jsonpart *rest)
{
	return cut(rest, value_len(rest->at, rest->len));
}

bool
jsonpart_next(struct jsonpart *rest, struct jsonpart *name, struct jsonpart *value)
{
	if (rest->len < 2 || strchr("{[,", *rest->at) == NULL || rest->at[1] == '}'
	    || rest->at[1] == ']')
		return false;
	cut(rest, 1);
	*name = (struct jsonpart){ rest->at, 0 };
	*value = cut_value(rest);
	if (rest->len == 0 || *rest->at != ':')
		return true;
	*name = (struct jsonpart){ value->at + 1, value->len - 2 };
	cut(rest, 1);
	*value = cut_value(rest);
	return true;
}

bool
jsonpart_member(struct jsonpart object, const char *name, struct jsonpart *value)
{
	struct jsonpart found;
	struct jsonpart each;
	bool there = false;

	while (jsonpart_next(&object, &found, &each))
		if (jsonpart_equal(found, name)) {
			*value = each;
			there = true;
		}
	return there;
}

bool
jsonpart_equal(struct jsonpart part, const char *s)
{
	return strlen(s) == part.len && memcmp(part.at, s, part.len) == 0;
}
