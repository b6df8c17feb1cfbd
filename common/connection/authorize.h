/* authorize.h - exchanging an authorization code for a connection, exactly once, and claiming that
 * connection for an app user.
 *
 * The code's record makes this idempotent (see auth_code.h).
 */
#ifndef AUTHORIZE_H
#define AUTHORIZE_H

#include "amocrm/budget.h"
#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

/* An authorization code, and how it is presented. */
struct grant {
	const char *code;
	const char *host;         /* exchanges it; allowed already.  NULL: the code is known */
	const char *reserved_for; /* the app user of the signed state it came with, or NULL */
	const char *claimant;     /* the app user who presents it; NULL: a browser, or amoCRM */
	bool unclaimable; /* no app user may claim it: an install call where states are signed */
	enum budget_share share; /* of an exchange */
	int64_t deadline_ms;     /* for the whole of authorize, by clock_ms; 0: none */
};

/* The host that may be asked: referer, if account_domains allows it and no other account is pinned.
 * referer NULL: the pinned account.
 * Fault: FAULT_REQUEST; FAULT_OTHER_ACCOUNT if another host is pinned, and no number is. */
bool authorize_host(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *referer, const char **host);

/* Authorization codes are 1*VSCHAR (RFC 6749 appendix A.11); amoCRM's are hexadecimal.  One with
 * anything but letters, digits and "-._~+/=" is no code of amoCRM's, and is not sent there.
 * Fault: FAULT_REQUEST. */
bool authorize_check_code(struct ctx *ctx, const char *code);

enum code_knowledge {
	CODE_NEW,       /* nothing is known of it, or amoCRM refused it */
	CODE_PENDING,   /* exchanged, but amoCRM has not said yet whose the tokens are */
	CODE_CONNECTED, /* exchanged for a connection */
};

/* What is known of a code.  Fault: FAULT_STORAGE. */
bool authorize_known(
    struct ctx *ctx, const struct config *cfg, const char *code, enum code_knowledge *known);

/* Exchanges the code for a connection, or finds the one it has become: a code is exchanged once,
 * however often and in however many processes it is presented.
 *
 * With a claimant, the connection becomes theirs.  Without one it becomes everybody's where
 * connections are shared, unless it is reserved or unclaimable; it is nobody's until it is claimed.
 *
 * The signals of signals_block are blocked meanwhile: the tokens must not be lost because the
 * server stops or the client disconnects.  limit_ms bounds the calls to amoCRM; the grant's
 * deadline_ms bounds waiting for the code's lease and these calls together.
 *
 * A code that amoCRM has refused is refused again for 20 minutes, without another call.  If its
 * tokens may wait in the escrow of another host, it is not available instead, as long as the trace
 * of that is kept (struct store_lease).
 *
 * Fault: as amocrm_exchange; FAULT_UNAVAILABLE beyond the budget (see budget.h); FAULT_CLAIMED if
 * the code is reserved for, or claimed by, another app user, or cannot be claimed; FAULT_CONFIG and
 * FAULT_STORAGE, before amoCRM is asked where possible. */
bool authorize(
    struct ctx *ctx, const struct config *cfg, const struct grant *grant, int64_t limit_ms);

#endif
