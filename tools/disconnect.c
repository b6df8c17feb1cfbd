/* disconnect.c - `amocrmctl disconnect`. */
#include "ctl.h"

#include "connection/connection.h"

#include <stdio.h>

enum ctl_exit
ctl_disconnect(struct ctl *ctl)
{
	int64_t account_id;
	int64_t user_id;

	if (ctl->argc != 2 || !ctl_selector(ctl->argv[1]))
		return ctl_usage(ctl, "takes one account");
	if (!ctl_select_ids(ctl, ctl->argv[1], &account_id, &user_id)
	    || !connection_erase(ctl->ctx, &ctl->cfg, account_id, user_id))
		return ctl_fault(ctl);
	fprintf(stderr,
	    "Erased %lld/%lld.  amoCRM itself still lists the integration as installed.\n",
	    (long long)account_id, (long long)user_id);
	return CTL_DONE;
}
