/* test_token.c - makes a token as the app would, to try out what becomes of it. */
#include "check/check.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "crypto/jws.h"
#include "crypto/jwt.h"
#include "text/json.h"

#include <string.h>
#include <unistd.h>

#define LIFE_S               60
#define RS256_SIZE           256 /* bytes of a signature by the shortest key that is accepted */
#define ES256_AND_EDDSA_SIZE 64

static bool
write_claims(struct ctx *ctx, const struct jwt_config *cfg, const char **claims)
{
	struct strbuf sb;
	uint8_t unique[8];
	char name[sizeof "amocrmctl-check-" + 2 * sizeof unique] = "amocrmctl-check-";

	if (getentropy(unique, sizeof unique) != 0)
		return fault(ctx, FAULT_SERVER, "the system provides no random bytes");
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

/* Appends a signature of the right length that no key has made. */
static bool
add_invalid_signature(
    struct ctx *ctx, const struct jwt_config *cfg, const char *input, const char **token)
{
	static const uint8_t zeros[RS256_SIZE];
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "%s.", input);
	base64url_encode(
	    &sb, zeros, cfg->algorithm == JWT_RS256 ? RS256_SIZE : ES256_AND_EDDSA_SIZE);
	return strbuf_finish(&sb, token);
}

bool
test_token_make(struct ctx *ctx, const struct jwt_config *cfg, const char **token)
{
	const struct jws_algorithm *algorithm = jwt_algorithm(cfg);
	const char *header;
	const char *claims;
	const char *input;

	if (!ctx_printf(ctx, &header, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", algorithm->name)
	    || !write_claims(ctx, cfg, &claims))
		return false;
	if (algorithm->hmac == NULL)
		return jws_signing_input(ctx, header, claims, &input)
		    && add_invalid_signature(ctx, cfg, input, token);
	return jws_sign(ctx, algorithm,
	    &(struct jws_key){ .secret = cfg->secret, .secret_len = strlen(cfg->secret) }, header,
	    claims, token);
}
