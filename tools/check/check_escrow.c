/* check_escrow.c - tokens that could not be stored where they belong. */
#include "check/check.h"

#include "connection/connection.h"

void
check_escrow(struct check *c)
{
	char first[STORE_KEY_MAX + 1];
	size_t count;

	if (!connection_waiting(c->ctl->ctx, &c->ctl->cfg, &count, first))
		report_fault(&c->report, "escrow", "correct the mode and owner of this folder");
	else if (count > 0)
		report_warning(&c->report, "escrow",
		    "correct what is WRONG here, then run amocrmctl accounts, which stores them or "
		    "says why it cannot; "
		    "do not delete the folder escrow",
		    "%s: its new tokens could not be stored, and are kept in the escrow; such "
		    "connections: %zu",
		    first, count);
}
