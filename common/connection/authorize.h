/* authorize.h - an authorization code becomes a connection, once, and somebody's.
 *
 * The records of the store behind it, for as long as a code lives:
 *
 *   code:<sha256 of the code>      what it has become (see auth_code.h)
 *   pending:<sha256 of the code>   tokens whose account is not known yet
 */
#ifndef AUTHORIZE_H
#define AUTHORIZE_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

/* An authorization code, and who came with it. */
struct grant {
	const char *code;
	const char *host;         /* that shall exchange it; allowed already */
	const char *reserved_for; /* the app user of the signed state it came with, or NULL */
	const char *claimant;     /* the app user who presents it now; NULL: a browser, or amoCRM */
	bool unclaimable;    /* an install call where states are signed: it cannot be claimed */
	int64_t deadline_ms; /* by clock_ms: nobody waits for the answer longer; 0: no deadline */
};

/* Which host may be asked: referer, when account_domains allows it and it is the pinned account if
 * there is one; without referer (NULL) the pinned account.
 * Fault: FAULT_REQUEST. */
bool authorize_host(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *referer, const char **host);

/* Whether the code has become a connection already. */
bool authorize_known(struct ctx *ctx, const struct config *cfg, const char *code, bool *known);

/* Makes a connection of the code, or finds that it has become one already; one exchange for a code,
 * however often and from however many processes it comes.  With a claimant the connection becomes
 * theirs.  Without one, in a shared set-up, it becomes everybody's, unless it is reserved: then it
 * waits for its claimant.  While it runs TERM, HUP, PIPE and XFSZ wait: a server that stops, or a
 * phone that hangs up, must not cost the tokens.  limit_ms bounds what amoCRM takes, and the
 * grant's deadline_ms what waiting for others and amoCRM take together.
 * Fault: as amocrm_exchange; FAULT_CLAIMED when the code is reserved for, or claimed by, somebody
 * other than the claimant; FAULT_CONFIG and FAULT_STORAGE, where possible before amoCRM is
 * asked. */
bool authorize(
    struct ctx *ctx, const struct config *cfg, const struct grant *grant, int64_t limit_ms);

#endif
