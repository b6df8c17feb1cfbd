/* refresh.h - tokens that stay alive.
 */
#ifndef REFRESH_H
#define REFRESH_H

#include "config.h"
#include "keyring.h"
#include "record.h"
#include "work.h"

#include <stdint.h>

/* The tokens of a connection, by its record's key, renewed first when the access token ends before
 * usable_until.  However many ask at once, from however many processes, amoCRM is asked once: a
 * refresh token works once, and the new pair is on disk before anybody gets it.  While it runs TERM,
 * HUP, PIPE and XFSZ wait.  A renamed account's new host is stored with the tokens.
 * Fault: FAULT_REFUSED when there is no such connection, or it needs a new authorization (then it is
 * marked as revoked); FAULT_CLIENT, FAULT_UNAVAILABLE, FAULT_MOVED, FAULT_REPLY_LOST: the tokens are
 * kept as they are; FAULT_CONFIG, FAULT_STORAGE. */
bool refresh_tokens(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, time_t usable_until, struct tokens *tokens);

/* How long its lock of the connection is held at most: amoCRM may be asked several times. */
int64_t refresh_longest_ms(const struct config *cfg);

#endif
