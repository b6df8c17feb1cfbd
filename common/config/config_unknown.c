/* config_unknown.c - see config_unknown.h. */
#include "config/config_unknown.h"

#include "config/config.h"

#include <string.h>

#define LETTERS_SIZE 64 /* inih shortens a name to 49 bytes */

/* Whether a message may show the name: in a line without '=' inih takes a secret for part of it. */
static bool
is_name(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

/* The letters of a name, in lower case. */
static void
letters_of(const char *name, char letters[LETTERS_SIZE])
{
	size_t len = 0;

	for (; *name != '\0' && len < LETTERS_SIZE - 1; name++)
		if ((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z'))
			letters[len++] = (char)(*name | 0x20);
	letters[len] = '\0';
}

/* The key that was probably meant by clientSecret, "export client_secret" or "client-secret". */
static const char *
similar_key(const char *section, const char *name)
{
	char written[LETTERS_SIZE];
	char letters[LETTERS_SIZE];
	const char *similar = NULL;

	letters_of(name, written);
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		letters_of(key->name, letters);
		if (strcmp(key->section, section) == 0 && strstr(written, letters) != NULL
		    && (similar == NULL || strlen(key->name) > strlen(similar)))
			similar = key->name;
	}
	return similar;
}

static bool
is_section(const char *section)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (strcmp(key->section, section) == 0)
			return true;
	return false;
}

/* The name is not shown if it may be a secret, but a key that it resembles can be. */
void
config_refuse_key(
    struct ctx *ctx, const char *file, int line, const char *section, const char *name)
{
	const char *similar = similar_key(section, name);

	if (*section == '\0')
		ctx_fault(ctx, FAULT_CONFIG,
		    "%s:%d: no [section] before this line, which is not one either", file, line);
	else if (!is_section(section))
		ctx_fault(ctx, FAULT_CONFIG, "%s:%d: unknown section [%s]", file, line, section);
	else
		ctx_fault(ctx, FAULT_CONFIG, "%s:%d: unknown key%s%s in section [%s]%s%s", file,
		    line, is_name(name) ? " " : "", is_name(name) ? name : "", section,
		    similar == NULL ? "" : "; perhaps it should be ",
		    similar == NULL ? "" : similar);
}
