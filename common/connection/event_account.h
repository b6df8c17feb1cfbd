/* event_account.h - whose a webhook's event is.
 */
#ifndef EVENT_ACCOUNT_H
#define EVENT_ACCOUNT_H

#include "base/ctx.h"
#include "config/config.h"
#include "events/event.h"

/* Sets the event's account_id: what event_account finds in the payload, the account in the token of
 * a Salesbot's request, whose signature must be by client_secret, or the one connected account
 * whose host begins with the payload's subdomain.  0: there is none.  The subdomain is looked up
 * where the payload has no account's id but that of items, or where it is not the subdomain of the
 * connected account with that id.  A look-up reads every connection, unless they are shared.
 * Fault: FAULT_REQUEST if two of these differ; FAULT_STORAGE, also if no account was found but one
 * is required, and a connection that cannot be read may be the account's. */
bool event_find_account(struct ctx *ctx, const struct config *cfg, struct event *event);

#endif
