/* jws_evp.h - signatures by public keys, verified by OpenSSL's EVP.  The other programs reach this
 * through jws.h.
 */
#ifndef JWS_EVP_H
#define JWS_EVP_H

#include "crypto/crypto_message.h"

/* RS256 with at least 2048 bits, ES256 on P-256, and EdDSA with Ed25519 (RFC 7518 section 3.1,
 * RFC 8037 section 3.1).
 * Fault: FAULT_CONFIG when the key cannot be read or does not fit the algorithm; FAULT_SERVER for
 * any other algorithm, or when OpenSSL fails. */
bool jws_evp_verify(struct ctx *ctx, const struct verify_request *request, bool *valid);

#endif
