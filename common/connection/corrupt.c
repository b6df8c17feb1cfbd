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

static void
keep_reason(struct ctx *ctx, struct corrupt_records *corrupt)
{
	if (corrupt->reason[0] == '\0')
		snprintf(corrupt->reason, sizeof corrupt->reason, "%.*s", CORRUPT_REASON_MAX - 1,
		    ctx->reason);
	ctx_clear_fault(ctx);
}

bool
corrupt_skip(struct ctx *ctx, struct corrupt_records *corrupt, const char *key)
{
	if (ctx->kind != FAULT_CORRUPT && ctx->kind != FAULT_STORAGE)
		return false;
	if (ctx->kind == FAULT_STORAGE)
		keep_reason(ctx, corrupt);
	ctx_clear_fault(ctx);
	corrupt_note(corrupt, key);
	return true;
}

bool
corrupt_skip_shards(struct ctx *ctx, struct corrupt_records *corrupt)
{
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	keep_reason(ctx, corrupt);
	return true;
}

bool
corrupt_none(struct ctx *ctx, const struct corrupt_records *corrupt)
{
	if (corrupt->reason[0] == '\0')
		return corrupt->count == 0
		    || fault(ctx, FAULT_CORRUPT, "%s: corrupt, %zu in all; run amocrmctl repair",
			corrupt->keys, corrupt->count);
	if (corrupt->count == 0)
		return fault(ctx, FAULT_CORRUPT, "%s", corrupt->reason);
	return fault(ctx, FAULT_CORRUPT, "%.50s: cannot be read, %zu in all: %s", corrupt->keys,
	    corrupt->count, corrupt->reason);
}
