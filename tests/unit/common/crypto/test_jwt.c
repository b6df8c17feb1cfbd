/* test_jwt.c - the app's token: its syntax, its header and its signature.  test_jwt_claims.c tests
 * its claims.
 */
#include "app_token.h"
#include "base/strbuf.h"

/* Returns form with H, C and S replaced by the header, the claims, and the signature of
 * signed_part. */
static const char *
fill_form(struct ctx *ctx, const char *form, const char *signed_part)
{
	struct strbuf buf;
	const char *text;

	strbuf_init(ctx, &buf);
	for (; *form != '\0'; form++)
		switch (*form) {
		case 'H':
			strbuf_addstr(&buf, encoded_text(ctx, HEADER));
			break;
		case 'C':
			strbuf_addstr(&buf, encoded_text(ctx, CLAIMS));
			break;
		case 'S':
			strbuf_addstr(&buf, signature_of(ctx, &app, signed_part));
			break;
		default:
			strbuf_addch(&buf, *form);
		}
	assert_true(strbuf_finish(&buf, &text));
	return text;
}

static void
refuses_malformed_tokens(void **state)
{
	static const struct {
		const char *label, *signed_part, *rest, *reason;
	} table[] = {
		{ "three parts", "H.C", ".S", NULL },
		{ "an empty token", "", "", "not have three parts" },
		{ "one part", "H", "", "not have three parts" },
		{ "no signature part", "H.C", "", "not have three parts" },
		{ "no claims part", "H", ".S", "not have three parts" },
		{ "a fourth part", "H.C", ".S.S", "not have three parts" },
		{ "a fourth part that is empty", "H.C", ".S.", "not have three parts" },
		{ "a part before the header", "H.H.C", ".S", "not have three parts" },
		{ "an empty part before the header", ".H.C", ".S", "not have three parts" },
		{ "five parts, as in a JWE", "H.C", ".S.S.S", "not have three parts" },
		{ "only dots", ".", ".", "header is not base64url" },
		{ "an empty header", ".C", ".S", "header is not base64url" },
		{ "empty claims", "H.", ".S", "claims are not base64url" },
		{ "an empty signature", "H.C", ".", "does not verify" },
		{ "a signature of one byte", "H.C", ".AA", "does not verify" },
		{ "the signature twice", "H.C", ".SS", "signature is not base64url" },
		{ "a signature of zeros", "H.C", ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		    "does not verify" },
		{ "padding after the header", "H=.C", ".S", "header is not base64url" },
		{ "padding after the claims", "H.C=", ".S", "claims are not base64url" },
		{ "padding after the signature", "H.C", ".S=", "signature is not base64url" },
		{ "a space before the token", " H.C", ".S", "header is not base64url" },
		{ "a space before a dot", "H .C", ".S", "header is not base64url" },
		{ "a space after a dot", "H. C", ".S", "claims are not base64url" },
		{ "a newline before a dot", "H.C\n", ".S", "claims are not base64url" },
		{ "a tab after a dot", "H.C", ".\tS", "signature is not base64url" },
		{ "a space after the token", "H.C", ".S ", "signature is not base64url" },
		{ "a newline after the token", "H.C", ".S\n", "signature is not base64url" },
		{ "a second token after a comma", "H.C", ".S,H", "signature is not base64url" },
		{ "quotes around the token", "\"H.C", ".S\"", "signature is not base64url" },
		{ "a percent-encoded character", "H.C", ".S%3D", "signature is not base64url" },
		{ "a letter outside ASCII", "H.\xd0\x90", ".S", "claims are not base64url" },
		{ "parts in another order", "C.H", ".S", "alg is \"\"" },
	};
	const struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *signed_part;
		const char *token;

		open_ctx(&ctx);
		signed_part = fill_form(&ctx, table[i].signed_part, NULL);
		assert_true(ctx_printf(&ctx, &token, "%s%s", signed_part,
		    fill_form(&ctx, table[i].rest, signed_part)));
		check_token(table[i].label, &ctx, &cfg, token, table[i].reason, "u1");
		ctx_close(&ctx);
	}
}

