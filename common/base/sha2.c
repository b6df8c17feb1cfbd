/* sha2.c - see sha2.h. */
#define OPENSSL_API_COMPAT 0x10100000L /* the SHA256_* functions; EVP would load the providers */
#include "base/sha2.h"

#include "base/encode.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

void
sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
	SHA256_CTX sha;

	SHA256_Init(&sha);
	SHA256_Update(&sha, data, len);
	SHA256_Final(out, &sha);
}

void
sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256(data, len, digest);
	hex_encode(digest, sizeof digest, out);
}

size_t
sha256_prefix(const void *head, size_t head_len, const void *data, size_t min, size_t max,
    const void *begin, size_t begin_len)
{
	uint8_t digest[SHA256_SIZE];
	SHA256_CTX so_far;

	SHA256_Init(&so_far);
	SHA256_Update(&so_far, head, head_len);
	SHA256_Update(&so_far, data, min);
	for (size_t len = min; len <= max; len++) {
		SHA256_CTX sha = so_far;

		SHA256_Final(digest, &sha);
		if (memcmp(digest, begin, begin_len) == 0)
			return len;
		if (len < max)
			SHA256_Update(&so_far, (const uint8_t *)data + len, 1);
	}
	return 0;
}

/* The digest of the concatenation of a and b. */
typedef void digest_parts(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *out);

static void
sha256_parts(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *out)
{
	SHA256_CTX sha;

	SHA256_Init(&sha);
	SHA256_Update(&sha, a, a_len);
	SHA256_Update(&sha, b, b_len);
	SHA256_Final(out, &sha);
	explicit_bzero(&sha, sizeof sha);
}

/* SHA-384 is SHA-512 with other initial values, truncated. */
static void
sha512_like_parts(int (*init)(SHA512_CTX *), const void *a, size_t a_len, const void *b,
    size_t b_len, uint8_t *out)
{
	SHA512_CTX sha;

	init(&sha);
	SHA512_Update(&sha, a, a_len);
	SHA512_Update(&sha, b, b_len);
	SHA512_Final(out, &sha);
	explicit_bzero(&sha, sizeof sha);
}

static void
sha384_parts(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *out)
{
	sha512_like_parts(SHA384_Init, a, a_len, b, b_len, out);
}

static void
sha512_parts(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *out)
{
	sha512_like_parts(SHA512_Init, a, a_len, b, b_len, out);
}

void
sha256_concat_hex(
    const void *a, size_t a_len, const void *b, size_t b_len, char out[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256_parts(a, a_len, b, b_len, digest);
	hex_encode(digest, sizeof digest, out);
}

static void
hmac(digest_parts *digest, size_t block_size, size_t size, const void *key, size_t key_len,
    const void *data, size_t len, uint8_t *out)
{
	uint8_t block[SHA512_CBLOCK] = { 0 };
	uint8_t pad[SHA512_CBLOCK];

	if (key_len > block_size)
		digest(key, key_len, "", 0, block);
	else
		memcpy(block, key, key_len);
	for (size_t i = 0; i < block_size; i++)
		pad[i] = block[i] ^ 0x36;
	digest(pad, block_size, data, len, out);
	for (size_t i = 0; i < block_size; i++)
		pad[i] = block[i] ^ 0x5c;
	digest(pad, block_size, out, size, out);
	explicit_bzero(block, sizeof block);
	explicit_bzero(pad, sizeof pad);
}

void
hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
	hmac(sha256_parts, SHA256_CBLOCK, SHA256_SIZE, key, key_len, data, len, out);
}

void
hmac_sha384(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA384_SIZE])
{
	hmac(sha384_parts, SHA512_CBLOCK, SHA384_SIZE, key, key_len, data, len, out);
}

void
hmac_sha512(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA512_SIZE])
{
	hmac(sha512_parts, SHA512_CBLOCK, SHA512_SIZE, key, key_len, data, len, out);
}

bool
timingsafe_equal(const char *a, const char *b)
{
	size_t len;

	if (a == NULL || b == NULL)
		return false;
	len = strlen(a);
	return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}
