/* fault.c - see fault.h. */
#include "base/fault.h"

#include <stddef.h>
#include <string.h>

#define NAME_SIZE 14 /* bytes; arrays, since pointers would have to be relocated at each start */

static const char names[FAULT_KINDS][NAME_SIZE] = {
	[FAULT_NONE] = "none",
	[FAULT_REQUEST] = "request",
	[FAULT_MISSING_CODE] = "missing_code",
	[FAULT_METHOD] = "method",
	[FAULT_MEDIA] = "media",
	[FAULT_TOO_LARGE] = "too_large",
	[FAULT_TOKEN_MISSING] = "token_missing",
	[FAULT_TOKEN] = "token",
	[FAULT_SIGNATURE] = "signature",
	[FAULT_FORBIDDEN] = "forbidden",
	[FAULT_CLAIMED] = "claimed",
	[FAULT_REFUSED] = "refused",
	[FAULT_CLIENT] = "client",
	[FAULT_OTHER_ACCOUNT] = "other_account",
	[FAULT_UNAVAILABLE] = "unavailable",
	[FAULT_BLOCKED] = "blocked",
	[FAULT_MOVED] = "moved",
	[FAULT_REPLY_LOST] = "reply_lost",
	[FAULT_STORAGE] = "storage",
	[FAULT_CORRUPT] = "corrupt",
	[FAULT_CONFIG] = "config",
	[FAULT_SERVER] = "server",
};

const char *
fault_name(enum fault_kind kind)
{
	return names[kind];
}

enum fault_kind
fault_by_name(const char *name)
{
	for (int kind = FAULT_NONE + 1; name != NULL && kind < FAULT_KINDS; kind++)
		if (strcmp(names[kind], name) == 0)
			return (enum fault_kind)kind;
	return FAULT_SERVER;
}
