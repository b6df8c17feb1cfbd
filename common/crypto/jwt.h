/* jwt.h - the app's own token (RFC 7519), which says who the app user is.
 *
 * One algorithm is accepted, the configured one.  A token of any other kind we know of,
 * foremost our own states (see oauth_state.h), is refused (RFC 8725 section 3.11).
 */
#ifndef JWT_H
#define JWT_H

#include "base/ctx.h"

struct jwt_config;
struct jws_algorithm;

#define JWT_TOKEN_MAX 8192 /* bytes; what servers allow one header */
#define JWT_USER_MAX  150  /* bytes; fits the store's keys with a prefix before it */

/* Who the token is for: the configured claim, a non-empty string without control characters or a
 * non-negative integer, then in decimal; at most JWT_USER_MAX bytes.
 * Fault: FAULT_TOKEN_MISSING when token is NULL; FAULT_TOKEN when it is wrong in any way, and the
 * reason tells in which; FAULT_CONFIG when the public key cannot be read or is not one for the
 * algorithm. */
bool jwt_verify(
    struct ctx *ctx, const struct jwt_config *cfg, const char *token, const char **user);

/* The configured algorithm; see jws.h. */
const struct jws_algorithm *jwt_algorithm(const struct jwt_config *cfg);

#endif
