/* token.c - `amocrmctl token`. */
#include "ctl.h"

#include "connection/refresh.h"

#include <stdio.h>

enum ctl_exit
ctl_token(struct ctl *ctl)
{
	struct connection connection;
	struct tokens tokens;

	if (ctl->argc != 2 || !selector_valid(ctl->argv[1]))
		return ctl_usage(ctl, "expects one account");
	if (!selector_find(ctl, ctl->argv[1], &connection)
	    || !refresh_usable_tokens(ctl->ctx, &ctl->cfg, &connection, &tokens))
		return ctl_fault(ctl);
	puts(tokens.access_token);
	return CTL_DONE;
}
