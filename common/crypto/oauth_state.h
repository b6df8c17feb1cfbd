/* oauth_state.h - the OAuth 2.0 state we make (RFC 6749 section 10.12):
 * it names the app user who asked for the authorization, for half an hour.
 *
 * A token like the app's, but never to be taken for one, nor one for it: its type, its audience and
 * its key are its own.  The key is derived from the key ring, so the ring's first key signs and all
 * of them verify.
 */
#ifndef OAUTH_STATE_H
#define OAUTH_STATE_H

#include "base/ctx.h"
#include "crypto/keyring.h"

#define STATE_AUDIENCE  "amo-crm:state"
#define STATE_TYPE      "amo-crm-state+jwt"
#define STATE_LIFE_S    1800 /* long enough to log in and consent */
#define OAUTH_STATE_MAX 2048 /* bytes; it stands in a URL, and comes back in one */

/* app_user is as jwt_verify gave it.  Starts no EVP.
 * Fault: FAULT_SERVER when the state would be over OAUTH_STATE_MAX, or there is no randomness. */
bool oauth_state_make(
    struct ctx *ctx, const struct keyring *ring, const char *app_user, const char **state);

/* *ours is false for NULL, for what we did not make, and for what is changed or expired; *app_user
 * is set only when it is true.  Fault: FAULT_SERVER when the arena is full. */
bool oauth_state_read(struct ctx *ctx, const struct keyring *ring, const char *state, bool *ours,
    const char **app_user);

#endif
