/* exchange.h - exchanging a code at amoCRM, and storing what comes of it: the part of authorize.h
 * that calls amoCRM.  The caller holds the code's lease.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "connection/auth_code.h"
#include "connection/authorize.h"
#include "crypto/keyring.h"

/* Exchanges a code of which nothing is known; lease is the code's, and its name the key of the
 * code's record.  The tokens become a connection; if amoCRM cannot say now whose they are, they are
 * kept with the code's record, for exchange_finish.  A code that amoCRM refuses is recorded as
 * refused, unless the lease was abandoned.  Tokens that are left in the escrow make it abandoned.
 * Fault: as authorize. */
bool exchange_code(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, struct store_lease *lease, int64_t deadline_ms);

/* Makes a connection of the tokens of a pending code.  Whose it becomes is decided by the record,
 * not by how the code is presented now, which contributes the claimant and the share alone.
 * Fault: as authorize. */
bool exchange_finish(struct ctx *ctx, const struct config *cfg, const struct grant *presented,
    const struct keyring *ring, const char *record, const struct auth_code *code,
    int64_t deadline_ms);

#endif
