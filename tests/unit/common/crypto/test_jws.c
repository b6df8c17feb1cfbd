/* test_jws.c - signatures: the examples of the RFCs, keys of the wrong type or size, and malformed
 * signatures. */
#include "tokens.h"

#include <openssl/ui.h>

#define TOKEN_MAX 8192
#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"

/* RFC 7515 appendix A.1 */
#define RFC_SECRET                                                                                 \
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define RFC_TOKEN                                                                                  \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE                                            \
	".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

/* Parses the token and verifies its signature; its claims are not read. */
static bool
verifies(
    struct ctx *ctx, const struct jws_algorithm *algorithm, const char *path, const char *token)
{
	const struct jws_key key = { .public_key = path };
	struct jws jws;

	if (!jws_parse(ctx, token, TOKEN_MAX, algorithm, &jws))
		fail_msg("not parsed: %s", jws.reason);
	return jws_verify(ctx, &jws, &key);
}

static void
verifies_the_hmac_example_of_rfc_7515(void **state)
{
	struct ctx ctx;
	struct jws jws;
	const uint8_t *bytes;
	size_t len;
	struct json_object *claims;

	(void)state;
	open_ctx(&ctx);
	assert_true(base64url_decode(&ctx, RFC_SECRET, strlen(RFC_SECRET), &bytes, &len));
	assert_true(jws_parse(&ctx, RFC_TOKEN, TOKEN_MAX, &jws_hs256, &jws));
	same_text("RFC 7515 A.1, typ", jws.type, "JWT");
	same_text("RFC 7515 A.1, kid", jws.kid, NULL);
	DEMAND("RFC 7515 A.1",
	    jws_verify(&ctx, &jws, &(struct jws_key){ .secret = bytes, .secret_len = len }));
	claims = jws_claims(&ctx, &jws);
	same_text("RFC 7515 A.1, iss", json_get_string(claims, "iss"), "joe");
	json_object_put(claims);

	DEMAND("RFC 7515 A.1, another secret",
	    !jws_verify(&ctx, &jws, &(struct jws_key){ .secret = bytes, .secret_len = len - 1 })
		&& ctx.kind == FAULT_NONE);
	has_text("RFC 7515 A.1, another secret", jws.reason, "does not verify");
	ctx_close(&ctx);
}

static void
signs_the_example_of_rfc_7515(void **state)
{
	static const char header[] = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
	static const char claims[] = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
				     "\"http://example.com/is_root\":true}";
	struct ctx ctx;
	struct jws_key key = { .secret = NULL };
	const uint8_t *secret;
	const char *token;
	const char *input;

	(void)state;
	open_ctx(&ctx);
	assert_true(
	    base64url_decode(&ctx, RFC_SECRET, strlen(RFC_SECRET), &secret, &key.secret_len));
	key.secret = secret;
	assert_true(jws_sign(&ctx, &jws_hs256, &key, header, claims, &token));
	same_text("RFC 7515 A.1", token, RFC_TOKEN);
	assert_true(jws_signing_input(&ctx, header, claims, &input));
	same_text("RFC 7515 A.1, the signing input", input,
	    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE);
	ctx_close(&ctx);
}

