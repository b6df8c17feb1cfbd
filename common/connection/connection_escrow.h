/* connection_escrow.h - tokens that could not be stored where they belong wait in the store's
 * escrow, sealed, until the next program that needs them folds them in.
 *
 *   {"refresh":"connection:1:2","account_id":1,"host":…,"connected_at":…,"replaces":…,…}
 *   <the two tokens, sealed, with the line above as their context>
 *
 * The first line holds what is needed to complete the change: which pair the tokens replace.
 * Folding is idempotent, and never replaces a newer pair, revives an erased connection, or undoes a
 * revocation.
 */
#ifndef CONNECTION_ESCROW_H
#define CONNECTION_ESCROW_H

#include "base/lock.h"
#include "connection/connection_internal.h"

/* The text of a refreshed pair, sealed with the first key of the ring as the file is now.
 * Fault: as seal. */
bool connection_escrow_text(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct refreshed *refreshed, const char **text);

#endif
