/* database.c - see database.h. */
#include "config/database.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define KEYWORD_SIZE 16 /* bytes; arrays, since pointers would have to be relocated at each start */

static const char keywords[][KEYWORD_SIZE] = { "dbname", "user", "host", "hostaddr", "port",
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding" };

static bool
is_keyword(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (strlen(keywords[i]) == len && memcmp(keywords[i], name, len) == 0)
			return true;
	return false;
}

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

/* The end of a value: a word, or a text in single quotes, each with a backslash before what would
 * end it.  NULL: it is empty, or its quote is not closed. */
static const char *
end_of_value(const char *at)
{
	bool quoted = *at == '\'';
	const char *start = at += quoted;

	while (*at != '\0' && *at != (quoted ? '\'' : ' '))
		at += *at == '\\' && at[1] != '\0' ? 2 : 1;
	if (at == start || (quoted && *at == '\0'))
		return NULL;
	return at + quoted;
}

const char *
database_problem(const char *value)
{
	bool has_name = false;
	bool has_user = false;

	if (strstr(value, "://") != NULL)
		return "must be keywords, such as host=db1,db2 dbname=amo_crm user=amo_crm, and "
		       "no URL";
	for (const char *at = skip_blanks(value); *at != '\0'; at = skip_blanks(at)) {
		size_t len = strcspn(at, " =");
		const char *equals = skip_blanks(at + len);

		if (len == strlen("password") && strncmp(at, "password", len) == 0)
			return "must be without the password, which belongs into the file of "
			       "password_file";
		if (*equals != '=')
			return "must be pairs of a keyword and a value, keyword=value";
		if (!is_keyword(at, len))
			return "must be of host, hostaddr, port, dbname, user, sslmode, "
			       "sslrootcert, sslcert, sslkey, sslcrl and channel_binding";
		has_name |= strncmp(at, "dbname", len) == 0;
		has_user |= strncmp(at, "user", len) == 0;
		at = end_of_value(skip_blanks(equals + 1));
		if (at == NULL)
			return "must be pairs of a keyword and a value, with each quote closed";
	}
	return has_name && has_user ? NULL : "must be complete: dbname and user are required";
}
