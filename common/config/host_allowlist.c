/* host_allowlist.c - see host_allowlist.h. */
#include "config/host_allowlist.h"

#include <string.h>

static bool
label_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* Copies host in lower case; false: it is too long, or has a character no host name has. */
static bool
lower(const char *host, char lowered[HOST_SIZE])
{
	size_t n;

	for (n = 0; host[n] != '\0'; n++) {
		char c = host[n] >= 'A' && host[n] <= 'Z' ? (char)(host[n] + ('a' - 'A')) : host[n];

		if (n == HOST_MAX || (!label_character(c) && c != '.'))
			return false;
		lowered[n] = c;
	}
	lowered[n] = '\0';
	return true;
}

bool
host_allowed(const char *domains, const char *host, char lowered[HOST_SIZE])
{
	size_t label_len;
	const char *parent;

	if (!lower(host, lowered))
		return false;
	label_len = strcspn(lowered, ".");
	if (label_len == 0 || label_len > HOST_LABEL_MAX || lowered[label_len] != '.'
	    || lowered[0] == '-' || lowered[label_len - 1] == '-')
		return false;
	parent = lowered + label_len + 1;
	while (*domains != '\0') {
		size_t len = strcspn(domains, " ");

		if (len > 0 && strlen(parent) == len && strncmp(parent, domains, len) == 0)
			return true;
		domains += len;
		domains += strspn(domains, " ");
	}
	return false;
}
