/* aes_gcm.h - AES-256-GCM (NIST SP 800-38D) with a fresh random 96-bit nonce.
 */
#ifndef AES_GCM_H
#define AES_GCM_H

#include "base/ctx.h"
#include "crypto/keyring.h"

/* Loads what aes_gcm_seal and aes_gcm_open would load when they are first called. */
void aes_gcm_prepare(void);

/* The base64url of nonce, ciphertext and 128-bit tag;
 * the key's id and the context are authenticated with it. */
bool aes_gcm_seal(struct ctx *ctx, const struct key *key, const char *context, const char *secret,
    const char **sealed);

/* Fault: FAULT_STORAGE when anything was changed. */
bool aes_gcm_open(struct ctx *ctx, const struct key *key, const char *context, const char *sealed,
    const char **secret);

#endif