static void
reports_a_missing_token(void **state)
{
	const struct jwt_config cfg = app_config();
	const char *user;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	same_fault("no token", &ctx, jwt_verify(&ctx, &cfg, NULL, &user), FAULT_TOKEN_MISSING);
	ctx_close(&ctx);
}

/* Replaces the last character of a part with the next one of base64url.  The length of the part
 * leaves some bits of that character unused, and only these change. */
static const char *
change_unused_bits(struct ctx *ctx, const char *part)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	size_t last = strlen(part) - 1;
	const char *changed;

	assert_true(strlen(part) % 4 != 0);
	assert_true(
	    ctx_printf(ctx, &changed, "%.*s%c", (int)last, part, strchr(digits, part[last])[1]));
	return changed;
}

/* A token has only one encoding. */
static void
refuses_unused_bits_that_are_set(void **state)
{
	static const char *const reason[] = { "header is not base64url", "claims are not base64url",
		"signature is not base64url" };
	const struct jwt_config cfg = app_config();

	(void)state;
	for (int changed = 0; changed < 3; changed++) {
		struct ctx ctx;
		const char *part[3];
		const char *text;
		const char *token;

		open_ctx(&ctx);
		part[0] = encoded_text(&ctx, HEADER " "); /* a length that leaves unused bits */
		part[1] = encoded_text(&ctx, CLAIMS);
		if (changed < 2)
			part[changed] = change_unused_bits(&ctx, part[changed]);
		assert_true(ctx_printf(&ctx, &text, "%s.%s", part[0], part[1]));
		part[2] = signature_of(&ctx, &app, text);
		if (changed == 2)
			part[2] = change_unused_bits(&ctx, part[2]);
		assert_true(ctx_printf(&ctx, &token, "%s.%s", text, part[2]));
		check_token(reason[changed], &ctx, &cfg, token, reason[changed], NULL);
		ctx_close(&ctx);
	}
}

/* The encoding of these claims has both characters in which base64 and base64url differ. */
static void
refuses_the_alphabet_of_base64(void **state)
{
	static const char claims[] =
	    "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE ",\"x\":\"?>?>?>?>?>?>\"}";
	static const struct {
		const char *label;
		const char from, to;
	} table[] = { { "+ for -", '-', '+' }, { "/ for _", '_', '/' } };
	const struct jwt_config cfg = app_config();

	(void)state;
	check_parts("base64url", &cfg, HEADER, claims, NULL, "u1");
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *text;
		char *other;

		open_ctx(&ctx);
		assert_true(ctx_printf(
		    &ctx, &text, "%s.%s", encoded_text(&ctx, HEADER), encoded_text(&ctx, claims)));
		assert_true(ctx_alloc(&ctx, strlen(text) + 1, &other));
		memcpy(other, text, strlen(text) + 1);
		DEMAND(table[i].label, strchr(other, table[i].from) != NULL);
		for (char *c = other; *c != '\0'; c++)
			*c = *c == table[i].from ? table[i].to : *c;
		check_token(table[i].label, &ctx, &cfg, signed_text(&ctx, &app, other),
		    "claims are not base64url", NULL);
		ctx_close(&ctx);
	}
}