static void
verifies_the_tokens_that_it_signs(void **state)
{
	static const char secret[] =
	    "a secret, and one that is longer than any block that is "
	    "hashed: 128 bytes, so that it is itself hashed by HMAC before "
	    "it is used, whatever the algorithm is";
	static const struct {
		const struct jws_algorithm *algorithm;
		const char *claims;
		const char *subject;
	} table[] = {
		{ &jws_hs256, "{\"sub\":\"\xd0\xaf\"}", "\xd0\xaf" },
		{ &jws_hs384, "{\"sub\":\"u1\"}", "u1" },
		{ &jws_hs512, "{}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].algorithm->name;
		const struct jws_key key = { .secret = secret, .secret_len = sizeof secret - 1 };
		const struct signer openssl = { label, secret, sizeof secret - 1, NULL };
		struct ctx ctx;
		struct jws jws;
		struct json_object *claims;
		const char *header;
		const char *token;

		open_ctx(&ctx);
		assert_true(ctx_printf(&ctx, &header, "{\"alg\":\"%s\",\"kid\":\"k\"}", label));
		assert_true(
		    jws_sign(&ctx, table[i].algorithm, &key, header, table[i].claims, &token));
		same_text(label, token, token_of(&ctx, &openssl, header, table[i].claims));
		DEMAND(label, jws_parse(&ctx, token, TOKEN_MAX, table[i].algorithm, &jws));
		same_text(label, jws.kid, "k");
		DEMAND(label, jws_verify(&ctx, &jws, &key));
		claims = jws_claims(&ctx, &jws);
		DEMAND(label, claims != NULL);
		same_text(label, json_get_string(claims, "sub"), table[i].subject);
		json_object_put(claims);
		ctx_close(&ctx);
	}
}

static bool
sign_in_arena(struct ctx *ctx, void *arg)
{
	const struct jws_key key = { .secret = "s", .secret_len = 1 };
	const char *token;

	(void)arg;
	return jws_sign(ctx, &jws_hs256, &key, "{\"alg\":\"HS256\"}", "{}", &token);
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a token that is signed", sign_in_arena, NULL);
}

static void
verifies_the_public_key_examples_of_the_rfcs(void **state)
{
	static const struct {
		const char *label;
		const struct jws_algorithm *algorithm;
		const char *key, *token;
		const char *issuer; /* NULL: the claims are not JSON */
	} table[] = {
		{ "RFC 7515 A.2", &jws_rs256,
		    "-----BEGIN PUBLIC KEY-----\n"
		    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n"
		    "NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
		    "P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
		    "9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
		    "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
		    "FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
		    "oQIDAQAB\n"
		    "-----END PUBLIC KEY-----\n",
		    "eyJhbGciOiJSUzI1NiJ9." JOE
		    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Q"
		    "c_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWz"
		    "O75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e"
		    "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWk"
		    "WywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		    "joe" },
		{ "RFC 7515 A.3", &jws_es256,
		    "-----BEGIN PUBLIC KEY-----\n"
		    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
		    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
		    "-----END PUBLIC KEY-----\n",
		    "eyJhbGciOiJFUzI1NiJ9." JOE
		    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqP"
		    "P3-Kg6NU1Q",
		    "joe" },
		{ "RFC 8037 A.4", &jws_eddsa,
		    "-----BEGIN PUBLIC KEY-----\n"
		    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		    "-----END PUBLIC KEY-----\n",
		    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
		    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvp"
		    "Ar_MuM0KAg",
		    NULL },
	};
	const struct keys *keys = *state;

	for (size_t i = 0; i < ROWS(table); i++) {
		char path[PATH_SIZE];
		struct ctx ctx;
		struct jws jws;
		struct json_object *claims;

		path_in(keys->folder, "rfc.pem", path);
		file_write_text(path, table[i].key);
		open_ctx(&ctx);
		DEMAND(table[i].label, verifies(&ctx, table[i].algorithm, path, table[i].token));
		DEMAND(table[i].label,
		    jws_parse(&ctx, table[i].token, TOKEN_MAX, table[i].algorithm, &jws));
		claims = jws_claims(&ctx, &jws);
		same_text(table[i].label, json_get_string(claims, "iss"), table[i].issuer);
		if (claims == NULL)
			has_text(table[i].label, jws.reason, "JSON");
		json_object_put(claims);
		ctx_close(&ctx);
	}
}

static EVP_PKEY *
make_rsa_pss(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void
refuses_keys_of_another_type_or_size(void **state)
{
	const struct keys *keys = *state;
	const struct {
		const char *label;
		EVP_PKEY *key;
		const struct jws_algorithm *algorithm;
		bool good;
	} table[] = {
		{ "RSA of 2048 bits", EVP_RSA_gen(2048u), &jws_rs256, true },
		{ "RSA of 2040 bits", EVP_RSA_gen(2040u), &jws_rs256, false },
		{ "RSA of 1024 bits", EVP_RSA_gen(1024u), &jws_rs256, false },
		{ "RSA for PSS only", make_rsa_pss(), &jws_rs256, false },
		{ "P-256 for RS256", EVP_EC_gen("P-256"), &jws_rs256, false },
		{ "P-256", EVP_EC_gen("P-256"), &jws_es256, true },
		{ "P-384 for ES256", EVP_EC_gen("P-384"), &jws_es256, false },
		{ "secp256k1 for ES256", EVP_EC_gen("secp256k1"), &jws_es256, false },
		{ "RSA for ES256", EVP_RSA_gen(2048u), &jws_es256, false },
		{ "Ed25519 for ES256", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &jws_es256,
		    false },
		{ "Ed25519", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &jws_eddsa, true },
		{ "Ed448", EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), &jws_eddsa, false },
		{ "X25519", EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), &jws_eddsa, false },
		{ "P-256 for EdDSA", EVP_EC_gen("P-256"), &jws_eddsa, false },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const struct signer by = { .algorithm = table[i].algorithm->name,
			.key = table[i].key };
		static const uint8_t zeros[64] = { 0 };
		char path[PATH_SIZE];
		struct ctx ctx;
		const char *header;
		const char *token;

		DEMAND(table[i].label, table[i].key != NULL);
		path_in(keys->folder, "other.pem", path);
		write_public_key(table[i].key, path);
		open_ctx(&ctx);
		assert_true(ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", by.algorithm));
		if (table[i].good)
			token = token_of(&ctx, &by, header, "{}");
		else /* not every key can sign; the key is checked before the signature */
			assert_true(ctx_printf(&ctx, &token, "%s.e30.%s",
			    encoded_text(&ctx, header), encoded(&ctx, zeros, sizeof zeros)));
		same_fault(table[i].label, &ctx, verifies(&ctx, table[i].algorithm, path, token),
		    table[i].good ? FAULT_NONE : FAULT_CONFIG);
		if (!table[i].good) {
			has_text(table[i].label, ctx.reason, path);
			has_text(table[i].label, ctx.reason, by.algorithm);
		}
		ctx_close(&ctx);
		EVP_PKEY_free(table[i].key);
	}
}

static void
write_private_key(EVP_PKEY *key, const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
}

static bool passphrase_prompted;

static int
open_prompt(UI *ui)
{
	(void)ui;
	passphrase_prompted = true;
	return 0;
}

static void
refuses_files_without_a_public_key(void **state)
{
	static const struct {
		const char *label, *name;
		const char *text; /* NULL: no file is written */
		const char *reason;
	} table[] = {
		{ "no file", "absent.pem", NULL, "No such file" },
		{ "a folder", ".", NULL, "not a regular file" },
		{ "an empty file", "a.pem", "", "no PEM public key" },
		{ "a key in the format of SSH", "a.pem", "ssh-ed25519 AAAA\n",
		    "no PEM public key" },
		{ "a truncated key", "a.pem", "-----BEGIN PUBLIC KEY-----\nMCow\n",
		    "no PEM public key" },
		{ "a PEM block without a key", "a.pem",
		    "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
		    "no PEM public key" },
		{ "a key with a passphrase", "a.pem",
		    "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
		    "DEK-Info: AES-256-CBC,00000000000000000000000000000000\n\n"
		    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
		    "-----END PUBLIC KEY-----\n",
		    "no PEM public key" },
		{ "a private key", "private.pem", NULL, "no PEM public key" },
	};
	const struct keys *keys = *state;
	const struct signer by = { .algorithm = "EdDSA", .key = keys->ed25519 };
	UI_METHOD *prompt = UI_create_method("a terminal");
	char path[PATH_SIZE];

	assert_int_equal(UI_method_set_opener(prompt, open_prompt), 0);
	UI_set_default_method(prompt);
	path_in(keys->folder, "private.pem", path);
	write_private_key(keys->ed25519, path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *token;

		path_in(keys->folder, table[i].name, path);
		if (table[i].text != NULL)
			file_write_text(path, table[i].text);
		open_ctx(&ctx);
		token = token_of(&ctx, &by, "{\"alg\":\"EdDSA\"}", "{}");
		same_fault(
		    table[i].label, &ctx, verifies(&ctx, &jws_eddsa, path, token), FAULT_CONFIG);
		has_text(table[i].label, ctx.reason, table[i].reason);
		has_text(table[i].label, ctx.reason, path);
		DEMAND(table[i].label, !passphrase_prompted);
		ctx_close(&ctx);
	}
	UI_set_default_method(NULL);
	UI_destroy_method(prompt);
}

static void
refuses_signatures_of_another_length(void **state)
{
	static const struct {
		const char *label;
		int less, more; /* bytes */
		bool good;
	} changes[] = {
		{ "unchanged", 0, 0, true },
		{ "one byte less", 1, 0, false },
		{ "one byte more", 0, 1, false },
		{ "ten bytes more", 0, 10, false },
		{ "16 bytes less", 16, 0, false },
	};
	static const char secret[] = "the secret of HS256, HS384 and HS512";
	const struct keys *keys = *state;
	const struct {
		const struct jws_algorithm *algorithm;
		struct jws_key key;
		EVP_PKEY *signer;
	} table[] = {
		{ &jws_hs256, { .secret = secret, .secret_len = sizeof secret }, NULL },
		{ &jws_hs384, { .secret = secret, .secret_len = sizeof secret }, NULL },
		{ &jws_hs512, { .secret = secret, .secret_len = sizeof secret }, NULL },
		{ &jws_rs256, { .public_key = keys->rsa_path }, keys->rsa },
		{ &jws_es256, { .public_key = keys->p256_path }, keys->p256 },
		{ &jws_eddsa, { .public_key = keys->ed25519_path }, keys->ed25519 },
	};

	for (size_t i = 0; i < ROWS(table); i++)
		for (size_t c = 0; c < ROWS(changes); c++) {
			const struct signer by = { table[i].algorithm->name, table[i].key.secret,
				table[i].key.secret_len, table[i].signer };
			uint8_t bytes[1024] = { 0 };
			const uint8_t *signature;
			char label[60];
			struct ctx ctx;
			struct jws jws;
			const char *header;
			const char *text;
			const char *base64url;
			size_t len;

			open_ctx(&ctx);
			assert_true(ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", by.algorithm));
			assert_true(ctx_printf(&ctx, &text, "%s.e30", encoded_text(&ctx, header)));
			base64url = signature_of(&ctx, &by, text);
			assert_true(
			    base64url_decode(&ctx, base64url, strlen(base64url), &signature, &len));
			memcpy(bytes, signature, len);
			len = len + (size_t)changes[c].more - (size_t)changes[c].less;
			assert_true(
			    ctx_printf(&ctx, &text, "%s.%s", text, encoded(&ctx, bytes, len)));
			snprintf(label, sizeof label, "%s, %s", by.algorithm, changes[c].label);
			DEMAND(label, jws_parse(&ctx, text, TOKEN_MAX, table[i].algorithm, &jws));
			DEMAND(label, jws_verify(&ctx, &jws, &table[i].key) == changes[c].good);
			DEMAND(label, ctx.kind == FAULT_NONE);
			ctx_close(&ctx);
		}
}

/* A signature that no key makes costs no request to amo-crm-crypto. */
static void
asks_no_helper_about_a_length_that_no_signature_has(void **state)
{
	static const struct {
		const char *label;
		const struct jws_algorithm *algorithm;
		size_t len; /* bytes */
		bool asked;
	} table[] = {
		{ "RS256, empty", &jws_rs256, 0, false },
		{ "RS256, one byte", &jws_rs256, 1, true },
		{ "RS256, 16384 bits", &jws_rs256, 2048, true },
		{ "RS256, one byte more than 16384 bits", &jws_rs256, 2049, false },
		{ "ES256, 63 bytes", &jws_es256, 63, false },
		{ "ES256, 64 bytes", &jws_es256, 64, true },
		{ "ES256, 65 bytes", &jws_es256, 65, false },
		{ "EdDSA, 63 bytes", &jws_eddsa, 63, false },
		{ "EdDSA, 64 bytes", &jws_eddsa, 64, true },
		{ "EdDSA, 65 bytes", &jws_eddsa, 65, false },
	};
	static const uint8_t zeros[2049];
	const struct keys *keys = *state;
	const struct jws_key key = { .public_key = keys->rsa_path };

	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct jws jws;
		const char *header;
		const char *token;

		open_ctx(&ctx);
		assert_true(
		    ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", table[i].algorithm->name));
		assert_true(ctx_printf(&ctx, &token, "%s.e30.%s", encoded_text(&ctx, header),
		    encoded(&ctx, zeros, table[i].len)));
		DEMAND(table[i].label,
		    jws_parse(&ctx, token, TOKEN_MAX, table[i].algorithm, &jws)
			&& !jws_verify(&ctx, &jws, &key));
		DEMAND(table[i].label, ctx.helpers[HELPER_CRYPTO].running == table[i].asked);
		ctx_close(&ctx);
	}
}

#define ES256_TEXT "eyJhbGciOiJFUzI1NiJ9.e30"

/* The order of P-256's group: FIPS 186-5. */
static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/* Changes to a valid signature of 64 bytes: r and s, 32 bytes each. */
static void
swapped(uint8_t s[64])
{
	uint8_t r[32];

	memcpy(r, s, 32);
	memcpy(s, s + 32, 32);
	memcpy(s + 32, r, 32);
}

static void
r_is_zero(uint8_t s[64])
{
	memset(s, 0, 32);
}

static void
s_is_zero(uint8_t s[64])
{
	memset(s + 32, 0, 32);
}

static void
both_are_zero(uint8_t s[64])
{
	memset(s, 0, 64);
}

static void
both_are_the_order(uint8_t s[64])
{
	assert_true(hex_decode(order, s, 32) && hex_decode(order, s + 32, 32));
}

static void
all_ones(uint8_t s[64])
{
	memset(s, 0xff, 64);
}

static void
unchanged(uint8_t s[64])
{
	(void)s;
}

static void
one_bit_flipped(uint8_t s[64])
{
	s[63] ^= 1;
}

static void
refuses_es256_with_other_values_of_r_and_s(void **state)
{
	static const struct {
		const char *label;
		void (*change)(uint8_t s[64]);
		bool good;
	} table[] = {
		{ "unchanged", unchanged, true },
		{ "r and s swapped", swapped, false },
		{ "r = 0", r_is_zero, false },
		{ "s = 0", s_is_zero, false },
		{ "r = s = 0", both_are_zero, false },
		{ "r = s = n", both_are_the_order, false },
		{ "r = s = 2^256 - 1", all_ones, false },
		{ "one bit flipped", one_bit_flipped, false },
	};
	const struct keys *keys = *state;
	const struct signer by = { .algorithm = "ES256", .key = keys->p256 };

	for (size_t i = 0; i < ROWS(table); i++) {
		uint8_t der[128];
		uint8_t raw[64];
		struct ctx ctx;
		const char *token;

		der_to_raw(der, sign_bytes(&by, ES256_TEXT, der, sizeof der), raw);
		table[i].change(raw);
		open_ctx(&ctx);
		assert_true(
		    ctx_printf(&ctx, &token, "%s.%s", ES256_TEXT, encoded(&ctx, raw, sizeof raw)));
		DEMAND(table[i].label,
		    verifies(&ctx, &jws_es256, keys->p256_path, token) == table[i].good);
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		ctx_close(&ctx);
	}
}

static void
refuses_es256_in_der(void **state)
{
	const struct keys *keys = *state;
	const struct signer by = { .algorithm = "ES256", .key = keys->p256 };
	uint8_t der[128];
	size_t len = sign_bytes(&by, ES256_TEXT, der, sizeof der);
	struct ctx ctx;
	const char *token;

	open_ctx(&ctx);
	assert_true(ctx_printf(&ctx, &token, "%s.%s", ES256_TEXT, encoded(&ctx, der, len)));
	DEMAND("DER", !verifies(&ctx, &jws_es256, keys->p256_path, token));
	DEMAND("DER", ctx.kind == FAULT_NONE);
	ctx_close(&ctx);
}

/* About one r in 256 begins with a zero byte, and every second one with a set bit.  DER omits a
 * leading zero byte, and puts one before a set bit. */
static void
verifies_es256_with_every_form_of_r_in_der(void **state)
{
	enum { ROUNDS_MAX = 20000, PLAIN = 1, SIGN = 2, ZERO = 4, ZERO_SIGN = 8, ALL = 15 };
	const struct keys *keys = *state;
	const struct signer by = { .algorithm = "ES256", .key = keys->p256 };
	int seen = 0;

	for (int round = 0; seen != ALL && round < ROUNDS_MAX; round++) {
		uint8_t der[128];
		uint8_t raw[64];
		struct ctx ctx;
		const char *token;
		int kind;

		der_to_raw(der, sign_bytes(&by, ES256_TEXT, der, sizeof der), raw);
		kind =
		    raw[0] == 0 ? (raw[1] < 128 ? ZERO : ZERO_SIGN) : (raw[0] < 128 ? PLAIN : SIGN);
		if ((seen & kind) != 0)
			continue;
		seen |= kind;
		open_ctx(&ctx);
		assert_true(
		    ctx_printf(&ctx, &token, "%s.%s", ES256_TEXT, encoded(&ctx, raw, sizeof raw)));
		DEMAND(
		    "the encoding of this r", verifies(&ctx, &jws_es256, keys->p256_path, token));
		ctx_close(&ctx);
	}
	same_number("the kinds of r that were tried", seen, ALL);
}

/* Signs the same text with the same key, but by a scheme other than that of RS256. */
static void
refuses_rsa_signatures_of_another_scheme(void **state)
{
	static const struct {
		const char *label;
		const char *digest;
		int padding;
		bool good;
	} table[] = {
		{ "RS256", "SHA256", RSA_PKCS1_PADDING, true },
		{ "PS256", "SHA256", RSA_PKCS1_PSS_PADDING, false },
		{ "RS512", "SHA512", RSA_PKCS1_PADDING, false },
		{ "RS1", "SHA1", RSA_PKCS1_PADDING, false },
	};
	static const char text[] = "eyJhbGciOiJSUzI1NiJ9.e30";
	const struct keys *keys = *state;

	for (size_t i = 0; i < ROWS(table); i++) {
		EVP_MD_CTX *digest = EVP_MD_CTX_new();
		EVP_PKEY_CTX *options;
		uint8_t bytes[256];
		size_t len = sizeof bytes;
		struct ctx ctx;
		const char *token;

		assert_int_equal(EVP_DigestSignInit(digest, &options,
				     EVP_get_digestbyname(table[i].digest), NULL, keys->rsa),
		    1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, table[i].padding), 1);
		assert_int_equal(
		    EVP_DigestSign(digest, bytes, &len, (const uint8_t *)text, strlen(text)), 1);
		EVP_MD_CTX_free(digest);
		open_ctx(&ctx);
		assert_true(ctx_printf(&ctx, &token, "%s.%s", text, encoded(&ctx, bytes, len)));
		DEMAND(table[i].label,
		    verifies(&ctx, &jws_rs256, keys->rsa_path, token) == table[i].good);
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		ctx_close(&ctx);
	}
}

static void
refuses_signatures_by_another_key(void **state)
{
	const struct keys *keys = *state;
	const struct {
		const struct jws_algorithm *algorithm;
		EVP_PKEY *other;
		const char *path;
	} table[] = {
		{ &jws_rs256, EVP_RSA_gen(2048u), keys->rsa_path },
		{ &jws_es256, EVP_EC_gen("P-256"), keys->p256_path },
		{ &jws_eddsa, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), keys->ed25519_path },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const char *name = table[i].algorithm->name;
		const struct signer by = { .algorithm = name, .key = table[i].other };
		struct ctx ctx;
		const char *header;
		const char *token;

		open_ctx(&ctx);
		assert_true(ctx_printf(&ctx, &header, "{\"alg\":\"%s\"}", name));
		token = token_of(&ctx, &by, header, "{}");
		DEMAND(name, !verifies(&ctx, table[i].algorithm, table[i].path, token));
		DEMAND(name, ctx.kind == FAULT_NONE);
		ctx_close(&ctx);
		EVP_PKEY_free(table[i].other);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifies_the_hmac_example_of_rfc_7515),
		cmocka_unit_test(signs_the_example_of_rfc_7515),
		cmocka_unit_test(verifies_the_tokens_that_it_signs),
		cmocka_unit_test(reports_a_full_arena),
		cmocka_unit_test(verifies_the_public_key_examples_of_the_rfcs),
		cmocka_unit_test(refuses_keys_of_another_type_or_size),
		cmocka_unit_test(refuses_files_without_a_public_key),
		cmocka_unit_test(refuses_signatures_of_another_length),
		cmocka_unit_test(asks_no_helper_about_a_length_that_no_signature_has),
		cmocka_unit_test(refuses_es256_with_other_values_of_r_and_s),
		cmocka_unit_test(refuses_es256_in_der),
		cmocka_unit_test(verifies_es256_with_every_form_of_r_in_der),
		cmocka_unit_test(refuses_rsa_signatures_of_another_scheme),
		cmocka_unit_test(refuses_signatures_by_another_key),
	};

	return cmocka_run_group_tests_name("jws", tests, keys_make, keys_free);
}
