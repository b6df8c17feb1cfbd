/* fold.c - folding in tokens that wait in the escrow, before a command that walks over all
 * connections. */
#include "ctl.h"

#include <stdio.h>

bool
ctl_fold(struct ctl *ctl)
{
	if (connection_fold(ctl->ctx, &ctl->cfg, NULL))
		return true;
	fprintf(stderr,
	    "amocrmctl %s: new tokens may wait in the escrow, and cannot be stored yet: %s\n",
	    ctl->argv[0], ctl->ctx->reason);
	ctx_clear_fault(ctl->ctx);
	return false;
}
