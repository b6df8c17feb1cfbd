/* app_link.c - see app_link.h. */
#include "config/app_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LOWER    "abcdefghijklmnopqrstuvwxyz"
#define UPPER    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"
#define HEX      DIGITS "abcdefABCDEF"
#define PORT_MAX 65535

static bool
is_one_of(const char *s, size_t len, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strlen(*words) == len && strncmp(s, *words, len) == 0)
			return true;
	return false;
}

static const char *
scheme_problem(const char *link, size_t *len)
{
	/* What the browser would execute or display itself, or would not hand on.  An intent is
	 * made by us, from the scheme of the app. */
	static const char *const refused[] = { "about", "android-app", "blob", "content", "data",
		"file", "filesystem", "ftp", "intent", "javascript", "vbscript", "view-source",
		"ws", "wss", NULL };

	*len = strspn(link, LOWER UPPER DIGITS "+-.");
	if (*len == 0 || link[*len] != ':' || strchr(DIGITS "+-.", link[0]) != NULL)
		return "must be a link that begins with a scheme, as foryoure://amo-crm/callback";
	if (strcspn(link, UPPER) < *len)
		return "must be a link with its scheme in lower case, here and in the app: phones "
		       "compare schemes exactly";
	if (is_one_of(link, *len, refused))
		return "must be a link with a scheme of the app's own, or https: a browser does "
		       "not open an app by this scheme";
	return NULL;
}

/* The characters of RFC 3986 without '#', because parameters are appended, without brackets, which
 * only IPv6 addresses have, and without ' and ;, which have a meaning in HTML and in an intent. */
static const char *
character_problem(const char *s)
{
	static const char allowed[] = LOWER UPPER DIGITS "-._~:/?@!$&()*+,=%";

	if (s[strspn(s, allowed)] != '\0')
		return "must be a link of letters, digits and -._~:/?@!$&()*+,=% only: without a "
		       "fragment, quotes, ';' and spaces";
	for (s = strchr(s, '%'); s != NULL; s = strchr(s + 1, '%'))
		if (s[1] == '\0' || strchr(HEX, s[1]) == NULL || s[2] == '\0'
		    || strchr(HEX, s[2]) == NULL)
			return "must be a link with two hex digits after each '%'";
	return NULL;
}

static bool
port_valid(const char *port, size_t len)
{
	return len > 0 && strspn(port, DIGITS) == len && strtoul(port, NULL, 10) <= PORT_MAX;
}

/* The host behind "//", which a browser parses whatever the scheme is. */
static const char *
host_problem(const char *authority, bool is_web)
{
	size_t len = strcspn(authority, "/?");
	size_t host_len = strcspn(authority, ":/?");

	if (strcspn(authority, "@") < len)
		return "must be a link without a user name before its host";
	if (host_len < len
	    && (host_len == 0 || !port_valid(authority + host_len + 1, len - host_len - 1)))
		return "must be a link with a host before, and a port number behind, the ':'";
	if (is_web && (host_len == 0 || strspn(authority, LOWER DIGITS "-.") != host_len))
		return "must be a link with a host name in lower case behind \"//\"";
	return NULL;
}

/* The app would find two values under one name. */
static const char *
parameter_problem(const char *link)
{
	static const char *const ours[] = { "code", "state", "error", "error_description", NULL };
	const char *s = strchr(link, '?');

	while (s != NULL) {
		size_t len = strcspn(++s, "=&");

		if (is_one_of(s, len, ours))
			return "must be a link without parameters code, state, error and "
			       "error_description: these are appended to it";
		s = strchr(s, '&');
	}
	return NULL;
}

const char *
app_link_problem(const char *link)
{
	size_t scheme_len;
	const char *problem = scheme_problem(link, &scheme_len);
	const char *rest = link + scheme_len + 1;
	bool is_web;

	if (problem != NULL)
		return problem;
	is_web = is_one_of(link, scheme_len, (const char *const[]){ "http", "https", NULL });
	problem = character_problem(rest);
	if (problem == NULL && strncmp(rest, "//", 2) == 0)
		problem = host_problem(rest + 2, is_web);
	else if (problem == NULL && is_web)
		problem = "must be a link with \"//\" and a host behind https:";
	return problem != NULL ? problem : parameter_problem(rest);
}

const char *
app_package_problem(const char *package)
{
	static const char problem[] = "must be a package name such as com.foryou.realestate: two "
				      "or more words separated by dots, each a letter and then "
				      "letters, digits and '_'";
	int words = 0;

	for (const char *s = package;; s++, words++) {
		size_t len = strspn(s, LOWER UPPER DIGITS "_");

		if (len == 0 || strchr(DIGITS "_", *s) != NULL)
			return problem;
		s += len;
		if (*s != '.')
			return *s == '\0' && words > 0 ? NULL : problem;
	}
}
