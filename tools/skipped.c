/* skipped.c - what a walk over the store has skipped, for people; see ctl.h. */
#include "ctl.h"

#include "store/store.h"

#include <stdio.h>

static void
print(void *arg, const char *path, const char *reason)
{
	const struct ctl *ctl = arg;

	(void)path; /* the reason begins with it */
	fprintf(stderr, "amocrmctl %s: skipped: %s\n", ctl->argv[0], reason);
}

bool
ctl_skipped(const struct ctl *ctl)
{
	struct ctx *ctx = ctl->ctx;

	ctl_fault(ctl);
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	if (!store_each_unreadable(ctx, &ctl->cfg.store, print, (void *)(uintptr_t)ctl)) {
		ctl_fault(ctl);
		ctx_clear_fault(ctx);
	}
	return true;
}
