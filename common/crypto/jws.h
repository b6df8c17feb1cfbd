/* jws.h - signed tokens: a compact JWS (RFC 7515) of JSON claims (RFC 7519), verified as RFC 8725
 * recommends.
 *
 *   base64url(header) '.' base64url(claims) '.' base64url(signature)
 *
 * The caller chooses the algorithm and the key.  A token's header must name that algorithm, and
 * cannot bring a key.  The claims may be read before the signature is verified, but only to refuse
 * the token: nothing else may come of them.
 */
#ifndef JWS_H
#define JWS_H

#include "base/ctx.h"
#include "text/json.h"

#include <stdint.h>

#define JWS_MAC_MAX    64 /* bytes: HS512 */
#define JWS_REASON_MAX 80 /* part of a log line */

/* Each algorithm needs either the secret or the public key. */
struct jws_key {
	const void *secret; /* HS256, HS384, HS512 */
	size_t secret_len;
	const char *public_key; /* RS256, ES256, EdDSA: the path of a PEM file */
};

/* The parts of a token, in the arena or in the token itself. */
struct jws {
	const struct jws_algorithm *algorithm;
	const char *signed_part; /* header '.' claims */
	size_t signed_len;
	const char *claims; /* base64url, the end of signed_part */
	size_t claims_len;
	const uint8_t *signature;
	size_t signature_len;
	const char *type;            /* `typ`; NULL: none */
	const char *kid;             /* NULL: none that is a string */
	char reason[JWS_REASON_MAX]; /* why the token was refused, for the log */
};

struct jws_algorithm {
	const char *name; /* as `alg` spells it; RFC 7518 section 3.1, RFC 8037 section 3.1 */

	/* False without a fault when the signature, of a length below, is not the key's.
	 * Fault: FAULT_CONFIG when the key cannot be read or does not fit the algorithm. */
	bool (*verify)(struct ctx *ctx, const struct jws_key *key, const struct jws *jws);

	/* The HMAC that is the signature; see sha2.h.
	 * NULL: the algorithm has a public key, with which nothing can be signed. */
	void (*hmac)(const void *key, size_t key_len, const void *text, size_t len, uint8_t *mac);

	/* The bytes of a signature, both ends included.  Any other length cannot verify. */
	size_t signature_min;
	size_t signature_max;
};

/* Algorithms with a secret use sha2.h; signatures by public keys are verified by amo-crm-crypto
 * (see helper.h), so no program that serves requests links OpenSSL's EVP. */
extern const struct jws_algorithm jws_hs256;
extern const struct jws_algorithm jws_hs384, jws_hs512;
extern const struct jws_algorithm jws_rs256; /* at least 2048 bits */
extern const struct jws_algorithm jws_es256; /* P-256 */
extern const struct jws_algorithm jws_eddsa; /* Ed25519 */

/* Splits a token of at most max bytes and checks its syntax and header; the signature is not
 * verified yet.
 *
 * False without a fault: refused, see jws->reason.  Fault: FAULT_SERVER when the arena is full. */
bool jws_parse(struct ctx *ctx, const char *token, size_t max,
    const struct jws_algorithm *algorithm, struct jws *jws);

/* Returns the claims, an object, which the caller releases with json_object_put.  Anybody may have
 * written them until jws_verify has returned true.  NULL without a fault: refused, see jws->reason.
 * Fault: FAULT_SERVER when the arena is full. */
struct json_object *jws_claims(struct ctx *ctx, struct jws *jws);

/* Verifies the signature.  False without a fault: refused, see jws->reason.
 * Fault: as the algorithm's verify. */
bool jws_verify(struct ctx *ctx, struct jws *jws, const struct jws_key *key);

/* Signs a token with a secret: HS256, HS384 or HS512.  header and claims are JSON; the header must
 * name the algorithm.  Fault: FAULT_SERVER when the arena is full. */
bool jws_sign(struct ctx *ctx, const struct jws_algorithm *algorithm, const struct jws_key *key,
    const char *header, const char *claims, const char **token);

/* The token without its signature: the JWS Signing Input of RFC 7515 section 2. */
bool jws_signing_input(struct ctx *ctx, const char *header, const char *claims, const char **input);

#endif