static void
checks_the_header(void **state)
{
	static const struct {
		const char *label, *header, *reason;
	} table[] = {
		{ "only alg", "{\"alg\":\"HS256\"}", NULL },
		{ "white space", " { \"alg\" : \"HS256\" }\n", NULL },
		{ "the value of alg with an escape", "{\"alg\":\"\\u0048S256\"}", NULL },
		{ "a key id", "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}", NULL },
		{ "an unknown member", "{\"alg\":\"HS256\",\"x\":{\"y\":[]}}", NULL },

		{ "alg none", "{\"alg\":\"none\"}", "alg is \"none\", not HS256" },
		{ "alg None", "{\"alg\":\"None\"}", "alg is \"None\"" },
		{ "alg NONE", "{\"alg\":\"NONE\"}", "alg is \"NONE\"" },
		{ "alg nOnE", "{\"alg\":\"nOnE\"}", "alg is \"nOnE\"" },
		{ "alg none with an escape", "{\"alg\":\"n\\u006fne\"}", "alg is \"none\"" },
		{ "no alg", "{}", "alg is \"\"" },
		{ "alg is empty", "{\"alg\":\"\"}", "alg is \"\"" },
		{ "alg is null", "{\"alg\":null}", "alg is \"\"" },
		{ "alg is a number", "{\"alg\":256}", "alg is \"\"" },
		{ "alg is a list", "{\"alg\":[\"HS256\"]}", "alg is \"\"" },
		{ "alg in lower case", "{\"alg\":\"hs256\"}", "alg is \"hs256\"" },
		{ "alg with a space", "{\"alg\":\"HS256 \"}", "alg is \"HS256 \"" },
		{ "alg truncated", "{\"alg\":\"HS25\"}", "alg is \"HS25\"" },
		{ "Alg instead of alg", "{\"Alg\":\"HS256\"}", "alg is \"\"" },
		{ "alg HS384", "{\"alg\":\"HS384\"}", "alg is \"HS384\"" },
		{ "alg HS512", "{\"alg\":\"HS512\"}", "alg is \"HS512\"" },
		{ "alg RS256", "{\"alg\":\"RS256\"}", "alg is \"RS256\"" },
		{ "alg ES256", "{\"alg\":\"ES256\"}", "alg is \"ES256\"" },
		{ "alg EdDSA", "{\"alg\":\"EdDSA\"}", "alg is \"EdDSA\"" },
		{ "a NUL after the value of alg", "{\"alg\":\"HS256\\u0000\"}", "header is not" },
		{ "a NUL after the name of alg", "{\"alg\\u0000\":\"HS256\"}", "header is not" },
		{ "alg twice", "{\"alg\":\"none\",\"alg\":\"HS256\"}", "header is not" },
		{ "alg twice with the same value", "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
		    "header is not" },
		{ "alg twice, once with an escape", "{\"\\u0061lg\":\"none\",\"alg\":\"HS256\"}",
		    "header is not" },
		{ "another name twice", "{\"alg\":\"HS256\",\"kid\":\"1\",\"kid\":\"2\"}",
		    "header is not" },
		{ "a name twice in an inner object", "{\"alg\":\"HS256\",\"x\":{\"y\":1,\"y\":2}}",
		    "header is not" },

		{ "crit", "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "header has crit" },
		{ "crit is empty", "{\"alg\":\"HS256\",\"crit\":[]}", "header has crit" },
		{ "crit is null", "{\"alg\":\"HS256\",\"crit\":null}", "header has crit" },
		{ "crit with an escape", "{\"alg\":\"HS256\",\"\\u0063rit\":[]}",
		    "header has crit" },
		{ "b64", "{\"alg\":\"HS256\",\"b64\":false}", "header has b64" },
		{ "zip", "{\"alg\":\"HS256\",\"zip\":\"DEF\"}", "header has zip" },
		{ "a key in the header",
		    "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}}",
		    "header has jwk" },
		{ "the URL of keys", "{\"alg\":\"HS256\",\"jku\":\"https://a.example/\"}",
		    "header has jku" },
		{ "the URL of certificates", "{\"alg\":\"HS256\",\"x5u\":\"https://a.example/\"}",
		    "header has x5u" },
		{ "certificates in the header", "{\"alg\":\"HS256\",\"x5c\":[\"MII\"]}",
		    "header has x5c" },

		{ "typ JWT", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", NULL },
		{ "typ jwt", "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", NULL },
		{ "typ JWT as a full media type", "{\"alg\":\"HS256\",\"typ\":\"application/JWT\"}",
		    NULL },
		{ "typ of an access token of RFC 9068", "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
		    NULL },
		{ "the same as a full media type",
		    "{\"alg\":\"HS256\",\"typ\":\"Application/AT+JWT\"}", NULL },
		{ "typ JWE", "{\"alg\":\"HS256\",\"typ\":\"JWE\"}", "typ is \"JWE\"" },
		{ "typ of a logout token", "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}",
		    "typ is \"logout+jwt\"" },
		{ "typ of our own state", "{\"alg\":\"HS256\",\"typ\":\"" STATE_TYPE "\"}",
		    "typ is \"" STATE_TYPE "\"" },
		{ "typ without a subtype", "{\"alg\":\"HS256\",\"typ\":\"application/\"}",
		    "typ is \"\"" },
		{ "typ is empty", "{\"alg\":\"HS256\",\"typ\":\"\"}", "typ is \"\"" },
		{ "typ is null", "{\"alg\":\"HS256\",\"typ\":null}", "typ is not a string" },
		{ "typ is a number", "{\"alg\":\"HS256\",\"typ\":1}", "typ is not a string" },
		{ "typ is a list", "{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}", "typ is not a string" },

		{ "a list", "[\"alg\",\"HS256\"]", "header is not" },
		{ "a string", "\"HS256\"", "header is not" },
		{ "null", "null", "header is not" },
		{ "not JSON", "alg=HS256", "header is not" },
		{ "single quotes", "{'alg':'HS256'}", "header is not" },
		{ "a letter after the object", "{\"alg\":\"HS256\"}x", "header is not" },
		{ "a second object", "{\"alg\":\"HS256\"}{}", "header is not" },
		{ "a byte order mark", "\xef\xbb\xbf{\"alg\":\"HS256\"}", "header is not" },
		{ "not UTF-8", "{\"alg\":\"HS256\",\"kid\":\"\xff\"}", "header is not" },
	};
	const struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		check_parts(table[i].label, &cfg, table[i].header, CLAIMS, table[i].reason, "u1");
}

/* An attacker, who cannot sign, would send such a token. */
static void
refuses_alg_none_without_a_signature(void **state)
{
	static const char *const names[] = { "none", "None", "NONE", "nOnE" };
	const struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		struct ctx ctx;
		const char *header;
		const char *token;

		open_ctx(&ctx);
		assert_true(ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", names[i]));
		assert_true(ctx_printf(&ctx, &token, "%s.%s.", encoded_text(&ctx, header),
		    encoded_text(&ctx, CLAIMS)));
		check_token(names[i], &ctx, &cfg, token, "alg is", NULL);
		ctx_close(&ctx);
	}
}

/* Makes a valid token of len bytes.  Spaces pad the header as well, because the claims alone cannot
 * give the token every length. */
static const char *
token_of_length(struct ctx *ctx, size_t len)
{
	enum { HEADER_PAD = 4 };
	char *claims;

	assert_true(ctx_alloc(ctx, len, &claims)); /* claims are shorter than their token */
	for (int pad = 0; pad < HEADER_PAD; pad++) {
		char header[80];
		size_t rest;
		const char *token;

		snprintf(header, sizeof header, "%s%*s", HEADER, pad, "");
		rest = len - strlen(token_of(ctx, &app, header, CLAIMS));
		for (size_t fill = rest * 3 / 4 - 2; fill <= rest * 3 / 4 + 2; fill++) {
			memset(claims, ' ', fill);
			memcpy(claims + fill, CLAIMS, sizeof CLAIMS);
			token = token_of(ctx, &app, header, claims);
			if (strlen(token) == len)
				return token;
		}
	}
	fail_msg("no token of %zu bytes can be made", len);
	return NULL;
}

static void
accepts_tokens_up_to_the_limit(void **state)
{
	const struct jwt_config cfg = app_config();
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	check_token(
	    "a token at the limit", &ctx, &cfg, token_of_length(&ctx, JWT_TOKEN_MAX), NULL, "u1");
	check_token("a token over the limit", &ctx, &cfg, token_of_length(&ctx, JWT_TOKEN_MAX + 1),
	    "over 8192 bytes", NULL);
	ctx_close(&ctx);
}

/* Tries the token of each algorithm with each one configured: it is valid only if both are the
 * same. */
static void
accepts_only_the_configured_algorithm(void **state)
{
	const struct keys *keys = *state;
	const struct {
		int algorithm;
		struct signer by;
		const char *public_key;
	} table[] = {
		{ JWT_HS256, { "HS256", SECRET, strlen(SECRET), NULL }, NULL },
		{ JWT_HS384, { "HS384", SECRET, strlen(SECRET), NULL }, NULL },
		{ JWT_HS512, { "HS512", SECRET, strlen(SECRET), NULL }, NULL },
		{ JWT_RS256, { "RS256", NULL, 0, keys->rsa }, keys->rsa_path },
		{ JWT_ES256, { "ES256", NULL, 0, keys->p256 }, keys->p256_path },
		{ JWT_EDDSA, { "EdDSA", NULL, 0, keys->ed25519 }, keys->ed25519_path },
	};

	for (size_t c = 0; c < ROWS(table); c++)
		for (size_t s = 0; s < ROWS(table); s++) {
			struct jwt_config cfg = app_config();
			char label[60];
			const char *header;
			struct ctx ctx;

			cfg.algorithm = table[c].algorithm;
			cfg.secret = table[c].by.secret;
			cfg.public_key = table[c].public_key;
			snprintf(label, sizeof label, "%s where %s is configured",
			    table[s].by.algorithm, table[c].by.algorithm);
			open_ctx(&ctx);
			assert_true(
			    ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", table[s].by.algorithm));
			check_token(label, &ctx, &cfg, token_of(&ctx, &table[s].by, header, CLAIMS),
			    c == s ? NULL : "alg is", "u1");
			ctx_close(&ctx);
		}
}

/* The header names one algorithm, but the token is signed by another, with the same secret. */
static void
refuses_a_signature_with_another_digest(void **state)
{
	static const char *const names[] = { "HS256", "HS384", "HS512" };

	(void)state;
	for (int c = 0; c < 3; c++)
		for (int s = 0; s < 3; s++) {
			const struct signer by = { names[s], SECRET, strlen(SECRET), NULL };
			struct jwt_config cfg = app_config();
			char label[60];
			const char *header;
			struct ctx ctx;

			cfg.algorithm = JWT_HS256 + c;
			snprintf(label, sizeof label, "%s, signed as %s", names[c], names[s]);
			open_ctx(&ctx);
			assert_true(ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", names[c]));
			check_token(label, &ctx, &cfg, token_of(&ctx, &by, header, CLAIMS),
			    c == s ? NULL : "does not verify", "u1");
			ctx_close(&ctx);
		}
}

/* An attacker knows the public key, and may use it as a secret (RFC 8725 section 2.1). */
static void
refuses_the_public_key_as_secret(void **state)
{
	static const char *const headers[] = { "{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}" };
	static const char *const reason[] = { "alg is \"HS256\", not RS256", "does not verify" };
	const struct keys *keys = *state;
	struct jwt_config cfg = app_config();
	size_t len;
	uint8_t *pem = file_read(keys->rsa_path, &len);
	const struct signer by = { "HS256", pem, len, NULL };

	cfg.algorithm = JWT_RS256;
	cfg.secret = NULL;
	cfg.public_key = keys->rsa_path;
	for (size_t i = 0; i < ROWS(headers); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		check_token(headers[i], &ctx, &cfg, token_of(&ctx, &by, headers[i], CLAIMS),
		    reason[i], NULL);
		ctx_close(&ctx);
	}
	free(pem);
}

/* Secrets that differ only in their last byte, or in length. */
static void
refuses_a_signature_with_another_secret(void **state)
{
	static const char *const secrets[] = { SECRET "!",
		"a secret of the app's, over 32 bytes lonh", "",
		"the secret of somebody else altogether, and long" };
	const struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(secrets); i++) {
		const struct signer by = { "HS256", secrets[i], strlen(secrets[i]), NULL };
		struct ctx ctx;

		open_ctx(&ctx);
		check_token(secrets[i], &ctx, &cfg, token_of(&ctx, &by, HEADER, CLAIMS),
		    "does not verify", NULL);
		ctx_close(&ctx);
	}
}

/* The text, with the name for its %s. */
static const char *
filled_in(struct ctx *ctx, const char *text, const char *name)
{
	const char *at = strstr(text, "%s");
	const char *filled = text;

	if (at != NULL)
		assert_true(
		    ctx_printf(ctx, &filled, "%.*s%s%s", (int)(at - text), text, name, at + 2));
	return filled;
}

/* Anybody can send such a token: it must not cost the start of amo-crm-crypto, which verifies
 * signatures by public keys.  Its signature would be valid. */
static void
starts_no_helper_for_a_token_that_is_refused_anyway(void **state)
{
#define GOOD "\"sub\":\"u1\",\"exp\":" FAR_FUTURE ",\"iss\":\"i\",\"aud\":\"a\""
	static const struct {
		const char *label, *header, *claims, *reason;
	} table[] = {
		{ "valid", "{\"alg\":\"%s\"}", "{" GOOD "}", NULL },
		{ "no header", "", "{" GOOD "}", "header is not" },
		{ "another algorithm", "{\"alg\":\"none\",\"kid\":\"%s\"}", "{" GOOD "}",
		    "alg is" },
		{ "a key of its own", "{\"alg\":\"%s\",\"jwk\":{}}", "{" GOOD "}", "has jwk" },
		{ "another type", "{\"alg\":\"%s\",\"typ\":\"x\"}", "{" GOOD "}", "typ is" },
		{ "no claims", "{\"alg\":\"%s\"}", "", "claims are not" },
		{ "claims that are not JSON", "{\"alg\":\"%s\"}", "{", "claims are not" },
		{ "expired", "{\"alg\":\"%s\"}", "{\"sub\":\"u1\",\"exp\":1}", "expired" },
		{ "no exp", "{\"alg\":\"%s\"}", "{\"sub\":\"u1\"}", "exp is missing" },
		{ "nbf in the future", "{\"alg\":\"%s\"}", "{" GOOD ",\"nbf\":" FAR_FUTURE "}",
		    "nbf is" },
		{ "iat in the future", "{\"alg\":\"%s\"}", "{" GOOD ",\"iat\":" FAR_FUTURE "}",
		    "iat is" },
		{ "another issuer", "{\"alg\":\"%s\"}",
		    "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE ",\"iss\":\"x\",\"aud\":\"a\"}",
		    "iss is" },
		{ "another audience", "{\"alg\":\"%s\"}",
		    "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE ",\"iss\":\"i\",\"aud\":\"x\"}",
		    "aud does" },
		{ "the audience of our states", "{\"alg\":\"%s\"}",
		    "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE
		    ",\"iss\":\"i\",\"aud\":[\"a\",\"" STATE_AUDIENCE "\"]}",
		    "aud is" },
		{ "no user", "{\"alg\":\"%s\"}",
		    "{\"exp\":" FAR_FUTURE ",\"iss\":\"i\",\"aud\":\"a\"}", "sub is" },
		{ "a user with a control character", "{\"alg\":\"%s\"}",
		    "{\"sub\":\"\\n\",\"exp\":" FAR_FUTURE ",\"iss\":\"i\",\"aud\":\"a\"}",
		    "sub has" },
	};
#undef GOOD
	const struct keys *keys = *state;
	const struct {
		int algorithm;
		struct signer by;
		const char *public_key;
	} algorithms[] = {
		{ JWT_RS256, { "RS256", NULL, 0, keys->rsa }, keys->rsa_path },
		{ JWT_ES256, { "ES256", NULL, 0, keys->p256 }, keys->p256_path },
		{ JWT_EDDSA, { "EdDSA", NULL, 0, keys->ed25519 }, keys->ed25519_path },
	};

	for (size_t a = 0; a < ROWS(algorithms); a++)
		for (size_t i = 0; i < ROWS(table); i++) {
			const struct signer *by = &algorithms[a].by;
			struct jwt_config cfg = app_config();
			char label[80];
			const char *header = table[i].header;
			struct ctx ctx;

			cfg.algorithm = algorithms[a].algorithm;
			cfg.secret = NULL;
			cfg.public_key = algorithms[a].public_key;
			cfg.issuer = "i";
			cfg.audience = "a";
			snprintf(label, sizeof label, "%s, %s", by->algorithm, table[i].label);
			open_ctx(&ctx);
			header = filled_in(&ctx, header, by->algorithm);
			check_token(label, &ctx, &cfg, token_of(&ctx, by, header, table[i].claims),
			    table[i].reason, "u1");
			DEMAND(
			    label, ctx.helpers[HELPER_CRYPTO].running == (table[i].reason == NULL));
			ctx_close(&ctx);
		}
}

/* What a token claims is nobody's before its signature is verified. */
static void
names_no_user_without_a_signature(void **state)
{
	const struct signer by = { "HS256", "another", 7, NULL };
	const struct jwt_config cfg = app_config();
	const char *user = "unchanged";
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	same_fault("another secret", &ctx,
	    jwt_verify(&ctx, &cfg, token_of(&ctx, &by, HEADER, CLAIMS), &user), FAULT_TOKEN);
	same_text("another secret", user, "unchanged");
	ctx_close(&ctx);
}

/* A resident process keeps it from one request to the next. */
static void
verifies_many_tokens_by_one_helper(void **state)
{
	const struct keys *keys = *state;
	const struct signer by = { "ES256", NULL, 0, keys->p256 };
	struct jwt_config cfg = app_config();
	struct ctx ctx;
	int pid = 0;

	cfg.algorithm = JWT_ES256;
	cfg.secret = NULL;
	cfg.public_key = keys->p256_path;
	open_ctx(&ctx);
	for (int i = 0; i < 5; i++) {
		check_token("a request", &ctx, &cfg,
		    token_of(&ctx, &by, "{\"alg\":\"ES256\"}", CLAIMS), NULL, "u1");
		DEMAND("the same helper", pid == 0 || ctx.helpers[HELPER_CRYPTO].pid == pid);
		pid = ctx.helpers[HELPER_CRYPTO].pid;
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
}

static void
reports_an_unusable_key_as_a_fault_of_the_configuration(void **state)
{
	const struct keys *keys = *state;
	const struct signer by = { "ES256", NULL, 0, keys->p256 };
	struct jwt_config cfg = app_config();
	char path[PATH_SIZE];
	const char *user;
	struct ctx ctx;

	path_in(keys->folder, "absent", path);
	cfg.algorithm = JWT_ES256;
	cfg.secret = NULL;
	cfg.public_key = path;
	open_ctx(&ctx);
	same_fault("no key file", &ctx,
	    jwt_verify(&ctx, &cfg, token_of(&ctx, &by, "{\"alg\":\"ES256\"}", CLAIMS), &user),
	    FAULT_CONFIG);
	ctx_wipe(&ctx);
	cfg.public_key = keys->rsa_path;
	same_fault("a key of another type", &ctx,
	    jwt_verify(&ctx, &cfg, token_of(&ctx, &by, "{\"alg\":\"ES256\"}", CLAIMS), &user),
	    FAULT_CONFIG);
	ctx_close(&ctx);
}

static bool
verify_in_arena(struct ctx *ctx, void *token)
{
	const struct jwt_config cfg = app_config();
	const char *user;

	if (!jwt_verify(ctx, &cfg, token, &user))
		return false;
	same_text("in a small arena", user, "u1");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	struct ctx ctx;
	char token[400];

	(void)state;
	open_ctx(&ctx);
	snprintf(token, sizeof token, "%s", token_of(&ctx, &app, HEADER, CLAIMS));
	ctx_close(&ctx);
	try_small_arenas("jwt_verify", verify_in_arena, token);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_a_missing_token),
		cmocka_unit_test(refuses_malformed_tokens),
		cmocka_unit_test(refuses_unused_bits_that_are_set),
		cmocka_unit_test(refuses_the_alphabet_of_base64),
		cmocka_unit_test(checks_the_header),
		cmocka_unit_test(refuses_alg_none_without_a_signature),
		cmocka_unit_test(accepts_tokens_up_to_the_limit),
		cmocka_unit_test(accepts_only_the_configured_algorithm),
		cmocka_unit_test(refuses_a_signature_with_another_digest),
		cmocka_unit_test(refuses_the_public_key_as_secret),
		cmocka_unit_test(refuses_a_signature_with_another_secret),
		cmocka_unit_test(starts_no_helper_for_a_token_that_is_refused_anyway),
		cmocka_unit_test(names_no_user_without_a_signature),
		cmocka_unit_test(verifies_many_tokens_by_one_helper),
		cmocka_unit_test(reports_an_unusable_key_as_a_fault_of_the_configuration),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("jwt", tests, keys_make, keys_free);
}
