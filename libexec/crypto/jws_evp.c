/* jws_evp.c - see jws_evp.h. */
#include "jws_evp.h"

#include "base/file.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS_MIN 2048 /* RFC 7518 section 3.3 */
#define P256_SIZE    32   /* bytes of one coordinate; RFC 7518 section 3.4 */
#define P256_DER_MAX (2 + 2 * (2 + 1 + P256_SIZE))

/* OpenSSL would prompt for the passphrase of an encrypted key. */
static int
no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* The caller releases the key with EVP_PKEY_free; NULL with a fault. */
static EVP_PKEY *
read_public_key(struct ctx *ctx, const char *path)
{
	FILE *file;
	EVP_PKEY *key;

	if (!file_open_trusted(ctx, path, &file))
		return NULL;
	key = PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (key == NULL)
		ctx_fault(ctx, FAULT_CONFIG, "%s: contains no PEM public key, \"BEGIN PUBLIC KEY\"",
		    path);
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

/* Writes a DER INTEGER (X.690 section 8.3): without leading zero bytes, except one where the first
 * bit would be taken for the sign. */
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

/* Converts r and s side by side, as in a JWS (RFC 7518 section 3.4), to the DER SEQUENCE of both
 * that OpenSSL verifies.  False: the signature does not have the right length. */
static bool
encode_p256_signature(const struct verify_request *request, uint8_t der[P256_DER_MAX], size_t *len)
{
	if (request->signature_len != 2 * (size_t)P256_SIZE)
		return false;
	*len = 2;
	*len += put_der_integer(der + *len, request->signature);
	*len += put_der_integer(der + *len, request->signature + P256_SIZE);
	der[0] = 0x30;
	der[1] = (uint8_t)(*len - 2);
	return true;
}

/* What the key is, in words for a message. */
static void
describe(const EVP_PKEY *key, char *text, size_t size)
{
	char curve[32] = "";
	const char *type = EVP_PKEY_get0_type_name(key);

	if (EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1)
		snprintf(text, size, "is an %s key on %s", type, curve);
	else if (EVP_PKEY_is_a(key, "RSA") == 1)
		snprintf(text, size, "is an RSA key of %d bits", EVP_PKEY_get_bits(key));
	else
		snprintf(text, size, "is an %s key", type == NULL ? "unknown" : type);
}

struct algorithm {
	const char *name;
	bool (*key_fits)(const EVP_PKEY *key);
	const char *key_wanted;
	const EVP_MD *(*digest)(void); /* NULL: it is part of the algorithm */
	bool is_ecdsa;
};

static const struct algorithm algorithms[] = {
	{ "RS256", rsa_fits, "an RSA key of at least 2048 bits", EVP_sha256, false },
	{ "ES256", p256_fits, "an EC key on P-256", EVP_sha256, true },
	{ "EdDSA", ed25519_fits, "an Ed25519 key", NULL, false },
};

static const struct algorithm *
find_algorithm(const char *name)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

static bool
verify_with(struct ctx *ctx, const struct algorithm *algorithm, EVP_PKEY *key,
    const struct verify_request *request, bool *valid)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	const EVP_MD *md = algorithm->digest == NULL ? NULL : algorithm->digest();
	bool started = digest != NULL && EVP_DigestVerifyInit(digest, NULL, md, NULL, key) == 1;

	*valid = started
	    && EVP_DigestVerify(digest, request->signature, request->signature_len,
		   (const uint8_t *)request->signed_part, request->signed_len)
		== 1;
	EVP_MD_CTX_free(digest);
	return started || fault(ctx, FAULT_SERVER, "a signature cannot be verified");
}

static bool
check_key(struct ctx *ctx, const struct algorithm *algorithm, const EVP_PKEY *key, const char *path)
{
	char found[64];

	if (algorithm->key_fits(key))
		return true;
	describe(key, found, sizeof found);
	return fault(ctx, FAULT_CONFIG, "%s: %s requires %s, but this %s", path, algorithm->name,
	    algorithm->key_wanted, found);
}

static bool
verify_by_key(struct ctx *ctx, const struct algorithm *algorithm,
    const struct verify_request *request, bool *valid)
{
	EVP_PKEY *key = read_public_key(ctx, request->public_key);
	bool ok = key != NULL && check_key(ctx, algorithm, key, request->public_key)
	    && verify_with(ctx, algorithm, key, request, valid);

	EVP_PKEY_free(key);
	ERR_clear_error(); /* OpenSSL's error queue would keep them for the next request */
	return ok;
}

bool
jws_evp_verify(struct ctx *ctx, const struct verify_request *request, bool *valid)
{
	const struct algorithm *algorithm = find_algorithm(request->algorithm);
	struct verify_request converted = *request;
	uint8_t der[P256_DER_MAX];

	*valid = false;
	if (algorithm == NULL)
		return fault(ctx, FAULT_SERVER, "no algorithm \"%.20s\"", request->algorithm);
	if (algorithm->is_ecdsa) {
		if (!encode_p256_signature(request, der, &converted.signature_len))
			return true;
		converted.signature = der;
	}
	return verify_by_key(ctx, algorithm, &converted, valid);
}
