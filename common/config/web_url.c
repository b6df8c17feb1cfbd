/* web_url.c - see web_url.h. */
#include "config/web_url.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define HTTPS "https://"
#define HTTP  "http://"

static bool
begins_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static const char *
scheme_problem(const char *url)
{
	bool is_https = strncasecmp(url, HTTPS, strlen(HTTPS)) == 0;

	if (begins_with(url, HTTPS) || begins_with(url, HTTP "localhost:")
	    || begins_with(url, HTTP "localhost/") || begins_with(url, HTTP "127.0.0.1:")
	    || begins_with(url, HTTP "127.0.0.1/"))
		return NULL;
	if (is_https)
		return "must be an https:// URL with its scheme in lower case";
	if (strncasecmp(url, HTTP, strlen(HTTP)) == 0)
		return "must be an https:// URL: http:// is accepted for localhost only";
	return "must be an https:// URL, and begin with \"https://\"";
}

static const char *
character_problem(const char *url)
{
	for (const char *c = url; *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			return "must be an https:// URL in ASCII: a host name in other letters has "
			       "the form xn--...";
		if (*c == '#')
			return "must be an https:// URL without '#' and what follows it";
		if (*c <= ' ' || *c > '~')
			return "must be an https:// URL without spaces and control characters";
		if (strchr("\"<>\\^`{|}", *c) != NULL)
			return "must be an https:// URL without quotes, brackets and backslashes";
	}
	return NULL;
}

const char *
web_url_problem(const char *url)
{
	const char *problem = character_problem(url);
	const char *host;

	if (problem == NULL)
		problem = scheme_problem(url);
	if (problem != NULL)
		return problem;
	host = strstr(url, "://") + 3;
	return *host == '\0' || *host == '/' ? "must be an https:// URL with a host" : NULL;
}
