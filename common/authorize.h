/* authorize.h - an authorization code becomes a connection, once.
 */
#ifndef AUTHORIZE_H
#define AUTHORIZE_H

#include "config.h"
#include "work.h"

#include <stdint.h>

#define CODE_LIFE_S 1200 /* amoCRM's codes live 20 minutes; as long one is recognised again */

/* An authorization code and the host that shall exchange it; the host is allowed already. */
struct grant {
	const char *code;
	const char *host;
};

/* Which host may be asked: referer, when account_domains allows it and it is the pinned account if
 * there is one; without referer (NULL) the pinned account.
 * Fault: FAULT_REQUEST. */
bool authorize_host(
    struct work *w, const struct amocrm_config *cfg, const char *referer, const char **host);

/* Makes a connection of the code, or finds that it has become one already; one exchange for a code,
 * however often and from however many processes it comes.  While it runs TERM, HUP, PIPE and XFSZ
 * wait: a server that stops, or a phone that hangs up, must not cost the tokens.
 * limit_ms bounds what amoCRM takes.
 * Fault: as amocrm_exchange; FAULT_CONFIG and FAULT_STORAGE, where possible before amoCRM is asked. */
bool authorize(
    struct work *w, const struct config *cfg, const struct grant *grant, int64_t limit_ms);

#endif
