/* seal.h - seals (encrypts) the secrets in the store, and unseals (decrypts) them: AES-256-GCM
 * (NIST SP 800-38D) with a new random 96-bit nonce for each encryption.
 *
 *   <kid>.<base64url of nonce, ciphertext, 128-bit tag>
 *
 * The key's id and the context are associated data (AAD): authenticated, but not encrypted.  The
 * context is what the secret belongs to: its record's name and unencrypted members.  So a sealed
 * text that was moved to another record, or whose record was changed, does not decrypt.
 *
 * kid names the key (see keyring.h).  After a key rotation, older keys decrypt what they encrypted,
 * until `amocrmctl rekey` has re-encrypted it with the new key.
 */
#ifndef SEAL_H
#define SEAL_H

#include "base/ctx.h"
#include "crypto/keyring.h"

/* Encrypts secret with the ring's first key.  Fault: FAULT_SERVER; as helper_request. */
bool seal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *secret,
    const char **sealed);

/* Decrypts.  Fault: FAULT_STORAGE when the key, the context or the sealed text is not the one of
 * the encryption, or when the ring does not have the key: either way the stored text is unreadable;
 * as helper_request. */
bool unseal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *sealed,
    const char **secret);

#endif
