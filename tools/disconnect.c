/* disconnect.c - `amocrmctl disconnect`. */
#include "ctl.h"

#include "connection.h"

#include <stdio.h>

enum ctl_exit
ctl_disconnect(struct ctl *ctl)
{
	struct connection connection;

	if (ctl->argc != 2)
		return ctl_usage(ctl, "takes one account");
	if (!ctl_select(ctl, ctl->argv[1], &connection)
	    || !connection_erase(
		ctl->w, &ctl->cfg, connection.account_id, connection.amocrm_user_id))
		return ctl_fault(ctl);
	fprintf(stderr,
	    "Erased %lld/%lld (%s).  amoCRM itself still lists the integration as installed.\n",
	    (long long)connection.account_id, (long long)connection.amocrm_user_id,
	    connection.host);
	return CTL_DONE;
}
