/* aes_gcm.h - the encryption of seal.h, by OpenSSL's EVP: AES-256-GCM (NIST SP 800-38D) with a new
 * random 96-bit nonce for each encryption.
 */
#ifndef AES_GCM_H
#define AES_GCM_H

#include "base/ctx.h"
#include "crypto/keyring.h"

/* Initialises what the first call of aes_gcm_seal or aes_gcm_open would initialise. */
void aes_gcm_prepare(void);

/* Encrypts secret to the base64url of nonce, ciphertext and 128-bit tag.  The key's id and the
 * context are the associated data (AAD). */
bool aes_gcm_seal(struct ctx *ctx, const struct key *key, const char *context, const char *secret,
    const char **sealed);

/* Decrypts.  Fault: FAULT_STORAGE when the tag does not match the key, the context and the text. */
bool aes_gcm_open(struct ctx *ctx, const struct key *key, const char *context, const char *sealed,
    const char **secret);

#endif
