/* jws_evp.c - the algorithms of public keys, by OpenSSL's EVP; see jws_evp.h. */
#include "jws_evp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define RSA_BITS_MIN 2048 /* RFC 7518 section 3.3 */
#define P256_SIZE    32   /* bytes of one coordinate; RFC 7518 section 3.4 */
#define P256_DER_MAX (2 + 2 * (2 + 1 + P256_SIZE))

/* Nobody is there to be asked. */
static int
no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* To be given back with EVP_PKEY_free; NULL with a fault. */
static EVP_PKEY *
read_public_key(struct ctx *ctx, const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	if (file == NULL) {
		ctx_fault(ctx, FAULT_CONFIG, "%s: %s", path, strerror(errno));
		return NULL;
	}
	key = PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (key == NULL)
		ctx_fault(ctx, FAULT_CONFIG,
		    "%s: no PEM public key, \"BEGIN PUBLIC KEY\", is in it", path);
	return key;
}

static bool
rsa_fits(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
}

static bool
p256_fits(const EVP_PKEY *key)
{
	char curve[32] = "";

	return EVP_PKEY_is_a(key, "EC") == 1
	    && EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1
	    && strcmp(curve, "prime256v1") == 0;
}

static bool
ed25519_fits(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") == 1;
}

/* A signature by a public key, as OpenSSL wants it. */
struct signature {
	bool (*key_fits)(const EVP_PKEY *key);
	const char *key_wanted;
	const EVP_MD *digest; /* NULL: it is part of the algorithm */
	const uint8_t *bytes;
	size_t len;
};

static bool
signature_verify(struct ctx *ctx, EVP_PKEY *key, const struct signature *s, const struct jws *jws)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool started =
	    digest != NULL && EVP_DigestVerifyInit(digest, NULL, s->digest, NULL, key) == 1;
	bool valid = started
	    && EVP_DigestVerify(
		   digest, s->bytes, s->len, (const uint8_t *)jws->signed_part, jws->signed_len)
		== 1;

	EVP_MD_CTX_free(digest);
	return started ? valid : fault(ctx, FAULT_SERVER, "a signature cannot be looked at");
}

static bool
public_key_verify(
    struct ctx *ctx, const char *path, const struct signature *s, const struct jws *jws)
{
	EVP_PKEY *key = read_public_key(ctx, path);
	bool valid = false;

	if (key != NULL)
		valid = s->key_fits(key) ? signature_verify(ctx, key, s, jws)
					 : fault(ctx, FAULT_CONFIG, "%s: %s wants %s", path,
					     jws->algorithm->name, s->key_wanted);
	EVP_PKEY_free(key);
	ERR_clear_error(); /* the next request's errors are its own */
	return valid;
}

static bool
rs256_verify(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	return public_key_verify(ctx, key->public_key,
	    &(struct signature){ rsa_fits, "an RSA key of at least 2048 bits", EVP_sha256(),
		jws->signature, jws->signature_len },
	    jws);
}

/* X.690 section 8.3: no zero byte in front, but one where the first bit would be a sign. */
static size_t
put_der_integer(uint8_t *to, const uint8_t number[P256_SIZE])
{
	size_t zeros = 0;
	size_t sign;

	while (zeros < P256_SIZE - 1 && number[zeros] == 0)
		zeros++;
	sign = number[zeros] >> 7;
	to[0] = 0x02;
	to[1] = (uint8_t)(sign + P256_SIZE - zeros);
	to[2] = 0;
	memcpy(to + 2 + sign, number + zeros, P256_SIZE - zeros);
	return 2 + sign + P256_SIZE - zeros;
}

/* A JWS holds r and s side by side (RFC 7518 section 3.4), OpenSSL reads a SEQUENCE of both. */
static bool
es256_verify(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	uint8_t der[P256_DER_MAX] = { 0x30 };
	size_t len = 2;

	if (jws->signature_len != 2 * (size_t)P256_SIZE)
		return false;
	len += put_der_integer(der + len, jws->signature);
	len += put_der_integer(der + len, jws->signature + P256_SIZE);
	der[1] = (uint8_t)(len - 2);
	return public_key_verify(ctx, key->public_key,
	    &(struct signature){ p256_fits, "an EC key on P-256", EVP_sha256(), der, len }, jws);
}

static bool
eddsa_verify(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	return public_key_verify(ctx, key->public_key,
	    &(struct signature){
		ed25519_fits, "an Ed25519 key", NULL, jws->signature, jws->signature_len },
	    jws);
}

const struct jws_algorithm evp_rs256 = { "RS256", rs256_verify };
const struct jws_algorithm evp_es256 = { "ES256", es256_verify };
const struct jws_algorithm evp_eddsa = { "EdDSA", eddsa_verify };
