/* tokens.h - for the tests of jws, jwt and oauth_state: generates keys, and signs any header and
 * claims with them.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include "../../folder.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "crypto/jws.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define FAR_FUTURE "4102444800" /* the year 2100 */

/* Signs with a secret, or with a private key. */
struct signer {
	const char *algorithm;
	const void *secret;
	size_t secret_len;
	EVP_PKEY *key;
};

static inline const char *
encoded(struct ctx *ctx, const void *bytes, size_t len)
{
	struct strbuf sb;
	const char *s;

	strbuf_init(ctx, &sb);
	base64url_encode(&sb, bytes, len);
	assert_true(strbuf_finish(&sb, &s));
	return s;
}

static inline const char *
encoded_text(struct ctx *ctx, const char *text)
{
	return encoded(ctx, text, strlen(text));
}

/* The digest of the algorithm; NULL for EdDSA, which has its own. */
static inline const EVP_MD *
digest_of(const char *algorithm)
{
	if (strcmp(algorithm, "EdDSA") == 0)
		return NULL;
	if (strcmp(algorithm + 2, "256") == 0)
		return EVP_sha256();
	return strcmp(algorithm + 2, "384") == 0 ? EVP_sha384() : EVP_sha512();
}

/* Writes the signature in the form of OpenSSL, which for ES256 is DER. */
static inline size_t
sign_bytes(const struct signer *by, const char *text, uint8_t *out, size_t size)
{
	EVP_MD_CTX *ctx;
	size_t len = size;
	unsigned mac_len;

	if (by->secret != NULL) {
		assert_non_null(HMAC(digest_of(by->algorithm), by->secret, (int)by->secret_len,
		    (const uint8_t *)text, strlen(text), out, &mac_len));
		return mac_len;
	}
	assert_non_null(ctx = EVP_MD_CTX_new());
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, digest_of(by->algorithm), NULL, by->key), 1);
	assert_int_equal(EVP_DigestSign(ctx, out, &len, (const uint8_t *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	return len;
}

/* Converts a signature from DER to r and s, 32 bytes each. */
static inline void
der_to_raw(const uint8_t *der, size_t len, uint8_t raw[64])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);

	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
	ECDSA_SIG_free(sig);
}

/* The signature of a text, in base64url. */
static inline const char *
signature_of(struct ctx *ctx, const struct signer *by, const char *text)
{
	uint8_t bytes[1024];
	size_t len = sign_bytes(by, text, bytes, sizeof bytes);

	if (strcmp(by->algorithm, "ES256") == 0) {
		uint8_t raw[64];

		der_to_raw(bytes, len, raw);
		return encoded(ctx, raw, sizeof raw);
	}
	return encoded(ctx, bytes, len);
}

/* text '.' signature */
static inline const char *
signed_text(struct ctx *ctx, const struct signer *by, const char *text)
{
	const char *token;

	assert_true(ctx_printf(ctx, &token, "%s.%s", text, signature_of(ctx, by, text)));
	return token;
}

static inline const char *
token_of(struct ctx *ctx, const struct signer *by, const char *header, const char *claims)
{
	const char *text;

	assert_true(
	    ctx_printf(ctx, &text, "%s.%s", encoded_text(ctx, header), encoded_text(ctx, claims)));
	return signed_text(ctx, by, text);
}

static inline void
write_public_key(EVP_PKEY *key, const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PUBKEY(file, key), 1);
	assert_int_equal(fchmod(fileno(file), 0644), 0); /* whatever the umask */
	assert_int_equal(fclose(file), 0);
}

/* One key of each kind that is accepted, and a folder with their public halves. */
struct keys {
	void *folder;
	EVP_PKEY *rsa, *p256, *ed25519;
	char rsa_path[PATH_SIZE], p256_path[PATH_SIZE], ed25519_path[PATH_SIZE];
};

/* cmocka's setup and teardown: *state is a struct keys. */
static inline int
keys_make(void **state)
{
	struct keys *keys = calloc(1, sizeof *keys);

	if (keys == NULL || folder_make(&keys->folder) != 0)
		return -1;
	keys->rsa = EVP_RSA_gen(2048u);
	keys->p256 = EVP_EC_gen("P-256");
	keys->ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (keys->rsa == NULL || keys->p256 == NULL || keys->ed25519 == NULL)
		return -1;
	path_in(keys->folder, "rsa.pem", keys->rsa_path);
	path_in(keys->folder, "p256.pem", keys->p256_path);
	path_in(keys->folder, "ed25519.pem", keys->ed25519_path);
	write_public_key(keys->rsa, keys->rsa_path);
	write_public_key(keys->p256, keys->p256_path);
	write_public_key(keys->ed25519, keys->ed25519_path);
	*state = keys;
	return 0;
}

static inline int
keys_free(void **state)
{
	struct keys *keys = *state;
	int failed = folder_remove(&keys->folder);

	EVP_PKEY_free(keys->rsa);
	EVP_PKEY_free(keys->p256);
	EVP_PKEY_free(keys->ed25519);
	free(keys);
	return failed;
}

#endif
