/* refresh.h - refreshing tokens (RFC 6749 section 6).
 */
#ifndef REFRESH_H
#define REFRESH_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/record.h"
#include "crypto/keyring.h"

#include <stdint.h>

/* True if the access token expires before usable_until, or if the connection was refreshed in the
 * future: the clock was fast then and has been set back, so expires_at is wrong. */
bool refresh_due(const struct connection *connection, time_t usable_until);

/* The tokens of a connection, given by its record's key, refreshed first if they are due by
 * usable_until.  amoCRM rotates refresh tokens: each is single-use.  So concurrent calls, also of
 * other processes and hosts, refresh once, under a lease, and the new pair is on disk before it is
 * handed out, sealed with the first key of the ring as the file is then.  TERM, HUP, INT, QUIT,
 * PIPE and XFSZ are blocked meanwhile.  The new host of a renamed account is stored with the
 * tokens.
 * Fault: FAULT_REFUSED if there is no such connection, or it needs a new authorization (it is then
 * revoked); FAULT_CLIENT, FAULT_UNAVAILABLE, FAULT_BLOCKED, FAULT_MOVED, FAULT_REPLY_LOST: the
 * stored tokens are unchanged; FAULT_CONFIG, FAULT_STORAGE. */
bool refresh_tokens(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, time_t usable_until, struct tokens *tokens);

#define REFRESH_LEFT_MIN_S 300 /* an access token that expires sooner is refreshed before use */

/* The tokens of a connection, refreshed first if the access token lasts for less than
 * REFRESH_LEFT_MIN_S.  Reads the key ring.  Fault: as refresh_tokens. */
bool refresh_usable_tokens(struct ctx *ctx, const struct config *cfg,
    const struct connection *connection, struct tokens *tokens);

/* How long a refresh holds the connection's lease at most: amoCRM may be called several times. */
int64_t refresh_longest_ms(const struct config *cfg);

#endif
