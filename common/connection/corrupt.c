/* corrupt.c - see corrupt.h. */
#include "connection/corrupt.h"

#include <stdio.h>
#include <string.h>

void
damage_note(struct damage *damage, const char *key)
{
	size_t len = strlen(damage->keys);

	/* a name that does not fit is cut, or left out: they are counted all the same */
	snprintf(damage->keys + len, sizeof damage->keys - len, "%s%s",
	    damage->count++ == 0 ? "" : ", ", key);
	/* the name itself may be damaged, and is shown on a terminal */
	for (char *c = damage->keys + len; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

bool
damage_passed(struct ctx *ctx, struct damage *damage, const char *key)
{
	if (ctx->kind != FAULT_DAMAGED)
		return false;
	ctx_clear_fault(ctx);
	damage_note(damage, key);
	return true;
}

bool
damage_none(struct ctx *ctx, const struct damage *damage)
{
	return damage->count == 0
	    || fault(ctx, FAULT_DAMAGED,
		"%s: damaged, %zu in all; connect again, or restore from a backup", damage->keys,
		damage->count);
}
