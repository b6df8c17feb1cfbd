/* jwt.h - the app's bearer token, a JWT (RFC 7519) that names the app user.
 *
 * Only the configured algorithm is accepted.  Tokens made for another purpose, such as our own
 * states (see oauth_state.h), are refused (RFC 8725 section 3.11).
 */
#ifndef JWT_H
#define JWT_H

#include "base/ctx.h"

struct jwt_config;
struct jws_algorithm;

#define JWT_TOKEN_MAX 8192 /* bytes; the usual limit of web servers for one header */
#define JWT_USER_MAX  150  /* bytes; fits into a key of the store, with a prefix */

/* Verifies the token and returns the user of its configured claim, which is a non-empty string of
 * at most JWT_USER_MAX bytes without control characters, or a non-negative integer, returned in
 * decimal.
 *
 * Fault: FAULT_TOKEN_MISSING when token is NULL; FAULT_TOKEN, with the reason, when it is invalid;
 * FAULT_CONFIG when the public key cannot be read or does not fit the algorithm. */
bool jwt_verify(
    struct ctx *ctx, const struct jwt_config *cfg, const char *token, const char **user);

/* The configured algorithm; see jws.h. */
const struct jws_algorithm *jwt_algorithm(const struct jwt_config *cfg);

#endif
