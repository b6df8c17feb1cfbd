/* test_token.c - a token of the app's kind, made to see what becomes of it. */
#include "check/check.h"

#include "base/encode.h"
#include "base/sha2.h"
#include "base/strbuf.h"
#include "crypto/jws.h"
#include "text/json.h"

#include <string.h>
#include <unistd.h>

#define LIFE_S      60
#define RSA_SIZE    256 /* bytes of a signature by the shortest key that is accepted */
#define ED_AND_P256 64  /* bytes of such signatures */

static const char *const names[] = { [JWT_HS256] = "HS256",
	[JWT_HS384] = "HS384",
	[JWT_HS512] = "HS512",
	[JWT_RS256] = "RS256",
	[JWT_ES256] = "ES256",
	[JWT_EDDSA] = "EdDSA" };

static bool
write_claims(struct ctx *ctx, const struct jwt_config *cfg, const char **claims)
{
	struct strbuf sb;
	uint8_t unique[8];
	char name[sizeof "amocrmctl-check-" + 2 * sizeof unique] = "amocrmctl-check-";

	if (getentropy(unique, sizeof unique) != 0)
		return fault(ctx, FAULT_SERVER, "the system gives no random bytes");
	hex_encode(unique, sizeof unique, name + strlen(name));
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"exp\":%lld", (long long)time(NULL) + LIFE_S);
	json_add_member(&sb, cfg->user_claim, name);
	if (cfg->issuer != NULL)
		json_add_member(&sb, "iss", cfg->issuer);
	if (cfg->audience != NULL)
		json_add_member(&sb, "aud", cfg->audience);
	strbuf_addch(&sb, '}');
	return strbuf_finish(&sb, claims);
}

/* The signature; for a public key one that is of the right length. */
static size_t
sign(const struct jwt_config *cfg, const char *text, uint8_t signature[RSA_SIZE])
{
	size_t secret_len = cfg->secret == NULL ? 0 : strlen(cfg->secret);

	memset(signature, 0, RSA_SIZE);
	switch (cfg->algorithm) {
	case JWT_HS256:
		hmac_sha256(cfg->secret, secret_len, text, strlen(text), signature);
		return SHA256_SIZE;
	case JWT_HS384:
		hmac_sha384(cfg->secret, secret_len, text, strlen(text), signature);
		return SHA384_SIZE;
	case JWT_HS512:
		hmac_sha512(cfg->secret, secret_len, text, strlen(text), signature);
		return SHA512_SIZE;
	case JWT_RS256:
		return RSA_SIZE;
	default:
		return ED_AND_P256;
	}
}

bool
test_token_make(struct ctx *ctx, const struct jwt_config *cfg, const char **token)
{
	uint8_t signature[RSA_SIZE];
	size_t len;
	const char *header;
	const char *claims;
	const char *signed_part;
	struct strbuf sb;

	if (!ctx_printf(ctx, &header, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", names[cfg->algorithm])
	    || !write_claims(ctx, cfg, &claims))
		return false;
	strbuf_init(ctx, &sb);
	base64url_encode(&sb, header, strlen(header));
	strbuf_addch(&sb, '.');
	base64url_encode(&sb, claims, strlen(claims));
	if (!strbuf_finish(&sb, &signed_part))
		return false;
	len = sign(cfg, signed_part, signature);
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "%s.", signed_part);
	base64url_encode(&sb, signature, len);
	return strbuf_finish(&sb, token);
}
