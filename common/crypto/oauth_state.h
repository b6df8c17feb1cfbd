/* oauth_state.h - the signed state parameter of an OAuth 2.0 authorization (RFC 6749 section
 * 10.12): it names the app user who asked for the authorization, and is valid for half an hour.
 *
 * It is a JWT, as the app's own token is (see jwt.h), but has a type, an audience and a key of its
 * own, so that neither is accepted in place of the other.  The HMAC key is derived from the key
 * ring (see keyring.h): the ring's first key signs and every key verifies, so a state remains valid
 * across a key rotation.  A state is signed, not encrypted.
 */
#ifndef OAUTH_STATE_H
#define OAUTH_STATE_H

#include "base/ctx.h"
#include "crypto/keyring.h"

#define STATE_AUDIENCE  "amo-crm:state"
#define STATE_TYPE      "amo-crm-state+jwt"
#define STATE_LIFE_S    1800 /* enough to log in and consent */
#define OAUTH_STATE_MAX 2048 /* bytes; a state is part of a URL, in both directions */

/* Makes a state for app_user, a name as jwt_verify returns it.
 * Fault: FAULT_SERVER when the state would be over OAUTH_STATE_MAX, or when the system gives no
 * random bytes. */
bool oauth_state_make(
    struct ctx *ctx, const struct keyring *ring, const char *app_user, const char **state);

/* Verifies a state.  *ours is false when state is NULL, was not made by oauth_state_make, was
 * changed, or has expired; *app_user is set only when it is true.
 * Fault: FAULT_SERVER when the arena is full. */
bool oauth_state_read(struct ctx *ctx, const struct keyring *ring, const char *state, bool *ours,
    const char **app_user);

#endif
