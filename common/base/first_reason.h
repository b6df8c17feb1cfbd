/* first_reason.h - for faults that do not end an iteration: how many there were, and the reason of
 * the first. */
#ifndef FIRST_REASON_H
#define FIRST_REASON_H

#include "base/ctx.h"

#include <stdio.h>

struct first_reason {
	size_t count;
	char text[CTX_REASON_MAX];
};

static inline void
first_reason_add(struct first_reason *first, const char *reason)
{
	if (first->count++ == 0)
		snprintf(first->text, sizeof first->text, "%.*s", CTX_REASON_MAX - 1, reason);
}

/* Counts the fault, and clears it. */
static inline void
first_reason_take(struct first_reason *first, struct ctx *ctx)
{
	first_reason_add(first, ctx->reason);
	ctx_clear_fault(ctx);
}

#endif
