/* config_mistake.c - see config_mistake.h. */
#include "config/config_mistake.h"

#include "config/config.h"

#include <string.h>

static bool
is_quoted(const char *value)
{
	static const char *const quotes[][2] = { { "\"", "\"" }, { "'", "'" }, { "`", "`" },
		{ "\u201c", "\u201d" }, { "\u201e", "\u201c" }, { "\u00ab", "\u00bb" },
		{ "\u2018", "\u2019" } };
	size_t len = strlen(value);

	if (len > 0 && strchr(",;", value[len - 1]) != NULL) /* as in PHP and JavaScript */
		len--;
	for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
		size_t before = strlen(quotes[i][0]);
		size_t behind = strlen(quotes[i][1]);

		if (len >= before + behind && strncmp(value, quotes[i][0], before) == 0
		    && strncmp(value + len - behind, quotes[i][1], behind) == 0)
			return true;
	}
	return false;
}

static bool
is_key(const char *s, size_t len)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (strlen(key->name) == len && strncmp(key->name, s, len) == 0)
			return true;
	return false;
}

/* Whether the name of a key and '=' follow a blank. */
static bool
has_second_key(const char *value)
{
	for (const char *s = strpbrk(value, " \t"); s != NULL; s = strpbrk(s, " \t")) {
		size_t len;

		s += strspn(s, " \t");
		len = strcspn(s, " \t=");
		if (s[len + strspn(s + len, " \t")] == '=' && is_key(s, len))
			return true;
	}
	return false;
}

/* " # text", " #text" or a '#' at the end.  A number behind '#' is none: "House #1". */
static bool
has_comment(const char *value)
{
	for (const char *s = strchr(value, '#'); s != NULL; s = strchr(s + 1, '#'))
		if (s > value && strchr(" \t", s[-1]) != NULL && (s[1] < '0' || s[1] > '9'))
			return true;
	return false;
}

/* As in a text that was copied from a web page or a document. */
static bool
has_invisible_end(const char *value)
{
	static const char *const characters[] = { "\u00a0", "\u00ad", "\u2007", "\u200b", "\u200c",
		"\u200d", "\u200e", "\u200f", "\u2028", "\u202c", "\u202f", "\u2060", "\u3000",
		"\ufeff" };
	size_t value_len = strlen(value);

	for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
		size_t len = strlen(characters[i]);

		if (len <= value_len
		    && (strncmp(value, characters[i], len) == 0
			|| strcmp(value + value_len - len, characters[i]) == 0))
			return true;
	}
	return false;
}

enum config_mistake
config_find_mistake(const char *value)
{
	if (*value == '\0')
		return CONFIG_EMPTY;
	if (has_comment(value))
		return CONFIG_COMMENT;
	if (is_quoted(value))
		return CONFIG_QUOTED;
	if (has_invisible_end(value))
		return CONFIG_INVISIBLE;
	return has_second_key(value) ? CONFIG_SECOND_KEY : CONFIG_NO_MISTAKE;
}

static const struct {
	const char *text, *advice;
} mistakes[] = {
	[CONFIG_NO_MISTAKE] = { "", NULL },
	[CONFIG_EMPTY] = { "is empty", "give it a value, or delete the line" },
	[CONFIG_QUOTED] = { "is in quotes, which are part of the value",
	    "remove the quotes: this file has none" },
	[CONFIG_SECOND_KEY] = { "has a second key on its line, which is part of the value",
	    "give each key a line of its own" },
	[CONFIG_COMMENT] = { "has a comment behind '#', which is part of the value",
	    "give the comment a line of its own" },
	[CONFIG_INVISIBLE] = { "begins or ends with an invisible character",
	    "delete the line and type its beginning and its end anew" },
};

const char *
config_mistake_text(enum config_mistake mistake)
{
	return mistakes[mistake].text;
}

const char *
config_mistake_advice(enum config_mistake mistake)
{
	return mistakes[mistake].advice;
}
