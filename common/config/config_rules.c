/* config_rules.c - see config_rules.h. */
#include "config/config_rules.h"

#include <stddef.h>
#include <string.h>

#define DIGITS          "0123456789"
#define PORT_DIGITS_MAX 5 /* 65535 */

bool
config_client_id_valid(const char *client_id)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	const char *s = client_id;

	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == 'x' ? s[i] == '\0' || strchr(DIGITS "abcdef", s[i]) == NULL
				   : s[i] != form[i])
			return false;
	return true;
}

static bool
is_port(const char *s, size_t len)
{
	return len <= PORT_DIGITS_MAX && strspn(s, DIGITS) >= len;
}

/* The length of a host name or [address] at the beginning of s; 0: there is none. */
static size_t
host_length(const char *s)
{
	size_t len = strcspn(s, *s == '[' ? "] " : ": ");

	if (*s != '[')
		return len;
	return s[len] == ']' ? len + 1 : 0;
}

/* HOST1:PORT1:HOST2:PORT2; each part may be empty. */
static bool
is_connect_to(const char *s, size_t len)
{
	const char *end = s + len;

	for (int part = 0; part < 4; part++) {
		size_t n = part % 2 == 0 ? host_length(s) : strcspn(s, ": ");

		if (s + n > end || (part % 2 == 1 && !is_port(s, n)))
			return false;
		s += n;
		if (part < 3 && *s++ != ':')
			return false;
	}
	return s == end;
}

bool
config_connect_to_valid(const char *connect_to)
{
	for (const char *s = connect_to; *s != '\0'; s += strspn(s, " ")) {
		size_t len = strcspn(s, " ");

		if (len > 0 && !is_connect_to(s, len))
			return false;
		s += len;
	}
	return true;
}

static bool
is_proxy_scheme(const char *s, size_t len)
{
	static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5",
		"socks5h" };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strlen(schemes[i]) == len && strncmp(s, schemes[i], len) == 0)
			return true;
	return false;
}

bool
config_proxy_valid(const char *proxy)
{
	const char *scheme_end = strstr(proxy, "://");
	const char *at = strrchr(proxy, '@');
	const char *host = at != NULL ? at + 1 : scheme_end != NULL ? scheme_end + 3 : proxy;
	const char *rest = host + host_length(host);

	if (scheme_end != NULL && !is_proxy_scheme(proxy, (size_t)(scheme_end - proxy)))
		return false;
	if (rest == host || strchr(host, ' ') != NULL)
		return false;
	if (*rest == ':')
		return rest[1] != '\0' && is_port(rest + 1, strcspn(rest + 1, "/"));
	return *rest == '\0' || *rest == '/';
}
