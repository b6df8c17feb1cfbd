/* jws_public.c - the algorithms with a public key, verified by amo-crm-crypto; see jws.h. */
#include "crypto/crypto_message.h"
#include "crypto/jws.h"

static bool
verify(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	const struct verify_request request = {
		.algorithm = jws->algorithm->name,
		.public_key = key->public_key,
		.signed_part = jws->signed_part,
		.signed_len = jws->signed_len,
		.signature = jws->signature,
		.signature_len = jws->signature_len,
	};
	struct json_object *doc;
	const char *line;
	bool valid = false;

	if (!verify_request_encode(ctx, &request, &line) || (doc = crypto_send(ctx, line)) == NULL)
		return false;
	(void)verify_reply_decode(ctx, doc, &valid);
	json_object_put(doc);
	return valid;
}

/* RSA: as long as the key's modulus (RFC 8017 section 8.2.1), at most OpenSSL's limit of 16384
 * bits; amo-crm-crypto says when a key is too short.  ES256: r and s, 32 bytes each (RFC 7518
 * section 3.4).  Ed25519: 64 bytes (RFC 8032 section 5.1.6). */
const struct jws_algorithm jws_rs256 = { "RS256", verify, NULL, 1, 16384 / 8 };
const struct jws_algorithm jws_es256 = { "ES256", verify, NULL, 64, 64 };
const struct jws_algorithm jws_eddsa = { "EdDSA", verify, NULL, 64, 64 };
