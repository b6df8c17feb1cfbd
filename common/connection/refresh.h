/* refresh.h - tokens that stay alive.
 */
#ifndef REFRESH_H
#define REFRESH_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/record.h"
#include "crypto/keyring.h"

#include <stdint.h>

/* Whether it has to be renewed to be usable until then.  One that was renewed in the future has to,
 * for the clock was fast then, and its expires_at is worth nothing. */
bool refresh_due(const struct connection *connection, time_t usable_until);

/* The tokens of a connection, by its record's key, renewed first when they are due by usable_until.
 * However many ask at once, from however many processes, amoCRM is asked once: a refresh token
 * works once, and the new pair is on disk before anybody gets it, sealed with the first key of the
 * ring as it is then.  While it runs TERM, HUP, INT, QUIT, PIPE and XFSZ wait.  A renamed account's
 * new host is stored with the tokens.
 * Fault: FAULT_REFUSED when there is no such connection, or it needs a new authorization (then it
 * is marked as revoked); FAULT_CLIENT, FAULT_UNAVAILABLE, FAULT_BLOCKED, FAULT_MOVED,
 * FAULT_REPLY_LOST: the tokens are kept as they are; FAULT_CONFIG, FAULT_STORAGE. */
bool refresh_tokens(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, time_t usable_until, struct tokens *tokens);

#define REFRESH_LEFT_MIN_S 300 /* what an access token must last for to be used without a refresh */

/* The tokens of a connection that was read, for calls to be made now: the access token lasts for
 * REFRESH_LEFT_MIN_S at least.  Reads the key ring.  Fault: as refresh_tokens; FAULT_CONFIG. */
bool refresh_usable_tokens(struct ctx *ctx, const struct config *cfg,
    const struct connection *connection, struct tokens *tokens);

/* How long its lock of the connection is held at most: amoCRM may be asked several times. */
int64_t refresh_longest_ms(const struct config *cfg);

#endif
