/* jws.c - see jws.h. */
#include "crypto/jws.h"

#include "base/encode.h"
#include "base/sha2.h"
#include "base/strbuf.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool
refuse(struct jws *jws, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(jws->reason, sizeof jws->reason, format, args);
	va_end(args);
	return false;
}

static bool
verify_mac(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	uint8_t mac[JWS_MAC_MAX];

	(void)ctx;
	jws->algorithm->hmac(key->secret, key->secret_len, jws->signed_part, jws->signed_len, mac);
	return CRYPTO_memcmp(jws->signature, mac, jws->signature_len) == 0;
}

const struct jws_algorithm jws_hs256 = { "HS256", verify_mac, hmac_sha256, SHA256_SIZE,
	SHA256_SIZE };
const struct jws_algorithm jws_hs384 = { "HS384", verify_mac, hmac_sha384, SHA384_SIZE,
	SHA384_SIZE };
const struct jws_algorithm jws_hs512 = { "HS512", verify_mac, hmac_sha512, SHA512_SIZE,
	SHA512_SIZE };

/* Decodes a part of a token.  NULL: it is not base64url of a JSON object. */
static struct json_object *
decode_object(struct ctx *ctx, const char *base64url, size_t len)
{
	struct json_object *doc;
	const uint8_t *text;
	size_t text_len;

	if (!base64url_decode(ctx, base64url, len, &text, &text_len))
		return NULL;
	doc = json_parse_strict((const char *)text, text_len);
	if (json_object_is_type(doc, json_type_object))
		return doc;
	json_object_put(doc);
	return NULL;
}

/* Refuses a header that brings its own key (RFC 8725 sections 3.9 and 3.10), a compressed payload,
 * or extensions (RFC 7515 section 4.1.11, RFC 7797), none of which is supported. */
static bool
check_members(struct jws *jws, const struct json_object *header)
{
	static const char *const refused[] = { "crit", "jwk", "jku", "x5u", "x5c", "zip", "b64" };

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (json_object_object_get_ex(header, refused[i], NULL))
			return refuse(jws, "the header has %s", refused[i]);
	return true;
}

static bool
check_algorithm(struct jws *jws, const struct json_object *header)
{
	const char *name = json_get_string(header, "alg");

	return (name != NULL && strcmp(name, jws->algorithm->name) == 0)
	    || refuse(
		jws, "alg is \"%.20s\", not %s", name == NULL ? "" : name, jws->algorithm->name);
}

static bool
check_header(struct ctx *ctx, struct jws *jws, const struct json_object *header)
{
	if (!check_algorithm(jws, header) || !check_members(jws, header)
	    || !json_copy_string(ctx, header, "typ", &jws->type)
	    || !json_copy_string(ctx, header, "kid", &jws->kid))
		return false;
	return jws->type != NULL || !json_object_object_get_ex(header, "typ", NULL)
	    || refuse(jws, "typ is not a string");
}

static bool
read_header(struct ctx *ctx, struct jws *jws, size_t len)
{
	struct json_object *header = decode_object(ctx, jws->signed_part, len);
	bool ok = header != NULL
	    ? check_header(ctx, jws, header)
	    : refuse(jws, "the header is not base64url of one JSON object with unique names");

	json_object_put(header);
	return ok;
}

bool
jws_parse(struct ctx *ctx, const char *token, size_t max, const struct jws_algorithm *algorithm,
    struct jws *jws)
{
	size_t len = strnlen(token, max + 1);
	size_t header_len = strcspn(token, ".");
	size_t signature_at;

	memset(jws, 0, sizeof *jws);
	jws->algorithm = algorithm;
	jws->signed_part = token;
	if (len > max)
		return refuse(jws, "the token is over %zu bytes", max);
	if (token[header_len] != '.')
		return refuse(jws, "the token does not have three parts");
	jws->claims = token + header_len + 1;
	jws->claims_len = strcspn(jws->claims, ".");
	jws->signed_len = header_len + 1 + jws->claims_len;
	signature_at = jws->signed_len + 1;
	if (token[jws->signed_len] != '.' || strchr(token + signature_at, '.') != NULL)
		return refuse(jws, "the token does not have three parts");
	if (!base64url_decode(ctx, token + signature_at, len - signature_at, &jws->signature,
		&jws->signature_len))
		return refuse(jws, "the signature is not base64url");
	return read_header(ctx, jws, header_len);
}

struct json_object *
jws_claims(struct ctx *ctx, struct jws *jws)
{
	struct json_object *claims = decode_object(ctx, jws->claims, jws->claims_len);

	if (claims == NULL)
		refuse(jws, "the claims are not base64url of one JSON object with unique names");
	return claims;
}

bool
jws_verify(struct ctx *ctx, struct jws *jws, const struct jws_key *key)
{
	return (jws->signature_len >= jws->algorithm->signature_min
		   && jws->signature_len <= jws->algorithm->signature_max
		   && jws->algorithm->verify(ctx, key, jws))
	    || refuse(jws, "the signature does not verify");
}

static void
add_signing_input(struct strbuf *sb, const char *header, const char *claims)
{
	base64url_encode(sb, header, strlen(header));
	strbuf_addch(sb, '.');
	base64url_encode(sb, claims, strlen(claims));
}

bool
jws_signing_input(struct ctx *ctx, const char *header, const char *claims, const char **input)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	add_signing_input(&sb, header, claims);
	return strbuf_finish(&sb, input);
}

bool
jws_sign(struct ctx *ctx, const struct jws_algorithm *algorithm, const struct jws_key *key,
    const char *header, const char *claims, const char **token)
{
	uint8_t mac[JWS_MAC_MAX];
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	add_signing_input(&sb, header, claims);
	if (sb.full)
		return false;
	algorithm->hmac(key->secret, key->secret_len, sb.start, sb.len, mac);
	strbuf_addch(&sb, '.');
	base64url_encode(&sb, mac, algorithm->signature_min);
	return strbuf_finish(&sb, token);
}
