/* corrupt.c - see corrupt.h. */
#include "connection/corrupt.h"

#include <stdio.h>
#include <string.h>

void
corrupt_note(struct corrupt_records *corrupt, const char *key)
{
	size_t len = strlen(corrupt->keys);

	/* keys are truncated to the buffer; count counts all of them */
	snprintf(corrupt->keys + len, sizeof corrupt->keys - len, "%s%s",
	    corrupt->count++ == 0 ? "" : ", ", key);
	/* the key itself may be corrupt, and is shown on a terminal */
	for (char *c = corrupt->keys + len; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

bool
corrupt_skip(struct ctx *ctx, struct corrupt_records *corrupt, const char *key)
{
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	corrupt_note(corrupt, key);
	return true;
}

bool
corrupt_none(struct ctx *ctx, const struct corrupt_records *corrupt)
{
	return corrupt->count == 0
	    || fault(ctx, FAULT_CORRUPT,
		"%s: corrupt, %zu in all; connect again, or restore from a backup", corrupt->keys,
		corrupt->count);
}
