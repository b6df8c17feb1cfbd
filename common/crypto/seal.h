/* seal.h - secrets at rest: AES-256-GCM (NIST SP 800-38D) with a fresh random 96-bit nonce.
 *
 *   <kid>.<base64url of nonce, ciphertext, 128-bit tag>
 *
 * The context a secret belongs to (its record's key and clear members) and the key's id are
 * authenticated with it, so a sealed text opened under any other context is refused.
 */
#ifndef SEAL_H
#define SEAL_H

#include "base/ctx.h"
#include "crypto/keyring.h"

/* Seals with the ring's first key. */
bool seal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *secret,
    const char **sealed);

/* Fault: FAULT_STORAGE when the key is not in the ring, or anything was changed. */
bool unseal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *sealed,
    const char **secret);

#endif
