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

	for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
		size_t before = strlen(quotes[i][0]);
		size_t behind = strlen(quotes[i][1]);

		if (len >= before + behind && strncmp(value, quotes[i][0], before) == 0
		    && strcmp(value + len - behind, quotes[i][1]) == 0)
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

enum config_mistake
config_find_mistake(const char *value)
{
	if (is_quoted(value))
		return CONFIG_QUOTED;
	return has_second_key(value) ? CONFIG_SECOND_KEY : CONFIG_NO_MISTAKE;
}

const char *
config_mistake_text(enum config_mistake mistake)
{
	switch (mistake) {
	case CONFIG_QUOTED:
		return "is in quotes, which are part of the value";
	case CONFIG_SECOND_KEY:
		return "has a second key on its line, which is part of the value";
	default:
		return "";
	}
}
